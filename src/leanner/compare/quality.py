"""The change of F1 between two runs: a paired bootstrap over articles, on the spans that both stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from leanner.compare.evidence import Basis
from leanner.compare.evidence import Evidence
from leanner.report.predictions import read_predictions
from leanner.report.stored import damaged
from leanner.report.stored import locate
from leanner.report.stored import stored_files
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import count_matches


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.check.report import Report
    from leanner.compare.metrics import Metric
    from leanner.report.record import CaseRecord
    from leanner.scoring.counts import ArticleCounts
    from leanner.types import Document


@dataclass(slots=True)
class F1Changes:
    """Compares F1 of cases, and keeps what it has counted.

    Args:
        documents: Reads the corpus of both runs when it is first needed; where spans are the same, it is not.
            Raises a ValueError or an OSError that says why there is none.
    """

    documents: Callable[[], Sequence[Document]]
    _counts: dict[tuple[str, str], ArticleCounts] = field(default_factory=dict)
    _read: Sequence[Document] | None = None
    _failed: str | None = None

    def evidence(self, metric: Metric, before: tuple[Report, CaseRecord], after: tuple[Report, CaseRecord]) -> Evidence:
        """Return the evidence for a change of F1.

        Args:
            metric: Micro F1, or that of a label; both cases have it.
            before: The report of the baseline, and the case in it.
            after: Likewise, the new one.
        """
        old, new = metric.value(before[1]), metric.value(after[1])
        assert old is not None
        assert new is not None
        points = old - new

        def unknown(reason: str) -> Evidence:
            return Evidence(old, new, points, None, None, None, Basis.ARTICLES, reason, "articles")

        digests = [record.files.get("spans_sha256") for _, record in (before, after)]
        if digests[0] is not None and digests[0] == digests[1] and points == 0.0:
            return Evidence(old, new, 0.0, 0.0, 0.0, 1.0, Basis.EXACT)
        corpora = [record.corpus.sha256 for _, record in (before, after) if record.corpus is not None]
        if len(set(corpora)) != 1:
            return unknown("F1 on different text is not paired")
        try:
            counts = [self._counted(*side) for side in (before, after)]
            if metric.label is not None:
                counts = [each.only(metric.label) for each in counts]
            loss = f1_loss(counts[0], counts[1], seed=before[1].seed or 0)
        except (OSError, ValueError) as error:
            return unknown(f"the spans of both runs could not be scored again: {error}")
        if loss.points is None or loss.low is None or loss.high is None:
            return unknown(loss.reason or "no interval")
        return Evidence(
            before=old,
            after=new,
            worse_by=loss.points,
            low=loss.low,
            high=loss.high,
            p=loss.p,
            basis=Basis.ARTICLES,
            units="articles",
            number=float(loss.articles),
        )

    def _counted(self, report: Report, record: CaseRecord) -> ArticleCounts:
        entry = stored_files(record.files).get("predictions")
        if entry is None:
            raise ValueError(f"{record.configuration} has no stored spans in {report.path}")
        key = str(report.path), entry.path
        if key not in self._counts:
            if problems := damaged(report.path, {"predictions": entry.to_json()}):
                raise ValueError(f"{report.path}: {problems[0].text}")
            predictions = read_predictions(locate(report.path, entry.path))
            documents = self._corpus()
            self._counts[key] = count_matches(documents, predictions.on(documents), predictions.labels)
        return self._counts[key]

    def _corpus(self) -> Sequence[Document]:
        if self._failed is not None:
            raise ValueError(self._failed)
        if self._read is None:
            try:
                self._read = self.documents()
            except (OSError, ValueError) as error:  # a CorpusError is a ValueError
                # once is enough: a corpus may take long to be read
                self._failed = str(error)
                raise
        return self._read
