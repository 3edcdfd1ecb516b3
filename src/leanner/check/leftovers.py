"""Whether the files beside a report are those of its cases: one for each, and none that was left over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from typing import Final

from leanner.check.journal import journal_beside
from leanner.report.journal import JournalError
from leanner.report.problem import Problem
from leanner.report.stored import SUFFIXES
from leanner.report.stored import folder_of
from leanner.report.stored import locate
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.check.report import Report


#: In the files of a record, what it shares with others: the spans that all cases are held against.
_SHARED: Final = "baseline_predictions"


def problems(report: Report) -> Iterator[Problem]:
    """Yield files that two cases name as their own, and such as no case names."""
    owners: dict[Path, str] = {}
    named: set[Path] = set()
    for nodeid, record in report.cases.items():
        for name, entry in stored_files(record.files).items():
            try:
                path = locate(report.path, entry.path).resolve()
            except ValueError:
                continue  # another check's problem
            named.add(path)
            if name == _SHARED:
                continue
            if path in owners:
                text = f"expected a file of this case alone, found {entry.path}, which {owners[path]} has too"
                yield Problem(f"files.{name}", text).under(nodeid)
            owners.setdefault(path, nodeid)
    # With its journal the run itself says which cases it finished; the rest was left by earlier ones.
    if not _has_a_journal(report):
        yield from _left_over(report, named)


def _has_a_journal(report: Report) -> bool:
    try:
        return journal_beside(report) is not None
    except (JournalError, OSError):
        return False  # another check's problem


def _left_over(report: Report, named: set[Path]) -> Iterator[Problem]:
    folders = {folder_of(report.path).resolve(), *(path.parent for path in named)}
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        for path in sorted({each.resolve() for each in folder.iterdir() if each.name.endswith(SUFFIXES)} - named):
            text = "expected files of the cases of this report alone, found that of another; a case was taken out, or "
            yield Problem(
                str(PurePosixPath(folder.name, path.name)), f"{text}an earlier run left it: remove it in that case"
            )
