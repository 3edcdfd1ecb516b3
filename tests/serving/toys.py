"""Taggers without weights, which a worker in another process can make too."""

from __future__ import annotations

import re
import time

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.serving.source import Source
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


#: A word that the tagger fails on.
POISON = "POISON"
#: A word at which the worker's process ends at once.
CRASH = "CRASH"


@dataclass
class ToyTagger:
    """Every word in capitals is a gene; a call waits ``call_s``, and ``sentence_s`` for each sentence."""

    call_s: float = 0.0
    sentence_s: float = 0.0
    name: str = "toy"
    runtime: str = "toy"

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        texts = [[sentence.text for sentence in document.sentences] for document in documents]
        everything = " ".join(text for document in texts for text in document)
        if POISON in everything:
            raise RuntimeError("poisoned")
        if CRASH in everything:
            import os

            os._exit(3)
        wait_s = self.call_s + self.sentence_s * sum(len(document) for document in texts)
        if wait_s:
            time.sleep(wait_s)
        for document in texts:
            yield tuple(
                tuple(Span(*found.span(), Label.GENE) for found in re.finditer(r"\b[A-Z][A-Z0-9]+\b", text))
                for text in document
            )


def make(call_s: float = 0.0, sentence_s: float = 0.0) -> Tagger:
    """Return a toy: see ``ToyTagger``."""
    return ToyTagger(call_s, sentence_s)  # type: ignore[return-value] # it has no weights, and nothing asks for them


def toy(call_s: float = 0.0, sentence_s: float = 0.0) -> Source:
    """Return where a worker gets one from; the tests' folders must be on its path."""
    return Source("serving.toys:make", {"call_s": call_s, "sentence_s": sentence_s})
