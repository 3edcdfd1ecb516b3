"""Runs that are kept, by machine and conditions: what later ones are held against, and how much sessions differ."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.atomic import write_atomically
from leanner.compare.comparison import CannotCompareError
from leanner.compare.conditions import fingerprint
from leanner.compare.conditions import series
from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.stored import locate
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.check.report import Report


#: Where runs are kept if nothing else is said.
STORE: Final = Path(".leanner")
#: Version of the layout.
LAYOUT: Final = 1

#: Outcome of what was made the baseline.
ACCEPTED: Final = "accepted"

_ENTRY: Final = "run.json"
_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A run in the store.

    Attributes:
        layout: Of the store.
        id: Its name: when it was measured, its commit, and the begin of the report's digest.
        machine: Fingerprint of the machine.
        series: Fingerprint of what else must be the same: tagger, corpus, options.
        report: File name of the report.
        sha256: Of the report.
        commit: That was measured; ``None`` if unknown.
        dirty: Whether that was not all.
        measured: When, ISO 8601.
        level: The accepted baseline that the run is a session of; ``None`` if it is of none.
        outcome: What came of comparing it with the baseline then.
        reason: Why it was accepted as a new baseline; ``None`` if it was not.
        beside: The accepted baseline that it lay beside, undecided; ``None`` if it did not.
    """

    layout: int
    id: str
    machine: str
    series: str
    report: str
    sha256: str
    commit: str | None
    dirty: bool | None
    measured: str
    level: int | None
    outcome: str
    reason: str | None
    beside: int | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A folder of the store that holds no run of this version: which one it was to be, and what is to be done."""

    machine: str
    series: str
    text: str


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of runs: ``runs/<machine>/<series>/<id>/`` with the report, its files, and ``run.json``."""

    root: Path

    def entries(self) -> list[Entry]:
        """Return all runs that can be read, oldest first; ``broken`` are the others."""
        found = [each for each in self._read() if isinstance(each, Entry)]
        return sorted(found, key=lambda entry: (entry.measured, entry.id))

    def broken(self) -> list[Broken]:
        """Return the runs that are not as this version stores them."""
        return [each for each in self._read() if isinstance(each, Broken)]

    def like(self, report: Report) -> list[Entry]:
        """Return the runs on the same machine under the same conditions, oldest first.

        Raises:
            CannotCompareError: One of them is not as this version stores it.
        """
        wanted = fingerprint(report), series(report)
        for each in self.broken():
            if (each.machine, each.series) == wanted:
                raise CannotCompareError(each.text)
        return [entry for entry in self.entries() if (entry.machine, entry.series) == wanted]

    def baseline(self, report: Report) -> list[Entry]:
        """Return the sessions of the accepted baseline for ``report``, oldest first; none if nothing was accepted."""
        alike = self.like(report)
        level = latest_level(alike)
        return [] if level is None else [entry for entry in alike if entry.level == level]

    def path(self, entry: Entry) -> Path:
        """Return the report of a run.

        Raises:
            CannotCompareError: It is not what was stored.
        """
        path = self._folder(entry) / entry.report
        try:
            found = _digest(path)
        except OSError as error:
            raise CannotCompareError(f"{path}: cannot be read: {error.strerror}") from error
        if found != entry.sha256:
            raise CannotCompareError(
                f"{path}: expected the report that was stored (sha256 {entry.sha256}), found another ({found}): remove "
                f"the folder {path.parent}, or put the report back"
            )
        return path

    def add(
        self, report: Report, level: int | None, outcome: str, reason: str | None = None, *, beside: int | None = None
    ) -> Entry:
        """Keep a run: its report and the files that it names, as they are. One that is kept already gets these values.

        Raises:
            OSError: It cannot be read or written.
            ValueError: A path leaves the folder of the report.
        """
        digest = digest_of(report)
        commit, dirty = commit_of(report)
        measured = str(report.data["datetime"])
        stamp = datetime.fromisoformat(measured)
        stamp = stamp.astimezone(UTC) if stamp.tzinfo else stamp
        name = f"{stamp:%Y%m%dT%H%M%S}-{(commit or 'unknown')[:_DIGITS]}-{digest[:_DIGITS]}"
        entry = Entry(
            layout=LAYOUT,
            id=name,
            machine=fingerprint(report),
            series=series(report),
            report=report.path.name,
            sha256=digest,
            commit=commit,
            dirty=dirty,
            measured=measured,
            level=level,
            outcome=outcome,
            reason=reason,
            beside=beside,
        )
        folder = self._folder(entry)
        if not folder.exists():
            part = folder.with_name(f".{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            shutil.copyfile(report.path, part / entry.report)
            for record in report.cases.values():
                for file in stored_files(record.files).values():
                    target = locate(part / entry.report, file.path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(locate(report.path, file.path), target)
            self._write(part, entry)
            # a run is there as a whole, or not at all
            part.replace(folder)
        else:
            self._write(folder, dataclasses.replace(entry, report=self._entry(folder / _ENTRY).report))
        return entry

    def accept(self, report: Report, reason: str) -> Entry:
        """Make a run the baseline: the first session of a new level.

        Raises:
            OSError: It cannot be written.
        """
        return self.add(report, (latest_level(self.like(report)) or 0) + 1, ACCEPTED, reason)

    def _folder(self, entry: Entry) -> Path:
        return self.root / "runs" / entry.machine / entry.series / entry.id

    def _read(self) -> Iterator[Entry | Broken]:
        for path in sorted((self.root / "runs").glob(f"*/*/*/{_ENTRY}")):
            folder = path.parent
            # what begins with a dot was not written to its end
            if folder.name.startswith("."):
                continue
            try:
                yield self._entry(path)
            except CannotCompareError as error:
                yield Broken(folder.parent.parent.name, folder.parent.name, str(error))

    def _entry(self, path: Path) -> Entry:
        try:
            entry = read(Entry, json.loads(path.read_bytes()))
        except (ParseError, ValueError, OSError) as error:
            raise CannotCompareError(
                f"{path}: expected a stored run, found another: {error}: remove the folder {path.parent}, or put the "
                "file back"
            ) from error
        if entry.layout != LAYOUT:
            raise CannotCompareError(
                f"{path}: expected layout {LAYOUT}, found {entry.layout}: update leanner, or remove the folder "
                f"{path.parent}"
            )
        return entry

    def _write(self, folder: Path, entry: Entry) -> None:
        content = json.dumps(dataclasses.asdict(entry), indent=2).encode("ascii") + b"\n"
        write_atomically(folder / _ENTRY, content)


def latest_level(entries: list[Entry]) -> int | None:
    """Return the level that was accepted last."""
    return max((entry.level for entry in entries if entry.level is not None), default=None)


def digest_of(report: Report) -> str:
    """Return the sha256 of the file of a report.

    Raises:
        OSError: It cannot be read.
    """
    return _digest(report.path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def commit_of(report: Report) -> tuple[str | None, bool | None]:
    """Return the commit that a report is of, and whether tracked files differed from it."""
    environment = next(iter(report.measured.values())).environment
    return environment.get("commit"), environment.get("dirty")
