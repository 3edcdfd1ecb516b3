"""A text to be tagged, and the formats that it may come and go in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Form(StrEnum):
    """A format. Plain text says nothing of spans: it is read only."""

    TEXT = "text"
    PUBTATOR = "pubtator"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Text:
    """A document to be tagged.

    Attributes:
        id: As its file has it.
        text: Offsets of spans are characters of it.
        path: File that it is from; ``-`` is standard input.
        line: Line at which it begins, 1-based.
        size: Bytes that it takes in its file.
        title: Characters of the title, behind which one space and the abstract follow; ``None`` if it has none.
        members: Of its JSON object, if it is from one.
    """

    id: str | int
    text: str
    path: Path
    line: int
    size: int
    title: int | None = None
    members: Mapping[str, Any] | None = None

    @property
    def passages(self) -> list[tuple[int, int]]:
        """Characters that no sentence crosses."""
        if self.title is None:
            return [(0, len(self.text))]
        return [(0, self.title), (self.title + 1, len(self.text))]
