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
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from leanner.taggers.flair import FlairTagger


pytestmark = pytest.mark.growth

#: Of each size of chunks. A text of a single chunk is read without a thread beside it: the smallest has several, as the
#: larger ones do.
LEAN_SENTENCES: Final = {250: (1_000, 10_000, 100_000), 1_024: (10_000, 100_000)}
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


def in_turn(sizes: Sequence[int], measure: Callable[[int], float], times: int) -> dict[int, float]:
    """Return what is measured for each size.

    The smallest is measured so often before, between and behind the others, and the median counts: it takes a moment,
    and a shared machine is fast and slow by turns.
    """
    smallest, *others = sizes
    of_smallest = [measure(smallest) for _ in range(times)]
    result: dict[int, float] = {}
    for size in others:
        result[size] = measure(size)
        of_smallest += [measure(smallest) for _ in range(times)]
    return {smallest: median(of_smallest), **result}


@pytest.mark.parametrize("chunk", LEAN_SENTENCES)
def test_the_lean_runtime(tiny: FlairTagger, benchmark: Any, chunk: int) -> None:  # noqa: ANN401 - untyped
    """The time of a sentence and the memory are the same from 10³ to 10⁵ sentences."""
    from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415 - cases are collected without Flair

    lean, sizes = LeanTagger(tiny, chunk_sentences=chunk), LEAN_SENTENCES[chunk]
    process = psutil.Process(os.getpid())
    microseconds: dict[int, float] = {}
    held_mb: dict[int, float] = {}
    begin = 0

    def measure(sentences: int) -> float:
        # Each time another text: the tokenizer remembers words.
        nonlocal begin
        seconds = timed(lambda: sum(1 for _ in lean.tag(documents(sentences, begin))))[1]
        begin += sentences
        held_mb.setdefault(sentences, process.memory_info().rss / 1e6)
        return 1e6 * seconds / sentences

    def run() -> None:
        measure(sizes[0])
        held_mb.clear()
        microseconds.update(in_turn(sizes, measure, times=5_000 // sizes[0] or 1))

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= {"microseconds_a_sentence": {str(k): v for k, v in microseconds.items()}}
    for sentences in sizes:
        print(  # noqa: T201 - shown with -rP
            f"lean, {sentences} sentences in chunks of {chunk}: {microseconds[sentences]:.0f} µs each, "
            f"{held_mb[sentences]:.0f} MB held"
        )
    assert microseconds[sizes[-1]] < MOST_GROWTH * microseconds[sizes[0]]
    assert held_mb[sizes[-1]] - held_mb[sizes[0]] < MOST_MB


def test_flairs_predict(tiny: FlairTagger, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """What is given at once, and what the reference tagger of leanner makes of it in chunks."""
    from flair.data import Sentence as FlairSentence  # noqa: PLC0415 - cases are collected without Flair

    model: Any = tiny.model
    found: dict[str, dict[int, float]] = {}

    def at_once(sentences: int) -> float:
        texts = [sentence.text for document in documents(sentences) for sentence in document.sentences]
        seconds = timed(lambda: model.predict([FlairSentence(text) for text in texts], mini_batch_size=32))[1]
        return 1e6 * seconds / sentences

    def in_chunks(sentences: int) -> float:
        return 1e6 * timed(lambda: list(tiny.tag(documents(sentences))))[1] / sentences

    def run() -> None:
        for name, measure in (("at once", at_once), ("in chunks", in_chunks)):
            found[name] = in_turn(FLAIR_SENTENCES, measure, times=2)

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= {
        "microseconds_a_sentence": {name: {str(k): v for k, v in each.items()} for name, each in found.items()}
    }
    for name, each in found.items():
        for sentences, microseconds in each.items():
            print(f"Flair, {sentences} sentences {name}: {microseconds:.0f} µs each")  # noqa: T201 - shown with -rP
    first, last = FLAIR_SENTENCES[0], FLAIR_SENTENCES[-1]
    assert found["in chunks"][last] < MOST_GROWTH * found["in chunks"][first]
    # Else chunks would not be needed, and Flair would be measured at less than its best for nothing.
    assert found["at once"][last] > MOST_GROWTH * found["in chunks"][last]
