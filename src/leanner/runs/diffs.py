"""What the cases of a run tag otherwise than its baseline, and otherwise than in another run."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.configurations import BASELINE
from leanner.scoring.diff import Diff
from leanner.scoring.diff import diff


if TYPE_CHECKING:
    from leanner.report.predictions import Predictions
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


@dataclass(frozen=True, slots=True)
class CaseDiff:
    """A case held against something.

    Attributes:
        configuration: Of the case.
        device: Of the case.
        against: What it was held against: the baseline's name, or the path of the other run.
        diff: The spans gained and lost; ``None`` if unknown, with ``reason`` saying why.
        reason: See there.
    """

    configuration: str
    device: str
    against: str
    diff: Diff | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready built-ins."""
        head = {"configuration": self.configuration, "device": self.device, "against": self.against}
        if self.diff is None:
            return {**head, "reason": self.reason}
        groups = {"by_label": self.diff.by_label, "by_corpus": self.diff.by_corpus, "by_words": self.diff.by_words}
        return {
            **head,
            "total": self.diff.total.to_json(),
            **{name: {key: tally.to_json() for key, tally in group.items()} for name, group in groups.items()},
            "changes": [change.to_json() for change in self.diff.changes],
        }


def against_baseline(run: Run, configurations: Collection[str] = ()) -> Iterator[CaseDiff]:
    """Yield the cases of a run against its own baseline.

    Args:
        run: With its corpus.
        configurations: The cases to look at; all but the baseline if empty.
    """
    for record in _cases(run, configurations):
        if record.configuration != BASELINE or configurations:
            try:
                before = run.baseline_predictions(record)
                found = _compared(run, before, run.predictions(record))
            except (OSError, ValueError) as error:
                yield CaseDiff(record.configuration, record.device, BASELINE, None, str(error))
            else:
                yield CaseDiff(record.configuration, record.device, BASELINE, found)


def against_run(earlier: Run, run: Run, configurations: Collection[str] = ()) -> Iterator[CaseDiff]:
    """Yield the cases of a run against the same cases of an earlier one.

    Args:
        earlier: The other run; its corpus is not asked for.
        run: With its corpus.
        configurations: The cases to look at; all if empty.
    """
    known = {(record.configuration, record.device): record for record in earlier.report.cases.values()}
    for record in _cases(run, configurations):
        case = (record.configuration, record.device)
        if case not in known:
            yield CaseDiff(*case, str(earlier.path), None, f"{earlier.path} has no case {' on '.join(case)}")
            continue
        try:
            _require_one_corpus(known[case], record)
            found = _compared(run, earlier.predictions(known[case]), run.predictions(record))
        except (OSError, ValueError) as error:
            yield CaseDiff(*case, str(earlier.path), None, str(error))
        else:
            yield CaseDiff(*case, str(earlier.path), found)


def _cases(run: Run, configurations: Collection[str]) -> list[CaseRecord]:
    return [r for r in run.records if not configurations or r.configuration in configurations]


def _compared(run: Run, before: Predictions, after: Predictions) -> Diff:
    if run.documents is None:
        raise ValueError(run.no_documents or "the corpus is missing")
    return diff(run.documents, before.on(run.documents), after.on(run.documents))


def _require_one_corpus(earlier: CaseRecord, record: CaseRecord) -> None:
    if earlier.corpus is not None and record.corpus is not None and earlier.corpus.sha256 != record.corpus.sha256:
        ours, theirs = (f"{c.name} (sha256 {c.sha256[:8]}…)" for c in (record.corpus, earlier.corpus))
        raise ValueError(f"expected both runs on the same corpus, found {theirs} and {ours}")
