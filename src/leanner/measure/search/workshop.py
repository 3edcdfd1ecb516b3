"""Where taggers are prepared: each set of passes once, and once what several sets begin with."""

from __future__ import annotations

import copy
import time

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Final

from transformers import PreTrainedModel

from leanner.passes.protocol import NotRunnable
from leanner.passes.pruning.calibrated import CalibratedPruning
from leanner.passes.pruning.structured import StructuredPruning
from leanner.passes.static import Int8Static
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.measure.search.space import Candidate
    from leanner.measure.search.trial import Clock
    from leanner.passes.protocol import Pass
    from leanner.taggers.protocol import Tagger


#: Weights of prepared taggers that are held, in MB = 10^6 bytes; the one that is used is held whatever it weighs.
HELD_MB: Final = 2000.0
#: These change modules of the encoder, and nothing else of a tagger.
_OF_THE_ENCODER: Final = (CalibratedPruning, StructuredPruning)


class Workshop:
    """Applies passes, and remembers what it made and what this machine refuses.

    Candidates that differ in the runtime alone share a tagger, as the runtime does not change the model, but for static
    int8: its weights are kept as the lean runtime's kernels read them, from which Flair's layers are slow. Those that
    prune alike share the pruned encoder, of which each gets a copy.

    Args:
        load: Loads the tagger anew.
        bare: A tagger without any pass, which stays as it is.
        held_mb: Weights of the taggers that are held; those that were not used for longest go first.
        clock: Times the passes.
    """

    def __init__(
        self,
        load: Callable[[], Tagger],
        bare: Tagger,
        *,
        held_mb: float = HELD_MB,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._load: Final = load
        self._bare: Final = bare
        self._most_mb: Final = held_mb
        self._clock: Final = clock
        # With the MB of each; who was used last comes last.
        self._held: dict[tuple[tuple[Pass, ...], bool], tuple[Tagger, float]] = {}
        self._refused: dict[Pass, str] = {}
        self._runs: set[Pass] = set()

    def prepare(self, candidate: Candidate) -> tuple[Tagger, float]:
        """Return the tagger of a candidate and the seconds that it took to make it.

        What is not of the encoder and follows other passes is tried alone first, once: nothing long is done for what
        this machine refuses.

        Raises:
            NotRunnable: This machine, or the tagger, cannot run one of the passes.
        """
        began = self._clock()
        for each in candidate.passes:
            if each in self._refused:
                raise NotRunnable(self._refused[each])
        runtime = candidate.runtime
        if runtime is not None and runtime not in self._runs:
            self._alone(runtime, self._bare)
        for each in candidate.stem[1:]:
            if each not in self._runs and not isinstance(each, _OF_THE_ENCODER):
                self._made((each,))
        static = any(isinstance(each, Int8Static) for each in candidate.stem)
        tagger = self._made(candidate.stem, laid_out=static and runtime is not None)
        return tagger if runtime is None else runtime(tagger), self._clock() - began

    def _made(self, passes: tuple[Pass, ...], *, laid_out: bool = False) -> Tagger:
        if not passes:
            return self._bare
        key = passes, laid_out
        held = self._held.pop(key, None)
        if held is None:
            *before, last = passes
            tagger = self._before(tuple(before))
            tagger = last(tagger) if before else self._alone(last, tagger)
            held = tagger, weigh(tagger.model).weights_mb
        self._held[key] = held
        while len(self._held) > 1 and sum(mb for _, mb in self._held.values()) > self._most_mb:
            del self._held[next(iter(self._held))]
        return held[0]

    def _before(self, passes: tuple[Pass, ...]) -> Tagger:
        """Return a tagger with these passes that may be changed."""
        tagger = self._load()
        if passes and all(isinstance(each, _OF_THE_ENCODER) for each in passes):
            _transplant(self._made(passes), tagger)
            return tagger
        for each in passes:
            tagger = each(tagger)
        return tagger

    def _alone(self, each: Pass, tagger: Tagger) -> Tagger:
        try:
            made = each(tagger)
        except NotRunnable as reason:
            self._refused[each] = str(reason)
            raise
        self._runs.add(each)
        return made


def _transplant(giver: Tagger, taker: Tagger) -> None:
    """Give a tagger a copy of another one's encoder, and what must be known of it."""
    # Flair's embeddings cannot be copied: they would load the encoder's files again.
    name = next(
        name
        for name, module in giver.model.named_modules()
        if isinstance(module, PreTrainedModel) and module.base_model is module
    )
    taker.model.set_submodule(name, copy.deepcopy(giver.model.get_submodule(name)))
    taker.quality.extend(note for note in giver.quality if note not in taker.quality)
