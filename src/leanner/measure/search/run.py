"""A search: rungs of candidates on more and more text, and the winner's confirmation on text that it has not seen."""

from __future__ import annotations

import dataclasses
import time

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.measure.search.halving import contenders
from leanner.measure.search.halving import halve
from leanner.measure.search.log import Pilot
from leanner.measure.search.log import Refusal
from leanner.measure.search.outcome import CALIBRATION
from leanner.measure.search.outcome import HELD_OUT
from leanner.measure.search.outcome import Confirmation
from leanner.measure.search.outcome import Outcome
from leanner.measure.search.outcome import Rung
from leanner.measure.search.parts import LEAST_TIMED_SENTENCES
from leanner.measure.search.parts import Text
from leanner.measure.search.parts import drawn
from leanner.measure.search.parts import plan
from leanner.measure.search.parts import sentences_of
from leanner.measure.search.parts import split
from leanner.measure.search.trial import Rival
from leanner.measure.search.trial import Trial
from leanner.measure.search.trial import try_candidate
from leanner.measure.search.workshop import Workshop
from leanner.measure.timed import timed_part
from leanner.passes.protocol import NotRunnable
from leanner.scoring.verdict import decide
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.measure.search.log import Log
    from leanner.measure.search.outcome import Asked
    from leanner.measure.search.space import Candidate
    from leanner.measure.search.trial import Clock
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: Rounds A B B A of a confirmation: its time is one to tell others.
_QUARTETS: Final = 3


def search(
    asked: Asked,
    candidates: Sequence[Candidate],
    documents: Sequence[Document],
    load: Callable[[], Tagger],
    log: Log,
    *,
    say: Callable[[str], None] = lambda _: None,
    clock: Clock = time.perf_counter,
) -> Outcome:
    """Search the fastest candidate whose loss of F1 keeps within the drop.

    Args:
        asked: What is searched for.
        candidates: In the order in which they are tried.
        documents: The corpora; one half of the articles is for the choice, the other for its confirmation.
        load: Loads the tagger anew.
        log: Is told what is seen and decided, or tells what was.
        say: Told of the progress.
        clock: Times rounds and passes.

    Raises:
        ValueError: There is too little text.
        SearchLogError: The log is not of this search.
    """
    calibration, held_out = split(documents, asked.seed)
    rival = Rival(load())
    bench = _Bench(rival, Workshop(load, rival.tagger, clock=clock), log, asked.seed, say, clock)
    pilot = log.see("pilot", partial(_pilot, rival.tagger, calibration, asked.seed, clock))
    planned = plan(calibration, asked.seed, budget_s=asked.budget_s, sentence_s=pilot.sentence_s)
    log.decide("plan", dataclasses.asdict(planned))
    known = {candidate.name: candidate for candidate in candidates}
    rungs: list[Rung] = []
    waiting: Sequence[Candidate] = candidates
    for sentences, end_s in zip(planned.rungs, planned.ends_s, strict=True):
        text = drawn(CALIBRATION, calibration, sentences, planned.timed_sentences, asked.seed)
        say(f"rung {len(rungs) + 1}: {len(waiting)} candidates on {text.sentences} sentences")
        trials, unreached = bench.rung(waiting, text, end_s)
        halving = None
        if len(rungs) + 1 < len(planned.rungs):
            halving = halve(trials, asked.drop)
            log.decide("halving", dataclasses.asdict(halving))
            waiting = [known[name] for name in halving.kept]
        rungs.append(Rung(text, trials, unreached, halving))
    unseen = Text(HELD_OUT, held_out, timed_part(held_out, planned.timed_sentences, asked.seed).documents)
    confirmations, unconfirmed = bench.confirm(known, rungs, unseen, asked)
    last = confirmations[-1] if confirmations else None
    winner = last.trial.candidate if last is not None and last.decision.verdict == "pass" else None
    log.decide("winner", {"name": winner})
    return Outcome(
        pilot=pilot,
        plan=planned,
        rungs=tuple(rungs),
        refused=bench.refused,
        held_out=unseen,
        confirmations=confirmations,
        unconfirmed=unconfirmed,
        winner=winner,
        spent_s=log.elapsed_s,
    )


@dataclass(slots=True)
class _Bench:
    """Tries candidates, and remembers which cannot run here."""

    rival: Rival
    workshop: Workshop
    log: Log
    seed: int
    say: Callable[[str], None]
    clock: Clock
    refused: dict[str, str] = field(default_factory=dict)

    def rung(
        self, candidates: Iterable[Candidate], text: Text, end_s: float
    ) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
        """Try candidates on a text until the rung ends, at least one; returns what was seen, and who was unreached."""
        trials: list[Trial] = []
        unreached: list[str] = []
        for candidate in candidates:
            if trials and self.log.elapsed_s >= end_s:
                unreached.append(candidate.name)
            elif (trial := self._see(candidate, text)) is not None:
                trials.append(trial)
        return tuple(trials), tuple(unreached)

    def confirm(
        self, known: dict[str, Candidate], rungs: Sequence[Rung], text: Text, asked: Asked
    ) -> tuple[tuple[Confirmation, ...], tuple[str, ...]]:
        """Try contenders on what is held out until one passes or the budget ends, at least one of them."""
        order = contenders([rung.trials for rung in rungs], asked.drop)
        self.log.decide("contenders", {"names": [trial.candidate for trial, _ in order]})
        found: list[Confirmation] = []
        for number, (contender, sure) in enumerate(order):
            if found and self.log.elapsed_s >= asked.budget_s:
                return tuple(found), tuple(trial.candidate for trial, _ in order[number:])
            trial = self._see(known[contender.candidate], text, quartets=_QUARTETS)
            assert trial is not None, "who is a contender has run"
            decision = decide(trial.loss, asked.drop)
            found.append(Confirmation(trial, sure, decision))
            self.say(f"{trial.candidate} on what was held out: {decision.verdict}")
            if decision.verdict == "pass":
                break
        return tuple(found), ()

    def _see(self, candidate: Candidate, text: Text, quartets: int = 1) -> Trial | None:
        seen: Refusal | Trial = self.log.see(candidate.name, partial(self._look, candidate, text, quartets))
        if isinstance(seen, Refusal):
            self.refused[candidate.name] = seen.reason
            self.say(f"{candidate.name}: cannot run here: {seen.reason}")
            return None
        loss = "unknown" if seen.loss.points is None else f"{seen.loss.points:.2f}"
        self.say(f"{self.log.elapsed_s:.0f} s: {candidate.name}: {seen.speedup:.2f} times as fast, F1 loss {loss}")
        return seen

    def _look(self, candidate: Candidate, text: Text, quartets: int) -> Refusal | Trial:
        try:
            tagger, seconds = self.workshop.prepare(candidate)
        except NotRunnable as reason:
            return Refusal(candidate.name, str(reason))
        return try_candidate(
            candidate.name,
            tagger,
            self.rival,
            text,
            quartets=quartets,
            seed=self.seed,
            prepare_s=seconds,
            clock=self.clock,
        )


def _pilot(tagger: Tagger, documents: Sequence[Document], seed: int, clock: Clock) -> Pilot:
    """Tag a little twice: the first time may be slow for reasons of its own."""
    part = timed_part(documents, LEAST_TIMED_SENTENCES, seed).documents
    tag_all(tagger, part)
    seconds = timed(partial(tag_all, tagger, part), clock)[1]
    return Pilot(sentences_of(part), max(seconds, 1e-9) / sentences_of(part), weigh(tagger.model).weights_mb)
