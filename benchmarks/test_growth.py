"""How time grows with the text: ``pytest benchmarks -m growth -rP``.

Flair's ``predict`` clears the embeddings of all sentences that it was given after every mini-batch
(``SequenceTagger.predict``, ``store_embeddings``), so that its time grows with the square of what it is given
at once. The lean runtime takes any number of documents. Both run a tagger with a tiny
encoder here, so that the encoder's own time hides neither.
"""

from __future__ import annotations

import os

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import psutil
import pytest

from leanner.measure.rounds import timed
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator

    from leanner.taggers.flair import FlairTagger


pytestmark = pytest.mark.growth

LEAN_SENTENCES: Final = (1_000, 10_000, 100_000)
FLAIR_SENTENCES: Final = (1_000, 4_000, 16_000)

#: Time of a sentence among the most over that among the fewest, and what memory may grow by.
MOST_GROWTH: Final = 1.25
MOST_MB: Final = 100.0


def documents(sentences: int, begin: int = 0) -> Iterator[Document]:
    """Yield documents of ten sentences, none of which repeats another, or one with other numbers from ``begin`` on."""
    for first in range(begin, begin + sentences, 10):
        texts = (
            Sentence(f"In sample {number} loss of BRCA{number % 7} was common, and mice of line {number} had tumours.")
            for number in range(first, first + 10)
        )
        yield Document(str(first), "made up", str(first), frozenset(Label), tuple(texts))


@pytest.fixture
def tiny(shaped_file: Path) -> FlairTagger:
    """A tagger with a tiny encoder, without context: neighbours would make each sentence a long one."""
    from leanner.taggers.load import load_tagger  # noqa: PLC0415 - cases are collected without Flair

    tagger = load_tagger(str(shaped_file))
    model: Any = tagger.model
    model.embeddings.context_length = 0
    return tagger


def test_the_lean_runtime(tiny: FlairTagger, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """The time of a sentence and the memory are the same from 10³ to 10⁵ sentences."""
    from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415 - cases are collected without Flair

    lean = LeanTagger(tiny)
    process = psutil.Process(os.getpid())
    microseconds: dict[int, float] = {}
    held_mb: dict[int, float] = {}

    def tag(sentences: int, begin: int) -> int:
        return sum(1 for _ in lean.tag(documents(sentences, begin)))

    def run() -> None:
        tag(LEAN_SENTENCES[0], 0)
        begin = LEAN_SENTENCES[0]
        for sentences in LEAN_SENTENCES:
            # The median of a few, where a run is short enough to be hit by noise as a whole; each of another text,
            # since the tokenizer remembers words.
            seconds = []
            for _ in range(5 if sentences < 10_000 else 1):
                seconds.append(timed(lambda: tag(sentences, begin))[1])  # noqa: B023 - called at once
                begin += sentences
            microseconds[sentences] = 1e6 * median(seconds) / sentences
            held_mb[sentences] = process.memory_info().rss / 1e6

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= {"microseconds_a_sentence": {str(k): v for k, v in microseconds.items()}}
    for sentences in LEAN_SENTENCES:
        print(f"lean, {sentences} sentences: {microseconds[sentences]:.0f} µs each, {held_mb[sentences]:.0f} MB held")  # noqa: T201
    assert microseconds[LEAN_SENTENCES[-1]] < MOST_GROWTH * microseconds[LEAN_SENTENCES[0]]
    assert held_mb[LEAN_SENTENCES[-1]] - held_mb[LEAN_SENTENCES[0]] < MOST_MB


def test_flairs_predict(tiny: FlairTagger, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """What is given at once, and what the reference tagger of leanner makes of it in chunks."""
    from flair.data import Sentence as FlairSentence  # noqa: PLC0415 - cases are collected without Flair

    model: Any = tiny.model
    at_once: dict[int, float] = {}
    in_chunks: dict[int, float] = {}

    def predict(texts: list[str]) -> None:
        model.predict([FlairSentence(text) for text in texts], mini_batch_size=32)

    def run() -> None:
        for sentences in FLAIR_SENTENCES:
            texts = [sentence.text for document in documents(sentences) for sentence in document.sentences]
            at_once[sentences] = 1e6 * timed(lambda: predict(texts))[1] / sentences  # noqa: B023 - called at once
            in_chunks[sentences] = 1e6 * timed(lambda: list(tiny.tag(documents(sentences))))[1] / sentences  # noqa: B023

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= {"microseconds_a_sentence": {str(k): v for k, v in at_once.items()}}
    for sentences in FLAIR_SENTENCES:
        print(  # noqa: T201 - shown with -rP
            f"Flair, {sentences} sentences: {at_once[sentences]:.0f} µs each at once, "
            f"{in_chunks[sentences]:.0f} µs in chunks"
        )
    first, last = FLAIR_SENTENCES[0], FLAIR_SENTENCES[-1]
    assert in_chunks[last] < MOST_GROWTH * in_chunks[first]
    # Else chunks would not be needed, and Flair would be measured at less than its best for nothing.
    assert at_once[last] > MOST_GROWTH * at_once[first]
