"""What a search found, as tables for a terminal and as JSON."""

from __future__ import annotations

import dataclasses
import shlex

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text as Line

from leanner.combinations import combined
from leanner.configurations import BASELINE
from leanner.measure.search.halving import contenders
from leanner.measure.search.log import FORMAT
from leanner.report.numbers import with_interval


if TYPE_CHECKING:
    from leanner.measure.search.outcome import Asked
    from leanner.measure.search.outcome import Confirmation
    from leanner.measure.search.outcome import Outcome
    from leanner.measure.search.trial import Trial


def render(outcome: Outcome, asked: Asked) -> RenderableType:
    """Return the front, the confirmations, and what became of everybody else."""
    front, dominated = outcome.front(asked.drop)
    parts: list[RenderableType] = [
        _front_table(front),
        Line(
            "calibration part: the choice was made on it, so that its numbers flatter the chosen; "
            f"{BASELINE} is the reference: {1 / outcome.pilot.sentence_s:.1f} sentences/s, "
            f"{outcome.pilot.weights_mb:.1f} MB"
        ),
    ]
    if outcome.confirmations:
        parts += [
            _confirmation_table(outcome.confirmations),
            Line(
                f"held-out part: {outcome.held_out.sentences:,} sentences of {outcome.held_out.articles:,} articles "
                "that the choice has not seen"
            ),
        ]
    parts += [Line(text, style="dim") for text in _others(outcome, dominated, asked.drop)]
    return Group(*parts)


def answer(outcome: Outcome, asked: Asked) -> str:
    """Return what the search found, in a sentence."""
    tried = len(outcome.confirmations)
    if outcome.winner is None:
        why = "no candidate keeps within it on the calibration part"
        if tried:
            why = f"none of {tried} contenders passed on the held-out part"
        if outcome.unconfirmed:
            why += f", and the budget ended before {len(outcome.unconfirmed)} others were tried there"
        return f"no confirmed winner for a loss of F1 of at most {asked.drop:g} points: {why}"
    trial = outcome.confirmations[-1].trial
    luck = "" if tried == 1 else f"; {tried} were tried there: with each one more, luck passes more easily"
    return (
        f"{trial.candidate}: {trial.speedup:.2f}× faster than {BASELINE} [{trial.speedup_low:.2f}, "
        f"{trial.speedup_high:.2f}], {_loss(trial)} points of F1 lost, on text that the choice has not seen{luck}"
    )


def export_command(winner: str, tagger: str, labels: str | None = None) -> str | None:
    """Return the command that writes the winner as files; ``None`` if another engine runs it.

    Args:
        winner: Name of the combination.
        tagger: As the user named it.
        labels: Its label map, as the user named it.
    """
    if any(getattr(step, "runtime", "lean") != "lean" for step in combined(winner).passes):
        return None
    given = shlex.quote(tagger) if labels is None else f"{shlex.quote(tagger)} --tagger-labels {shlex.quote(labels)}"
    return f"leanner export --tagger {given} --configuration {shlex.quote(winner)} tagger/"


