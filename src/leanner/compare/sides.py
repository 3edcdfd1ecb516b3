"""From what a user writes for BASE and NEW to sessions: files, the baseline, stored runs, saved ones, revisions."""

from __future__ import annotations

import re
import shutil
import subprocess

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.compare.comparison import CannotCompareError
from leanner.compare.comparison import Session
from leanner.compare.comparison import Stored
from leanner.compare.conditions import differences
from leanner.compare.conditions import is_same_hardware
from leanner.compare.store import ACCEPTED
from leanner.compare.store import commit_of


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.compare.reading import Reader
    from leanner.compare.store import Entry
    from leanner.compare.store import Store


#: Stands for the accepted runs on the machine of the other side.
BASELINE: Final = "baseline"
#: Where pytest-benchmark saves runs.
SAVED: Final = Path(".benchmarks")
#: The latest stored sessions from which the spread between sessions is estimated, for the time that reading them takes.
SESSIONS: Final = 50

_NUMBER: Final = re.compile(r"\d{4,}")


@dataclass(frozen=True, slots=True)
class Sides:
    """Finds runs.

    Attributes:
        store: Runs that leanner keeps.
        reader: Reads their reports.
        saved: Folder of runs that pytest-benchmark saved.
        checked: Whether numbers of reports that are files are computed again.
        trusted: Reports whose numbers are not, since they were just measured.
    """

    store: Store
    reader: Reader
    saved: Path = SAVED
    checked: bool = True
    trusted: frozenset[Path] = frozenset()
    _kept: dict[str, Session] = field(default_factory=dict)

    def one(self, name: str) -> Report:
        """Return the one run that ``name`` stands for.

        Raises:
            CannotCompareError: There is none, or more than one.
        """
        found = self.several(name, None)
        if len(found) > 1:
            names = ", ".join(session.name for session in found)
            raise CannotCompareError(f"expected one run of {name}, found {names}; name one of them")
        return found[0].report

    def several(self, name: str, other: Report | None) -> list[Session]:
        """Return the sessions that ``name`` stands for, the latest last.

        Args:
            name: A file, ``baseline``, the id of a run in the store or in ``.benchmarks``, or a revision of git.
            other: The report on the other side: ``baseline`` is that on its machine, and so are runs of a revision,
                where there are any.

        Raises:
            CannotCompareError: There is none.
        """
        path = Path(name)
        if path.is_file():
            report = self.reader.read(path)
            if self.checked and path.resolve() not in self.trusted:
                self.reader.check(report)
            elif not self.checked:
                self.reader.marks.append(f"{path}: its numbers were not computed again")
            return [Session(str(path), report)]
        if name == BASELINE and other is not None:
            # what was accepted may have been measured after sessions that joined it
            entries = sorted(self.store.baseline(other), key=lambda entry: entry.outcome != ACCEPTED)
            return [self._session(entry) for entry in (*entries[:1], *entries[1:][1 - SESSIONS :])]
        entries = self.store.entries()
        if stored := [entry for entry in entries if entry.id == name]:
            return [self._session(entry) for entry in stored]
        if _NUMBER.fullmatch(name):
            saved = sorted(self.saved.glob(f"*/{name}_*.json"))
            if len(saved) > 1:
                raise CannotCompareError(f"expected one run {name} in {self.saved}, found {', '.join(map(str, saved))}")
            if saved:
                return [self._saved(saved[0])]
        return self._of_revision(name, entries, other)

    def alike(self, name: str, base: str) -> list[Session]:
        """Return the sessions that NEW stands for, all of one machine and under one set of conditions, the latest last.

        A revision may have runs of several. Those that can be held against BASE are taken, else those of the latest,
        and the reader's marks say so.

        Args:
            name: NEW, as in ``several``.
            base: BASE, likewise.

        Raises:
            CannotCompareError: There is none.
        """
        found = self.several(name, None)
        if not any(differences(each.report, found[-1].report) for each in found):
            return found
        like = next((each for each in reversed(found) if self._has(base, each.report)), found[-1])
        chosen = [each for each in found if not differences(each.report, like.report)]
        self.reader.marks.append(
            f"{name}: of its {len(found)} stored runs, {len(chosen)} on the machine and under the conditions of "
            f"{like.name} are compared"
        )
        return chosen

    def _has(self, base: str, report: Report) -> bool:
        """Whether BASE has a run that ``report`` can be held against."""
        if base == BASELINE:
            return bool(self.store.baseline(report))
        return any(not differences(each.report, report) for each in self.several(base, None))

    def stored(self, report: Report) -> list[Stored]:
        """Return the latest sessions on the machine of ``report`` that tell how much sessions differ, oldest first.

        They are those of accepted levels, and those that lay beside one, undecided, as a group of their own: how far
        such a group is from its level is the question, and must not pass for spread.
        """
        levels = [(entry, _group(entry)) for entry in self.store.like(report)]
        known = [(entry, level) for entry, level in levels if level is not None][-SESSIONS:]
        return [Stored(self._session(entry), level) for entry, level in known]

    def of_same_hardware(self, report: Report) -> Session | None:
        """Return the latest session of the baselines of this machine, whatever else it was measured under."""
        latest: dict[tuple[str, str], Entry] = {}
        for entry in self.store.entries():
            if entry.level is not None:
                latest[entry.machine, entry.series] = entry
        found = sorted(latest.values(), key=lambda entry: (entry.measured, entry.id), reverse=True)
        for entry in found:
            try:
                session = self._session(entry)
            except CannotCompareError as error:
                self.reader.marks.append(f"a stored run is left out: {error}")
                continue
            if is_same_hardware(session.report, report):
                return session
        return None

    def all_like(self, report: Report) -> list[Session]:
        """Return the latest sessions on the machine of ``report``, accepted or not, oldest first."""
        return [self._session(entry) for entry in self.store.like(report)[-SESSIONS:]]

    def _session(self, entry: Entry) -> Session:
        if entry.id not in self._kept:
            self._kept[entry.id] = Session(entry.id, self.reader.read(self.store.path(entry)))
        return self._kept[entry.id]

    def _saved(self, path: Path) -> Session:
        self.reader.marks.append(
            f"{path}: its numbers were not computed again: pytest-benchmark saves no traces and spans"
        )
        return Session(path.name.partition("_")[0], self.reader.read(path))

    def _of_revision(self, name: str, entries: Sequence[Entry], other: Report | None) -> list[Session]:
        commit = _commit(name)
        if commit is None:
            raise CannotCompareError(
                f"expected a JSON file, {BASELINE}, the id of a run in {self.store.root} or {self.saved}, or a "
                f"revision of git; found {name!r}, which is none of them; `leanner history` lists runs"
            )
        found = [self._session(entry) for entry in entries if entry.commit == commit and not entry.dirty]
        known = {session.name for session in found}
        for path in sorted(self.saved.glob(f"*/*{commit}*.json")):
            session = self._saved(path)
            if commit_of(session.report) == (commit, False) and session.name not in known:
                found.append(session)
        if other is not None:
            # those of other machines are refused one step later, where there are no others
            found = [each for each in found if not differences(each.report, other)] or found
        if not found:
            raise CannotCompareError(
                f"expected a saved run of {name} ({commit[:12]}), without changes that are in no commit; found none in "
                f"{self.store.root} and {self.saved}: run it there, and store it with `leanner accept`"
            )
        return found


def _group(entry: Entry) -> int | None:
    return entry.level if entry.beside is None else -entry.beside


def _commit(revision: str) -> str | None:
    git = shutil.which("git")
    if git is None or revision.startswith("-"):
        return None
    command = (git, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - arguments are ours
    return done.stdout.strip() if done.returncode == 0 else None
