"""``--leanner-compare``: a run held against another when it ends, and what that makes of its exit status."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.compare.thresholds import ThresholdError
from leanner.compare.thresholds import gates
from leanner.json_report import OPTIONS


if TYPE_CHECKING:
    from leanner.compare.gate import Result
    from leanner.json_report import JsonReport


class GateReport:
    """Compares the finished report, and shows what came of it.

    Args:
        config: pytest's.
        report: That writes the report.

    Raises:
        pytest.UsageError: There is to be no report, or a threshold is none.
    """

    def __init__(self, config: pytest.Config, report: JsonReport) -> None:
        self._config = config
        self._report = report
        self._result: Result | None = None
        self._failure: str | None = None
        options = config.stash[OPTIONS]
        if options.compare is None:
            return
        if report.path is None:
            raise pytest.UsageError("expected --benchmark-json=FILE beside --leanner-compare, found none")
        try:
            self._gates = gates(options.compare_fail)
        except ThresholdError as error:
            raise pytest.UsageError(f"--leanner-compare-fail: {error}") from error

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Compare when the report is written; worse makes the session fail, and so does what cannot be compared."""
        result = yield
        base = self._config.stash[OPTIONS].compare
        # a run that was interrupted lacks cases for another reason
        whole = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if base is None or not whole or not self._report.records():
            return result
        try:
            self._result = self._compare(base)
        except (ValueError, OSError) as error:  # a CannotCompareError is a ValueError
            self._failure = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            if self._result.exit_code and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def show(self, reporter: pytest.TerminalReporter) -> None:
        """Print the comparison, if there is one."""
        if self._failure is not None:
            reporter.write_line(f"leanner: cannot compare: {self._failure}", red=True)
        if self._result is None:
            return
        from rich.console import Console  # noqa: PLC0415 - only where there are cases

        from leanner.compare.text import table  # noqa: PLC0415
        from leanner.report.table import WIDE  # noqa: PLC0415

        if self._result.comparison is not None:
            terminal = bool(reporter.isatty)
            console = Console(force_terminal=terminal, width=None if terminal else WIDE)
            with console.capture() as captured:
                console.print(table(self._result.comparison))
            reporter.write_line("")
            reporter.write(captured.get())
        if self._result.advice:
            reporter.write_line(f"leanner: {self._result.advice}")

    def _compare(self, base: str) -> Result:
        from leanner.compare.gate import judge  # noqa: PLC0415 - only where there are cases
        from leanner.compare.reading import Reader  # noqa: PLC0415
        from leanner.compare.sides import Sides  # noqa: PLC0415
        from leanner.compare.store import Store  # noqa: PLC0415

        path = self._report.path
        assert path is not None
        options = self._config.stash[OPTIONS]
        reader = Reader(options.corpora)
        root = self._config.rootpath
        sides = Sides(Store(store_of(root)), reader, root / ".benchmarks", trusted=frozenset({path.resolve()}))
        return judge(sides, base, str(path), self._gates)


def store_of(root: Path) -> Path:
    """Return where the runs of a checkout are stored."""
    return root / ".leanner"
