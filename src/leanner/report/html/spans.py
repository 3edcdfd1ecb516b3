"""The section on spans that cases gained and lost, with sentences to look at."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.html.section import Section
from leanner.runs.diffs import against_baseline
from leanner.runs.diffs import against_run
from leanner.scoring.diff import spread


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.runs.diffs import CaseDiff
    from leanner.runs.run import Run
    from leanner.scoring.diff import Change
    from leanner.scoring.diff import Diff
    from leanner.scoring.diff import Tally

_RIGHT: Final = {True: "right", False: "wrong", None: "not annotated here"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sentence; ``kind`` is ``gained``, ``lost``, ``both`` or empty."""

    text: str
    kind: str


def section(run: Run, earlier: Run | None, sentences: int) -> Section:
    """Return the section of a run.

    Args:
        run: With its corpus.
        earlier: A run to hold the same cases against.
        sentences: How many to show for each case, at most.
    """
    found = list(against_baseline(run))
    if earlier is not None:
        found += against_run(earlier, run)
    unknown: dict[str, list[str]] = {}
    for each in found:
        if each.diff is None:
            unknown.setdefault(each.reason or "", []).append(_title(each))
    known = [_content(each, each.diff, sentences) for each in found if each.diff is not None]
    return Section("spans", "Spans gained and lost", {"cases": known, "unknown": unknown})


def _title(each: CaseDiff) -> str:
    device = "" if each.device == "cpu" else f" ({each.device})"
    return f"{each.configuration}{device} against {each.against}"


def _content(each: CaseDiff, diff: Diff, sentences: int) -> dict[str, Any]:
    groups: list[tuple[str, Tally]] = [("all", diff.total), *diff.by_label.items(), *diff.by_corpus.items()]
    groups += [("1 word" if words == "1" else f"{words} words", tally) for words, tally in diff.by_words.items()]
    shown = spread(diff, sentences)
    return {
        "title": _title(each),
        "total": diff.total,
        "groups": groups,
        "sentences": [_sentence(changes) for changes in shown],
        "changed": sum(1 for _ in diff.sentences()),
    }


def _sentence(changes: Sequence[Change]) -> dict[str, Any]:
    first = changes[0]
    return {
        "where": f"{first.corpus} {first.document}, sentence {first.place + 1}",
        "pieces": pieces(changes),
        "changes": [
            {
                "kind": "gained" if change.gained else "lost",
                "label": change.span.label.value,
                "mention": change.mention,
                "right": _RIGHT[change.right],
            }
            for change in changes
        ],
    }


def pieces(changes: Sequence[Change]) -> list[Piece]:
    """Cut a sentence where its changes begin and end; together the pieces are the sentence."""
    text = changes[0].sentence.text
    ends = [end for change in changes for end in (change.span.start, change.span.end)]
    cuts = sorted({0, len(text), *ends})
    return [Piece(text[a:b], _kind(changes, a, b)) for a, b in pairwise(cuts)]


def _kind(changes: Sequence[Change], start: int, end: int) -> str:
    over = {change.gained for change in changes if change.span.start <= start and end <= change.span.end}
    return {(): "", (False,): "lost", (True,): "gained", (False, True): "both"}[tuple(sorted(over))]
