"""A run: its report, the corpus that it was on, and what its cases tagged there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from leanner import configurations
from leanner.check.report import Report
from leanner.check.report import UnreadableError
from leanner.check.report import read_report
from leanner.check.text import OtherCorpusError
from leanner.check.text import load_own_text
from leanner.configurations import BASELINE
from leanner.report.predictions import Predictions
from leanner.report.predictions import read_predictions
from leanner.report.stored import damaged
from leanner.report.stored import locate
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord
    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class Run:
    """A report that could be read.

    Attributes:
        report: All of it.
        documents: Its corpus; ``None`` where that is not to be had, with ``no_documents`` saying why.
        no_documents: See there.
    """

    report: Report
    documents: tuple[Document, ...] | None
    no_documents: str | None = None
    _read: dict[str, Predictions] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> Path:
        """Where the report lies."""
        return self.report.path

    @property
    def records(self) -> list[CaseRecord]:
        """All cases, in the order of the table of configurations; those of another leanner last."""
        order = {configuration.name: number for number, configuration in enumerate(configurations.known())}
        cases = self.report.cases.values()
        return sorted(cases, key=lambda case: (case.device, order.get(case.configuration, len(order))))

    @property
    def measured(self) -> list[CaseRecord]:
        """Those with a result."""
        return [record for record in self.records if record.f1 is not None]

    def predictions(self, record: CaseRecord) -> Predictions:
        """Return the stored spans of a case.

        Raises:
            ValueError: There are none, or they are not what the report names.
            OSError: They cannot be read.
        """
        return self._named(record, "predictions", record.configuration)

    def baseline_predictions(self, record: CaseRecord) -> Predictions:
        """Return the stored spans of the baseline that a case was held against; it need not be among the cases.

        Raises:
            ValueError: There are none, or they are not what the report names.
            OSError: They cannot be read.
        """
        among = self.report.baseline(record.device)
        if among is not None:
            return self.predictions(among)
        return self._named(record, "baseline_predictions", BASELINE)

    def _named(self, record: CaseRecord, name: str, configuration: str) -> Predictions:
        stored = stored_files(record.files).get(name)
        if stored is None:
            why = record.unknown.get("f1") or "; ".join(record.reasons) or "the run stored none"
            raise ValueError(f"no stored spans of {configuration}: {why}")
        if stored.path not in self._read:
            problems = damaged(self.path, {name: stored.to_json()})
            if problems:
                raise ValueError(f"{self.path}: {problems[0].text}")
            self._read[stored.path] = read_predictions(locate(self.path, stored.path))
        found = self._read[stored.path]
        if found.case != (configuration, record.device):
            expected = f"{configuration} on {record.device} in {stored.path}"
            raise ValueError(f"expected the spans of {expected}, found those of {' on '.join(found.case)}")
        return found


def read_run(path: Path) -> Run:
    """Read a report, without its corpus.

    Raises:
        UnreadableError: It is no report, or not as its schema says.
        OSError: It cannot be read.
    """
    report, problems = read_report(path)
    if report is None:
        more = f" (and {len(problems) - 1} more; leanner check lists them)" if len(problems) > 1 else ""
        raise UnreadableError(f"{path}: {problems[0]}{more}")
    return as_run(report)


def as_run(report: Report) -> Run:
    """Return a run of a report that was read, without its corpus."""
    return Run(report, None, "the corpus was not looked for")


def with_corpus(run: Run, corpora: Sequence[str], environment: Sequence[str]) -> Run:
    """Return the run with its corpus, or with the reason for which that is not to be had.

    Args:
        run: Without it.
        corpora: Where it lies, if not where the run found it.
        environment: The locations in LEANNER_CORPORA.
    """
    report = run.report
    if not report.corpora:
        return Run(report, None, "no case has a result")
    advice = "pass the corpus of the run as --corpora"
    try:
        text = load_own_text(report, corpora, environment)
    except OtherCorpusError as error:
        return Run(report, None, f"{error}; {advice}")
    except (OSError, ValueError) as error:  # a CorpusError is a ValueError
        return Run(report, None, f"the corpus of the run is not to be had: {error}; {advice}")
    return Run(report, text.documents)
