"""The calibration text: written for leanner, of no corpus, its mentions marked.

An article is a block of lines, a sentence a line, a mention ``[[GENE:BRCA1]]``.
"""

from __future__ import annotations

import re

from importlib.resources import files
from typing import Final

from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


NAME: Final = "calibration"
_MENTION: Final = re.compile(r"\[\[(\w+):(.*?)\]\]")


def calibration_text(articles: int | None = None) -> tuple[Document, ...]:
    """Return the documents of the calibration text, or the first of them."""
    return read_marked((files("leanner.passes.calibration") / "text.txt").read_text(encoding="utf-8"))[:articles]


def read_marked(text: str) -> tuple[Document, ...]:
    """Return the documents of a text with marked mentions.

    Raises:
        ValueError: A mention has another label than those of the merged corpus, or its marks do not match.
    """
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return tuple(
        Document(f"{number}", NAME, f"{number}", frozenset(Label), tuple(map(_sentence, block)))
        for number, block in enumerate(blocks)
    )


def _sentence(line: str) -> Sentence:
    plain, spans, begin = "", [], 0
    for match in _MENTION.finditer(line):
        plain += line[begin : match.start()]
        spans.append(Span(len(plain), len(plain) + len(match[2]), Label(match[1])))
        plain += match[2]
        begin = match.end()
    plain += line[begin:]
    if "[[" in plain or "]]" in plain:
        raise ValueError(f"expected mentions like [[GENE:BRCA1]], found {line!r}")
    return Sentence(plain, spans=tuple(spans))
