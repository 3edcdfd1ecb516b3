"""Who takes part, each in the batch size that suits it best."""

from __future__ import annotations

import copy

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

from leanner.configurations import named
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.peers.names import FLAIR
from leanner.taggers.engines.tagger import EngineTagger
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.tagger import LeanTagger


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: Sentences of a mini-batch of Flair's that are tried first. Where the smallest or the largest is the fastest, smaller
#: or larger ones are tried until one is slower.
_MINI_BATCHES: Final = (8, 16, 32, 64)
#: Sub-tokens of an engine's batch that are tried first; the lean runtime has the middle one.
_BATCH_TOKENS: Final = (512, 1024, 2048, 4096)
#: Sub-tokens beyond which no batch of an engine's is tried.
_MOST_TOKENS: Final = 16_384
#: How often each size is tried; the least time counts.
_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Contender:
    """A tagger that is ready for its rounds.

    Attributes:
        name: ``flair``, or that of a configuration.
        tagger: In its best batch size.
        prepare_s: Seconds that the passes took.
        setting: What the batch size is of, and the size.
        tried: Seconds for the timed text with each size, if more than one was tried.
        predictions: On the whole text.
    """

    name: str
    tagger: Tagger
    prepare_s: float
    setting: Mapping[str, int]
    tried: Mapping[int, float]
    predictions: Sequence[Prediction]


def prepared(
    name: str,
    load: Callable[[], Tagger],
    documents: Sequence[Document],
    timed_documents: Sequence[Document],
    say: Callable[[str], None] = lambda _: None,
) -> Contender:
    """Return a contender, warm, with what it says of the whole text.

    Args:
        name: ``flair``, or that of a configuration.
        load: Loads the tagger anew.
        documents: The whole text.
        timed_documents: What rounds tag.
        say: Told of the progress.

    Raises:
        NotRunnable: A pass cannot run here, or a package is missing.
    """
    say(f"preparing {name}")
    tagger, prepare_s = timed(partial(_applied, name, load()))
    tagger, setting, tried = _at_its_best(tagger, timed_documents, lambda size: say(f"preparing {name}: {size}"))
    predictions = tag_all(tagger, documents)
    tag_all(tagger, timed_documents)
    return Contender(name, tagger, prepare_s, setting, tried, predictions)


def _applied(name: str, tagger: Tagger) -> Tagger:
    if name == FLAIR:
        return tagger
    for step in named(name).passes:
        tagger = step(tagger)
    return tagger


def _at_its_best(
    tagger: Tagger, documents: Sequence[Document], say: Callable[[str], None]
) -> tuple[Tagger, dict[str, int], dict[int, float]]:
    sized: Callable[[int], Tagger]
    if isinstance(tagger, FlairTagger):
        what, sizes, sized = "mini_batch_size", _MINI_BATCHES, partial(_in_mini_batches, tagger)
        # No larger one is ever full.
        most = min(tagger.chunk_sentences, sum(len(document.sentences) for document in documents))
    elif isinstance(tagger, EngineTagger):
        what, sizes, sized, most = "batch_tokens", _BATCH_TOKENS, tagger.in_batches_of, _MOST_TOKENS
    else:
        assert isinstance(tagger, LeanTagger)
        # Leanner's own are as their configurations say.
        return tagger, {"batch_tokens": tagger.batch_tokens}, {}

    def seconds(size: int) -> float:
        say(f"{what} {size}")
        return _least_s(sized(size), documents)

    tried = {size: seconds(size) for size in sizes}
    while (further := _beyond(tried, most)) is not None:
        tried[further] = seconds(further)
    best = min(tried, key=lambda size: tried[size])
    return sized(best), {what: best}, dict(sorted(tried.items()))


def _beyond(tried: Mapping[int, float], most: int) -> int | None:
    """Return the size behind the end of those that were tried, up to ``most``, if the fastest of them lies there."""
    best = min(tried, key=lambda size: tried[size])
    if best == min(tried):
        return best // 2 or None
    return 2 * best if best == max(tried) and 2 * best <= most else None


def _in_mini_batches(tagger: FlairTagger, size: int) -> FlairTagger:
    other = copy.copy(tagger)
    other.mini_batch_size = size
    return other


def _least_s(tagger: Tagger, documents: Sequence[Document]) -> float:
    # The first time an engine sees a shape it prepares kernels for it.
    tag_all(tagger, documents)
    return min(timed(partial(tag_all, tagger, documents))[1] for _ in range(_TRIES))