def to_json(outcome: Outcome, asked: Asked, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of it, ready for JSON.

    Args:
        outcome: What came of the search.
        asked: What was searched for.
        about: Tagger, corpora and machine.
    """
    front, dominated = outcome.front(asked.drop)
    return {
        "search": FORMAT,
        **about,
        **dataclasses.asdict(asked),
        "baseline": dataclasses.asdict(outcome.pilot),
        "plan": dataclasses.asdict(outcome.plan),
        "rungs": [
            {
                "part": rung.text.part,
                "sentences": rung.text.sentences,
                "articles": rung.text.articles,
                "trials": [dataclasses.asdict(trial) for trial in rung.trials],
                "unreached": list(rung.unreached),
                "out": None if rung.halving is None else dict(rung.halving.out),
            }
            for rung in outcome.rungs
        ],
        "refused": outcome.refused,
        "front": [trial.candidate for trial in front],
        "dominated": dominated,
        "held_out": {"sentences": outcome.held_out.sentences, "articles": outcome.held_out.articles},
        "confirmations": [
            {
                "trial": dataclasses.asdict(each.trial),
                "chosen_by": _chosen_by(each),
                "verdict": each.decision.verdict,
                "reasons": list(each.decision.reasons),
            }
            for each in outcome.confirmations
        ],
        "unconfirmed": list(outcome.unconfirmed),
        "winner": None if outcome.winner is None else _winner(outcome.winner),
        "spent_s": outcome.spent_s,
    }


def _winner(name: str) -> dict[str, Any]:
    return {"configuration": name, "passes": [step.describe() for step in combined(name).passes]}


def _front_table(front: Sequence[Trial]) -> Table:
    table = _table("the Pareto front: loss of F1, time, weights", ("candidate", *_NUMBERS))
    for trial in front:
        table.add_row(*_cells(trial))
    return table


def _confirmation_table(confirmations: Sequence[Confirmation]) -> Table:
    table = _table("the confirmation", ("candidate", *_NUMBERS, "chosen by its", "verdict"))
    for each in confirmations:
        table.add_row(*_cells(each.trial), Line(_chosen_by(each)), Line(each.decision.verdict))
    return table


_NUMBERS = ("F1", "loss pt [95 %]", "faster", "[95 %]", "weights MB", "sentences")
_TEXTS = ("candidate", "chosen by its", "verdict")


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(Line(heading), justify="left" if heading in _TEXTS else "right", overflow="fold")
    return table


def _cells(trial: Trial) -> list[Line]:
    texts = (
        trial.candidate,
        "-" if trial.f1 is None else f"{trial.f1:.4f}",
        _loss(trial),
        f"{trial.speedup:.2f}",
        f"[{trial.speedup_low:.2f}, {trial.speedup_high:.2f}]",
        f"{trial.weights_mb:.1f}",
        f"{trial.sentences:,}",
    )
    # plain text: brackets would be read as markup
    return [Line(text) for text in texts]


def _loss(trial: Trial) -> str:
    loss = trial.loss
    if loss.points is None:
        return "-"
    return with_interval(loss.points, (loss.low, loss.high), ".2f")


def _chosen_by(confirmation: Confirmation) -> str:
    return "interval" if confirmation.sure else "point estimate"


def _faster_but_not_sure(outcome: Outcome, drop: float) -> Trial | None:
    """Return the fastest contender that the winner was preferred to, since more is known of its loss."""
    if outcome.winner is None:
        return None
    tried = {each.trial.candidate for each in outcome.confirmations}
    order = contenders([rung.trials for rung in outcome.rungs], drop)
    least = outcome.latest[outcome.winner].speedup
    unsure = [trial for trial, sure in order if not sure and trial.candidate not in tried and trial.speedup > least]
    return max(unsure, key=lambda trial: trial.speedup, default=None)


def _others(outcome: Outcome, dominated: Mapping[str, str], drop: float) -> Iterator[str]:
    """Yield who is not on the front, and why."""
    by_better: dict[str, list[str]] = {}
    for name, better in dominated.items():
        by_better.setdefault(better, []).append(name)
    for better, names in by_better.items():
        yield f"dominated by {better}: {', '.join(names)}"
    for number, rung in enumerate(outcome.rungs, start=1):
        where = f"rung {number} ({rung.text.sentences:,} sentences of {rung.text.articles:,} articles)"
        out = [] if rung.halving is None else [name for name in rung.halving.out if name not in dominated]
        yield f"{where}: {len(rung.trials)} tried" + (f"; out and not dominated: {', '.join(out)}" if out else "")
        if rung.unreached:
            yield f"{where}: the budget ended before {len(rung.unreached)} candidates were tried"
    for reason, number in Counter(outcome.refused.values()).items():
        yield f"cannot run here ({number}): {reason}"
    if (faster := _faster_but_not_sure(outcome, drop)) is not None:
        yield (
            f"faster on the calibration part, its loss within the drop and its interval not: {faster.candidate}, "
            f"{faster.speedup:.2f}×, {_loss(faster)} points; more text would tell"
        )
    if outcome.confirmations:
        for note in outcome.confirmations[-1].trial.quality:
            yield f"{outcome.confirmations[-1].trial.candidate}: {note}"
