"""What batches in this process gain: ``pytest benchmarks -m batching -rP``.

So many clients ask for one text at a time, each again as soon as it has its answer (a closed loop). Two ways of
batching are tried in turn, A B B A, on the same texts; what is compared are medians over rounds.
"""

from __future__ import annotations

import asyncio
import random

from dataclasses import dataclass
from dataclasses import field
from statistics import mean
from statistics import median
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.corpora.load import load_corpus
from leanner.measure.statistics import latency
from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.served import serve


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


pytestmark = pytest.mark.batching

CLIENTS: Final = 32
ROUNDS: Final = 3
PLAIN: Final = DynamicBatching(16, 5.0)
BY_LENGTH: Final = DynamicBatching(16, 5.0, by_length=True)

#: One text in four is long.
MIXED: Final = (512, 8, 8, 8)
MIXED_TEXTS: Final = 64
SENTENCES: Final = 160

#: What grouping by length must gain where batches are padded.
LEAST_GAIN: Final = 1.25
#: What may be left where they are not.
LEAST_WITHOUT_PADDING: Final = 0.8


@dataclass
class Observed:
    """Rounds of one way of batching: texts a second, milliseconds of the slowest in a hundred, texts in a batch."""

    per_s: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    texts_a_batch: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{median(self.per_s):.2f} texts/s, p99 {median(self.p99_ms):.0f} ms, "
            f"{median(self.texts_a_batch):.1f} texts a batch"
        )


class Counted:
    """A tagger that notes how many documents it is given at once."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        self.sizes: list[int] = []

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield what the tagger does."""
        given = list(documents)
        self.sizes.append(len(given))
        return self._tagger.tag(given)


async def closed_loop(tagger: Any, batching: DynamicBatching, texts: Sequence[str]) -> tuple[float, list[float]]:  # noqa: ANN401 - it is counted
    """Return the seconds that all texts took, and the milliseconds that each of them did."""
    loop = asyncio.get_running_loop()
    remaining = iter(texts)
    took_ms: list[float] = []
    async with serve(tagger, batching) as served:

        async def client() -> None:
            for text in remaining:
                asked_s = loop.time()
                await served.tag_sentences([text])
                took_ms.append(1e3 * (loop.time() - asked_s))

        began_s = loop.time()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return loop.time() - began_s, took_ms


def observe(tagger: Tagger, ways: Sequence[DynamicBatching], texts: Sequence[str]) -> list[Observed]:
    """Return what was seen of each way, after a round that warms up on few texts."""
    found = [Observed() for _ in ways]
    asyncio.run(closed_loop(tagger, ways[0], texts[:8]))
    for number in range(ROUNDS):
        for place in range(len(ways))[:: -1 if number % 2 else 1]:
            counted = Counted(tagger)
            seconds, took_ms = asyncio.run(closed_loop(counted, ways[place], texts))
            found[place].per_s.append(len(texts) / seconds)
            found[place].p99_ms.append(latency(took_ms).p99)
            found[place].texts_a_batch.append(mean(counted.sizes))
    return found


def mixed() -> list[str]:
    """Return texts of 512 and of 8 words of the bundled corpus, in an order drawn once."""
    rng = random.Random(5)  # noqa: S311 - nothing is kept secret
    words = [word for text in sentences() for word in text.split()]
    lengths = [MIXED[place % len(MIXED)] for place in range(MIXED_TEXTS)]
    rng.shuffle(lengths)
    return [" ".join(rng.choices(words, k=length)) for length in lengths]


def sentences() -> list[str]:
    """Return the sentences of the bundled corpus."""
    return [sentence.text for document in load_corpus(["bundled"]) for sentence in document.sentences]


@pytest.fixture(params=["flair", "lean"])
def runtime(request: pytest.FixtureRequest, tagger: Tagger) -> Tagger:
    """The tagger as it is, and in the lean runtime."""
    from leanner.taggers.flair import FlairTagger  # noqa: PLC0415 - cases are collected without Flair
    from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415 - cases are collected without Flair

    if request.param == "flair":
        return tagger
    assert isinstance(tagger, FlairTagger)
    return LeanTagger(tagger)


def test_by_length(runtime: Tagger, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """Texts of 512 and of 8 words: with padding grouping gains, without it loses calls, and little more."""
    plain, grouped = benchmark.pedantic(observe, (runtime, (PLAIN, BY_LENGTH), mixed()), rounds=1)
    gain = median(grouped.per_s) / median(plain.per_s)
    slower = median(grouped.p99_ms) / median(plain.p99_ms)
    benchmark.extra_info |= {"gain": gain, "p99_ratio": slower, "plain": vars(plain), "by_length": vars(grouped)}
    print(f"{runtime.runtime}, mixed\n  plain: {plain}\n  by length: {grouped}\n  {gain:.2f} x, p99 {slower:.2f} x")  # noqa: T201 - shown with -rP
    if runtime.runtime == "flair":
        assert gain >= LEAST_GAIN
        assert slower <= 1.0
    else:
        assert gain >= LEAST_WITHOUT_PADDING


def test_against_one_by_one(runtime: Tagger, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """Sentences of the bundled corpus, 16 at a time against each by itself."""
    texts = sentences()[:SENTENCES]
    single, batched = benchmark.pedantic(observe, (runtime, (ONE_BY_ONE, PLAIN), texts), rounds=1)
    gain = median(batched.per_s) / median(single.per_s)
    benchmark.extra_info |= {"gain": gain, "one_by_one": vars(single), "batched": vars(batched)}
    print(f"{runtime.runtime}, sentences\n  one by one: {single}\n  16 / 5 ms: {batched}\n  {gain:.2f} x")  # noqa: T201 - shown with -rP
    assert gain > 1.0
