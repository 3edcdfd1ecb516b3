"""A run's journal: each finished case at once on the disk, so that a kill loses the running one at most."""

from __future__ import annotations

import io
import os

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import Self

from leanner.report.json_lines import LineFile
from leanner.report.json_lines import begin_lines
from leanner.report.json_lines import parsed
from leanner.report.json_lines import start_of
from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.parse import record_from_json
from leanner.report.parse import shown
from leanner.report.record import SCHEMA
from leanner.report.record import CaseRecord
from leanner.report.record import CorpusInfo
from leanner.report.repair import repair


def journal_of(report: Path) -> Path:
    """Return where the journal of a report lies if nothing else is said: ``bench.journal.jsonl`` beside it."""
    return report.with_name(f"{report.stem}.journal.jsonl")


class JournalError(ValueError):
    """A journal is not what it should be; the message begins with file:line."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked to do, the first line of its journal.

    Attributes:
        options: Every ``--leanner-…`` option and its value.
        environment: As in a record.
        corpus: The text; ``None`` if it was not read.
        report: The report that the files of the cases lie beside, relative to the journal; ``None`` without.
    """

    options: Mapping[str, Any]
    environment: Mapping[str, Any]
    corpus: CorpusInfo | None
    report: str | None


@dataclass(frozen=True, slots=True)
class Saved:
    """A finished case.

    Attributes:
        nodeid: pytest's.
        record: What it left behind.
        benchmark: pytest-benchmark's entry, where it timed the case.
        time: When it was finished, ISO 8601.
        asked: What its run was asked to do.
    """

    nodeid: str
    record: CaseRecord
    benchmark: Mapping[str, Any] | None
    time: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Content:
    """What a journal holds.

    Attributes:
        cases: By node id, the latest of each.
        torn: The begin of a last line that a kill cut off; ``None`` if all lines are whole.
        whole: Bytes of the whole lines.
        asked: What the last run was asked to do.
    """

    cases: Mapping[str, Saved]
    torn: str | None
    whole: int
    asked: Asked


class Journal:
    """A journal open for appending. Use it as a context manager, or call ``close``."""

    def __init__(self, path: Path) -> None:
        """Open what is there; use ``begin`` or ``resume``."""
        self.path = path
        self._lines = LineFile(path)

    @classmethod
    def begin(cls, path: Path, asked: Asked, resumed: Path | None = None) -> Self:
        """Start a journal; one that is there is kept beside it, its name ending in ``OLD``.

        Args:
            path: Of the journal.
            asked: What its run is asked to do.
            resumed: The journal that the run resumes; it is not replaced by what is kept.

        Raises:
            OSError: It cannot be written.
        """
        # Whole at once: a journal always says what its run was asked to do.
        begin_lines(path, {"journal": SCHEMA, **_asked_to_json(asked)}, resumed).close()
        return cls(path)

    @classmethod
    def resume(cls, path: Path, asked: Asked) -> Self:
        """Go on with a journal: a torn last line is cut off, and what is asked now is noted if it differs.

        Raises:
            JournalError: A line is broken.
            OSError: It cannot be read or written.
        """
        content = read_journal(path)
        if content.torn is not None:
            os.truncate(path, content.whole)
        journal = cls(path)
        if _asked_to_json(content.asked) != _asked_to_json(asked):
            journal._lines.append({"journal": SCHEMA, **_asked_to_json(asked)})
        return journal

    def append(self, nodeid: str, record: CaseRecord, benchmark: Mapping[str, Any] | None) -> None:
        """Write a finished case; it is on the disk when this returns.

        Args:
            nodeid: pytest's.
            record: What the case left behind.
            benchmark: pytest-benchmark's entry, if it timed the case.

        Raises:
            ValueError: A number is not finite, or a value has no JSON form.
            OSError: It cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = repair(benchmark)[0]
        self._lines.append({"nodeid": nodeid, "time": now, "record": record.to_json(), "benchmark": entry})

    def close(self) -> None:
        """Close it; may be called again."""
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: Path) -> Content:
    """Read a journal.

    Raises:
        JournalError: A line is broken, and it is not the last one, which a kill may have cut off.
        OSError: It cannot be read.
    """
    lines = list(io.BytesIO(path.read_bytes()))
    asked: Asked | None = None
    cases: dict[str, Saved] = {}
    whole = 0
    for number, line in enumerate(lines, start=1):
        data = parsed(line)
        if data is None:
            if number < len(lines) or asked is None:
                raise JournalError(f"{path}:{number}: expected a line of JSON, found {start_of(line)}")
            return Content(cases, start_of(line), whole, asked)
        try:
            if "journal" in data:
                asked = _asked(data)
            else:
                saved = _saved(data, asked)
                # The latest stands, in its own place.
                cases.pop(saved.nodeid, None)
                cases[saved.nodeid] = saved
        except ParseError as error:
            raise JournalError(f"{path}:{number}: {error}") from error
        whole += len(line)
    if asked is None:
        raise JournalError(f"{path}:1: expected a journal of leanner, found an empty file")
    return Content(cases, None, whole, asked)


def _asked_to_json(asked: Asked) -> dict[str, Any]:
    corpus = None if asked.corpus is None else {name: getattr(asked.corpus, name) for name in CorpusInfo.__slots__}
    return {
        "options": {name: list(v) if isinstance(v, tuple) else v for name, v in asked.options.items()},
        "environment": dict(asked.environment),
        "corpus": corpus,
        "report": asked.report,
    }


def _asked(data: Mapping[str, Any]) -> Asked:
    found = data["journal"]
    if found != SCHEMA:
        raise ParseError(f"journal: expected {SCHEMA}, found {shown(found)}; use the leanner that wrote it")
    return read(Asked, {name: value for name, value in data.items() if name != "journal"})


def _saved(data: Mapping[str, Any], asked: Asked | None) -> Saved:
    if asked is None:
        raise ParseError("expected what the run was asked to do, found none; is this a journal of leanner?")
    line = read(_Line, data)
    return Saved(line.nodeid, record_from_json(line.record, "record"), line.benchmark, line.time, asked)


@dataclass(frozen=True, slots=True)
class _Line:
    nodeid: str
    time: str
    record: Mapping[str, Any]
    benchmark: Mapping[str, Any] | None
