"""Where finished cases are kept: files beside the report, a line in the journal, and those of an earlier run."""

from __future__ import annotations

import os

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.configurations import BASELINE
from leanner.report.journal import Asked
from leanner.report.journal import Content
from leanner.report.journal import Journal
from leanner.report.journal import journal_of
from leanner.report.journal import read_journal
from leanner.report.latencies import store_latencies
from leanner.report.predictions import read_predictions
from leanner.report.predictions import store_predictions
from leanner.report.reuse import Wanted
from leanner.report.reuse import differences
from leanner.report.stored import TRACES
from leanner.report.stored import StoredFile
from leanner.report.stored import carried
from leanner.report.stored import folder_of
from leanner.report.stored import locate
from leanner.report.stored import store
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.measure.case import Baseline
    from leanner.measure.finished import Finished
    from leanner.measure.timing import Stopwatch
    from leanner.options import Options
    from leanner.report.record import CaseRecord
    from leanner.report.record import CorpusInfo
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


_STORED: Final = ("predictions", "baseline_predictions", "traces", "latencies")
_NO_REPORT: Final = "no report was asked for (--benchmark-json), so nothing is stored beside it"


@dataclass(slots=True)
class Keeper:
    """Stores each finished case at once, so that a kill loses the running one at most.

    Attributes:
        report: The report that the files lie beside; ``None`` if none is asked for.
        journal: Where each case is noted; ``None`` without a report and a journal.
        earlier: What an earlier run had finished.
        earlier_report: The report that its files lie beside.
        continues: Whether ``journal`` is that of the earlier run.
        benchmarks: pytest-benchmark's entries of the cases that were taken from there, by node id.
    """

    report: Path | None
    journal: Journal | None
    earlier: Content | None
    earlier_report: Path | None
    continues: bool = False
    benchmarks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _baselines: dict[str, StoredFile] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        options: Options,
        report: Path | None,
        environment: Mapping[str, Any],
        corpus: CorpusInfo | None,
    ) -> Keeper:
        """Open the journal, and read the one that is resumed.

        Raises:
            JournalError: The journal that is resumed is broken.
            OSError: It cannot be read, or the new one not be written.
        """
        path = Path(options.journal) if options.journal else journal_of(report) if report else None
        resumed = Path(options.resume) if options.resume else None
        earlier = read_journal(resumed) if resumed else None
        earlier_report = None
        if earlier is not None and resumed is not None and earlier.asked.report is not None:
            earlier_report = resumed.parent / earlier.asked.report
        journal, continues = None, False
        if path is not None:
            relative = None if report is None else _relative(report, path.parent)
            asked = Asked(options.to_json(), environment, corpus, relative)
            path.parent.mkdir(parents=True, exist_ok=True)
            continues = resumed is not None and path.exists() and path.samefile(resumed)
            journal = Journal.resume(path, asked) if continues else Journal.begin(path, asked, resumed)
        return cls(report, journal, earlier, earlier_report, continues)

    def case(self, nodeid: str, finished: Finished, documents: Sequence[Document], stopwatch: Stopwatch) -> CaseRecord:
        """Store what a case left, note it in the journal, and return its record with the names of the files."""
        record = finished.record
        name = f"{record.configuration}.{record.device}"
        files: dict[str, Any] = dict(record.files)
        unknown = dict(record.unknown)
        if self.report is None:
            unknown |= dict.fromkeys((f"files.{name}" for name in _STORED), _NO_REPORT)
        else:
            predictions = self._predictions(name, finished.itself, documents, record.configuration, record.device)
            baseline = predictions if record.configuration == BASELINE else self._baseline(record, finished, documents)
            files["predictions"] = predictions.to_json()
            files["baseline_predictions"] = baseline.to_json()
            files["traces"] = store(self.report, name, TRACES, finished.traces).to_json()
            files["latencies"] = store_latencies(
                self.report, name, finished.latency_ms, configuration=record.configuration, device=record.device
            ).to_json()
        record = replace(record, files=files, unknown=unknown)
        if self.journal is not None:
            self.journal.append(nodeid, record, _entry(stopwatch))
        return record

    def without_result(self, nodeid: str, record: CaseRecord) -> CaseRecord:
        """Note a case that gave no result, and return its record."""
        if self.journal is not None:
            self.journal.append(nodeid, record, None)
        return record

    def reuse(self, nodeid: str, wanted: Wanted, say: Callable[[str], None]) -> CaseRecord | None:
        """Return the record of a case that an earlier run finished, if it may stand for the one that is wanted."""
        saved = None if self.earlier is None else self.earlier.cases.get(nodeid)
        if saved is None:
            return None
        if self.earlier_report is None:
            say(f"leanner: {wanted.configuration}: measured again: its earlier run stored no files")
            return None
        unlike = differences(saved, wanted, self.earlier_report)
        if unlike:
            say(f"leanner: {wanted.configuration}: measured again: {'; '.join(unlike)}")
            return None
        record = saved.record
        if self.report is not None:
            record = replace(record, files=carried(record.files, self.earlier_report, self.report))
        if saved.benchmark is not None:
            self.benchmarks[nodeid] = saved.benchmark
        if self.journal is not None and not self.continues:
            self.journal.append(nodeid, record, saved.benchmark)
        say(f"leanner: {wanted.configuration}: {record.verdict}, as measured at {saved.time}")
        return record

    def predictions(self, record: CaseRecord, documents: Sequence[Document]) -> Sequence[Prediction]:
        """Return the spans that an earlier run stored.

        Raises:
            ValueError: They are damaged, or of other documents.
        """
        report = self.report or self.earlier_report
        assert report is not None
        entry = stored_files(record.files)["predictions"]
        return read_predictions(locate(report, entry.path)).on(documents)

    def named(self, finished: Collection[str]) -> frozenset[str]:
        """Return the paths of files beside the report that the journal which is resumed names.

        A run of some cases may resume the journal of more: it still leads to the others.

        Args:
            finished: Node ids of this run's cases, whose lines take the place of earlier ones in the same journal.
        """
        if self.earlier is None or self.earlier_report is None or self.report is None:
            return frozenset()
        if folder_of(self.earlier_report).resolve() != folder_of(self.report).resolve():
            return frozenset()
        saved = [each for nodeid, each in self.earlier.cases.items() if not (self.continues and nodeid in finished)]
        return frozenset(file.path for each in saved for file in stored_files(each.record.files).values())

    def close(self) -> None:
        """Close the journal."""
        if self.journal is not None:
            self.journal.close()

    def _predictions(
        self, name: str, given: Baseline, documents: Sequence[Document], configuration: str, device: str
    ) -> StoredFile:
        assert self.report is not None
        return store_predictions(
            self.report, name, documents, given.predictions, given.labels, configuration=configuration, device=device
        )

    def _baseline(self, record: CaseRecord, finished: Finished, documents: Sequence[Document]) -> StoredFile:
        timed = finished.baseline.rounds_s is not None
        name = f"{BASELINE}.{record.device}" if timed else f"{BASELINE}-untimed.{record.device}"
        if name not in self._baselines:
            self._baselines[name] = self._predictions(name, finished.baseline, documents, BASELINE, record.device)
        return self._baselines[name]


def _entry(stopwatch: Stopwatch) -> Mapping[str, Any] | None:
    metadata = getattr(stopwatch, "stats", None)
    if metadata is None:
        return None
    entry: Mapping[str, Any] = metadata.as_dict(include_data=True)
    return entry


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())
