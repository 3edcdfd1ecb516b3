"""``--leanner-compare`` and ``--leanner-aa``: a run held against another, and against itself, when it ends."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

import pytest

from leanner.compare.thresholds import Gates
from leanner.compare.thresholds import ThresholdError
from leanner.compare.thresholds import gates
from leanner.compare_base import missing
from leanner.json_report import OPTIONS


if TYPE_CHECKING:
    from rich.console import RenderableType

    from leanner.compare.control import Control
    from leanner.compare.gate import Result
    from leanner.compare.sides import Sides
    from leanner.json_report import JsonReport


class GateReport:
    """Compares the finished report, and shows what came of it.

    Args:
        config: pytest's.
        report: That writes the report.

    Raises:
        pytest.UsageError: ``--leanner-compare`` took a path of tests for its value.
    """

    def __init__(self, config: pytest.Config, report: JsonReport) -> None:
        self._config = config
        self._report = report
        self._result: Result | None = None
        self._control: Control | None = None
        self._failure: str | None = None
        self._gates: Gates | None = None
        _refuse_tests(config)

    def prepare(self) -> None:
        """Look for all that comparing needs, before anything is measured: to be called once cases are collected.

        Raises:
            pytest.UsageError: There is to be no report, a threshold is none, or BASE is not there or does not hold.
        """
        options, path = self._config.stash[OPTIONS], self._report.path
        if options.compare is None and not options.aa:
            return
        if path is None:
            asked = "--leanner-aa" if options.compare is None else "--leanner-compare"
            raise pytest.UsageError(f"expected --benchmark-json=FILE beside {asked}, found none")
        file = None if options.compare_gates is None else Path(options.compare_gates)
        try:
            self._gates = gates(options.compare_fail, file)
        except ThresholdError as error:
            raise pytest.UsageError(f"--leanner-compare-fail or -gates: {error}") from error
        except OSError as error:
            raise pytest.UsageError(f"--leanner-compare-gates: {file}: cannot be read: {error.strerror}") from error
        if options.compare is None:
            return
        if path.exists() and Path(options.compare).exists() and path.samefile(options.compare):
            raise pytest.UsageError(
                f"expected another file than --benchmark-json={path} as --leanner-compare, found the same: this run "
                "would take its place"
            )
        if (why := missing(options.compare, self._store(), self._saved(), options.corpora)) is not None:
            raise pytest.UsageError(f"--leanner-compare: {why}")

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Compare when the report is written; worse makes the session fail, and so does what cannot be compared."""
        result = yield
        base, aa = self._config.stash[OPTIONS].compare, self._config.stash[OPTIONS].aa
        # a run that was interrupted lacks cases for another reason
        whole = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not (base is not None or aa) or not whole or not self._report.records():
            return result
        try:
            if base is not None:
                self._result = self._compare(base)
                self._control = self._result.control
                self._failure = self._result.refusal or None
            else:
                self._control = self._look()
        except (ValueError, OSError) as error:  # a CannotCompareError is a ValueError
            self._failure = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            code = 0 if self._result is None else self._result.exit_code
            if code == 2:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
            elif code and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def show(self, reporter: pytest.TerminalReporter) -> None:
        """Print the comparison, if there is one."""
        if self._failure is not None:
            reporter.write_line(f"leanner: cannot compare: {self._failure}", red=True)
        if self._result is not None and self._result.comparison is not None:
            from leanner.compare.text import table  # noqa: PLC0415 - only where there are cases

            _print(reporter, table(self._result.comparison))
        if self._control is not None:
            from leanner.compare.control_text import control_table  # noqa: PLC0415

            _print(reporter, control_table(self._control))
        if self._result is not None and self._result.advice:
            reporter.write_line(f"leanner: {self._result.advice}")

    def _compare(self, base: str) -> Result:
        from leanner.compare.gate import judge  # noqa: PLC0415 - only where there are cases

        options = self._config.stash[OPTIONS]
        assert self._gates is not None
        return judge(
            self._sides(),
            base,
            str(self._report.path),
            self._gates,
            across_machines=options.compare_across_machines,
        )

    def _look(self) -> Control | None:
        from leanner.compare.gate import look  # noqa: PLC0415 - only where there are cases

        path = self._report.path
        assert path is not None
        assert self._gates is not None
        sides = self._sides()
        return look(sides, sides.reader.read(path), self._gates)

    def _sides(self) -> Sides:
        from leanner.compare.reading import Reader  # noqa: PLC0415
        from leanner.compare.sides import Sides  # noqa: PLC0415
        from leanner.compare.store import Store  # noqa: PLC0415

        path = self._report.path
        assert path is not None
        reader = Reader(self._config.stash[OPTIONS].corpora)
        return Sides(Store(self._store()), reader, self._saved(), trusted=frozenset({path.resolve()}))

    def _store(self) -> Path:
        given = self._config.stash[OPTIONS].compare_store
        return store_of(self._config.rootpath) if given is None else Path(given)

    def _saved(self) -> Path:
        return self._config.rootpath / ".benchmarks"


#: What ``--leanner-compare`` without a value means: ``compare.sides.BASELINE``, which is not imported for a word.
_ACCEPTED: Final = "baseline"


def _refuse_tests(config: pytest.Config) -> None:
    """Refuse a value of ``--leanner-compare`` that was to say which tests run: ``--leanner-compare benchmarks``."""
    given = config.getoption("--leanner-compare")
    if given in (None, _ACCEPTED):
        return
    is_folder = Path(given).is_dir()
    if is_folder or "::" in given or given.endswith(".py"):
        also = f"; a branch of that name is also refs/heads/{given}" if is_folder else ""
        what = "a folder" if is_folder else "a path of tests"
        raise pytest.UsageError(
            f"expected a run as --leanner-compare=BASE, found {given}, {what}: to run what is there write "
            f"--leanner-compare=baseline {given}{also}"
        )


def _print(reporter: pytest.TerminalReporter, shown: RenderableType) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where there are cases

    from leanner.report.table import WIDE  # noqa: PLC0415

    terminal = bool(reporter.isatty)
    console = Console(force_terminal=terminal, width=None if terminal else WIDE)
    with console.capture() as captured:
        console.print(shown)
    reporter.write_line("")
    reporter.write(captured.get())


def store_of(root: Path) -> Path:
    """Return where the runs of a checkout are stored."""
    return root / ".leanner"
