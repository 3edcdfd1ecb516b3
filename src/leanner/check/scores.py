"""F1, its loss, the interval and the verdict, computed again from the stored spans and the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from leanner import configurations
from leanner.check.compare import compare
from leanner.report.predictions import Predictions
from leanner.report.predictions import read_predictions
from leanner.report.predictions import spans_sha256
from leanner.report.problem import Problem
from leanner.report.stored import locate
from leanner.report.stored import stored_files
from leanner.scoring.agreement import second_opinion
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import ArticleCounts
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.scoring.verdict import decide


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.check.text import Text
    from leanner.report.record import CaseRecord


_WHY = "from the stored predictions and the corpus"


def problems(report: Report, text: Text) -> Iterator[Problem]:
    """Yield where scores, loss, interval or verdict are others than the spans give."""
    scorer = _Scorer(report, text)
    for nodeid, record in report.measured.items():
        for problem in scorer.problems(record):
            yield problem.under(nodeid)


@dataclass(slots=True)
class _Scorer:
    report: Report
    text: Text
    _counts: dict[str, tuple[tuple[str, str], ArticleCounts]] = field(default_factory=dict)

    def problems(self, record: CaseRecord) -> Iterator[Problem]:
        own = stored_files(record.files).get("predictions")
        if own is None:
            yield Problem("files.predictions", "expected the spans of the case in a file, found none: F1 is unchecked")
            return
        try:
            predictions = self._read(own.path)
            spans = predictions.on(self.text.documents)
            counts = self._counted(predictions)
            self._counts[own.path] = predictions.case, counts
        except (OSError, ValueError) as error:
            yield Problem("files.predictions", f"expected spans on this corpus, found none: {error}")
            return
        yield from _belonging(predictions, record)
        scores = f1_scores(counts)
        expected = {name: value for name, value in scores.to_dict().items() if name != "reasons"}
        found: dict[str, Any] = dict(record.f1 or {})
        opinion = second_opinion(self.text.documents, spans, predictions.labels)
        expected["seqeval"] = opinion.to_dict()
        yield from compare("f1", expected, found, _WHY)
        if not opinion.exact and not any("seqeval disagrees" in note for note in record.quality):
            yield Problem("quality", "expected a note that seqeval disagrees, found none")
        if "spans_sha256" in record.files:
            digest = spans_sha256(spans)
            yield from compare("files.spans_sha256", digest, record.files["spans_sha256"], "of the stored predictions")
        yield from self._loss(record, counts)

    def _loss(self, record: CaseRecord, counts: ArticleCounts) -> Iterator[Problem]:
        try:
            baseline = self._baseline(record)
            loss = f1_loss(baseline, counts, seed=record.seed or 0)
        except (OSError, ValueError) as error:
            yield Problem("files.baseline_predictions", f"expected the baseline's spans, found none: {error}")
            return
        drop = record.f1_drop
        bound = _promised(record) if drop is None else drop.bound
        expected = None
        if loss.points is not None:
            expected = {"points": loss.points, "low": loss.low, "high": loss.high, "bound": bound}
        found = None if drop is None else {name: getattr(drop, name) for name in ("points", "low", "high", "bound")}
        yield from compare("f1_drop", expected, found, _WHY)
        decision = decide(loss, bound)
        yield from compare("verdict", decision.verdict, str(record.verdict), "from the loss and its bound")
        for reason in decision.reasons:
            if reason not in record.reasons:
                yield Problem("reasons", f"expected {reason!r} among them, found none such")

    def _baseline(self, record: CaseRecord) -> ArticleCounts:
        """Return the counts that the loss was computed against.

        Raises:
            OSError: Their file cannot be read.
            ValueError: There is none, it is no such file, or it is not on this corpus.
        """
        named = stored_files(record.files).get("baseline_predictions")
        among = self.report.baseline(record.device)
        own = None if among is None else stored_files(among.files).get("predictions")
        if named is not None and own is not None and named != own:
            raise ValueError(f"the case names {named.path}, but the baseline of this report has {own.path}")
        file = own or named
        if file is None:
            raise ValueError("neither a baseline in this report nor a file of one")
        if file.path not in self._counts:
            predictions = self._read(file.path)
            self._counts[file.path] = predictions.case, self._counted(predictions)
        case, counts = self._counts[file.path]
        if case != (configurations.BASELINE, record.device):
            expected = f"{configurations.BASELINE} on {record.device} in {file.path}"
            raise ValueError(f"expected {expected}, found those of {' on '.join(case)}")
        return counts

    def _counted(self, predictions: Predictions) -> ArticleCounts:
        return count_matches(self.text.documents, predictions.on(self.text.documents), predictions.labels)

    def _read(self, path: str) -> Predictions:
        return read_predictions(locate(self.report.path, path))


def _belonging(predictions: Predictions, record: CaseRecord) -> Iterator[Problem]:
    """Yield why the spans are not those of this case."""
    for name in ("configuration", "device"):
        expected, found = getattr(predictions, name), getattr(record, name)
        yield from compare(name, expected, found, "the case of the stored predictions")


def _promised(record: CaseRecord) -> float | None:
    """Return the bound that the table promises; ``None`` if none, or if it does not know the case."""
    table = {configuration.name: configuration for configuration in configurations.known()}
    configuration = table.get(record.configuration)
    if configuration is None or configuration.bound is None or record.corpus is None:
        return None
    return configuration.bound.on(record.corpus.name)
