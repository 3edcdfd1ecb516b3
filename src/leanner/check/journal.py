"""Whether a report has the cases that its run noted in the journal when they were finished, and as they were then."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from leanner.check.compare import compare
from leanner.check.compare import same
from leanner.report.journal import Content
from leanner.report.journal import JournalError
from leanner.report.journal import journal_of
from leanner.report.journal import read_journal
from leanner.report.json_lines import OLD
from leanner.report.problem import Problem
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord


def problems(report: Report) -> Iterator[Problem]:
    """Yield cases that differ from the journal's; nothing where no journal of the run lies beside the report."""
    try:
        content = journal_beside(report)
    except (JournalError, OSError) as error:
        yield Problem("leanner", f"expected a journal that can be read beside the report, found another: {error}")
        return
    if content is None:
        return
    # A later run may have noted cases that the report never had.
    is_resumed = content.asked.options.get("resume") is not None
    for nodeid, saved in content.cases.items():
        record = report.cases.get(nodeid)
        if record is not None:
            yield from _as_noted(saved.record, record, nodeid)
        elif not is_resumed:
            yield Problem(nodeid, f"expected its record, which {journal_of(report.path).name} has; found none")
    for nodeid in report.cases:
        if nodeid not in content.cases:
            yield Problem(nodeid, f"expected only cases that {journal_of(report.path).name} has, found one more")
    yield from compare("leanner.options", content.asked.options, report.options, "as the journal has them")


def journal_beside(report: Report) -> Content | None:
    """Return the journal of the run, or ``None`` if it does not lie beside the report.

    A run that began later, and was killed, has put that of this one aside.

    Raises:
        JournalError: It is broken.
        OSError: It cannot be read.
    """
    path = journal_of(report.path)
    for each in (path, path.with_name(path.name + OLD)):
        if each.exists():
            content = read_journal(each)
            if _is_of_the_run(content, report):
                return content
    return None


def _is_of_the_run(content: Content, report: Report) -> bool:
    """Whether the traces of one of the cases are the same here and there; of runs without any, whether a case is.

    Spans may be the same in two runs.
    """
    both = [(saved.record, report.cases[nodeid]) for nodeid, saved in content.cases.items() if nodeid in report.cases]
    if not any("traces" in _digests(saved.record) for saved in content.cases.values()):
        return bool(both)
    return any(_digests(saved).get("traces", "") == _digests(record).get("traces") for saved, record in both)


def _as_noted(saved: CaseRecord, found: CaseRecord, nodeid: str) -> Iterator[Problem]:
    expected, content = _content(saved), _content(found)
    if changed := [name for name, value in expected.items() if not same(value, content.get(name))]:
        text = "expected the record that the run noted in its journal when the case was finished, found another"
        yield Problem(nodeid, f"{text}: {', '.join(changed)}")


def _content(record: CaseRecord) -> Mapping[str, Any]:
    """Return a record, with what its files hold in place of where they lie: they may have been copied."""
    return {**record.to_json(), "files": {**record.files, **_digests(record)}}


def _digests(record: CaseRecord) -> dict[str, str]:
    return {name: entry.sha256 for name, entry in stored_files(record.files).items()}
