"""The JSON of a run: pytest-benchmark's, with the records, strict, valid and replaced as a whole."""

from __future__ import annotations

import re

from collections.abc import Generator
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.options import Options


if TYPE_CHECKING:
    from leanner.measure.session import Session
    from leanner.report.record import CaseRecord


SESSION: Final = pytest.StashKey["Session"]()
OPTIONS: Final = pytest.StashKey[Options]()

#: Ends the name of the file that pytest-benchmark writes, until it takes the place of the report.
PART: Final = ".part"

_NARROWER: Final = re.compile(r"\.py$|::")


class JsonReport:
    """Hooks that pytest-benchmark calls, and what the report says of the run.

    pytest-benchmark writes its JSON once, at the very end, with NaN and not atomically. It
    is therefore let to write beside the report, which takes its place when it is complete.

    Args:
        config: pytest's.

    Attributes:
        path: The report; ``None`` if none is asked for.
        families: Of the cases that were collected.
        cases: Node ids of those that are to run.
        failure: Why there is no report; ``None`` if there is one, or is to be.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        asked = config.getoption("benchmark_json", None)
        self.path: Path | None = None if asked is None else Path(asked)
        self.families: set[str] = set()
        self.cases: tuple[str, ...] = ()
        self.failure: str | None = None
        if self.path is not None and not hasattr(config, "workerinput"):
            config.option.benchmark_json = self._part
            self._begin()

    def _begin(self) -> None:
        assert self.path is not None
        try:
            if self.path.is_dir():
                raise IsADirectoryError("it is a folder")
            if self.path.parent.is_dir():
                # Now rather than after an hour of measuring.
                self._part.touch()
                self._part.unlink()
        except OSError as error:
            raise pytest.UsageError(f"expected a file to write to for --benchmark-json={self.path}: {error}") from error

    @property
    def _part(self) -> Path:
        assert self.path is not None
        return self.path.with_name(self.path.name + PART)

    def records(self) -> list[CaseRecord]:
        """Return the records so far, in the order of the table of configurations."""
        session = self._config.stash.get(SESSION, None)
        if session is None:
            return []
        from leanner.configurations import known  # noqa: PLC0415 - only where there are cases

        order = [configuration.name for configuration in known()]
        return sorted(session.records.values(), key=lambda record: (record.device, order.index(record.configuration)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Put each record beside its time, those of an earlier run too, and the rest beside the benchmarks."""
        session = self._config.stash.get(SESSION, None)
        if session is None:
            return
        output_json["benchmarks"] = [*output_json["benchmarks"], *map(dict, session.benchmarks.values())]
        timed = {bench["fullname"]: bench for bench in output_json["benchmarks"]}
        for nodeid, record in session.records.items():
            if nodeid in timed:
                timed[nodeid]["extra_info"]["leanner"] = record.to_json()
        output_json["leanner"] = self._leanner(session, timed)

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Add what pytest-benchmark does not look at: GPU, driver, instruction sets, threads, libraries."""
        record = next(iter(self.records()), None)
        if record is not None:
            machine_info["leanner"] = _machine(record.environment)

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_benchmark_compare_machine_info(
        self, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
    ) -> None:
        """Add the same before the first case, for pytest-benchmark to compare it with that of a saved run."""
        saved = compared_benchmark["machine_info"].get("leanner")
        if saved is not None and "leanner" not in machine_info:
            from leanner.measure.environment import describe  # noqa: PLC0415 - only where there are cases

            on_gpu = saved["gpu"] is not None and no_gpu() is None
            machine_info["leanner"] = _machine(describe(self._config.rootpath, "cuda" if on_gpu else "cpu"))

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Finish the report when pytest-benchmark has written its part, unless it timed nothing."""
        if self.path is None or hasattr(self._config, "workerinput"):
            return (yield)
        try:
            result = yield
        except OSError as error:
            # A full disk, say: the table is shown all the same, and the journal has what it could hold.
            self.failure = f"{self._part}: {error}"
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            self._part.unlink(missing_ok=True)
            return None
        self._finish(session)
        return result

    def _finish(self, session: pytest.Session) -> None:
        assert self.path is not None
        measured = self._config.stash.get(SESSION, None)
        if measured is None or not measured.records:
            if self._part.exists():
                self._part.replace(self.path)
            return
        from leanner.report.final import assemble  # noqa: PLC0415 - only where there are cases
        from leanner.report.final import take_over  # noqa: PLC0415
        from leanner.report.final import write_report  # noqa: PLC0415
        from leanner.report.stored import remove_unnamed  # noqa: PLC0415
        from leanner.report.stored import stored_files  # noqa: PLC0415

        try:
            if self._part.exists():
                take_over(self._part, self.path)
            else:
                hook, config = self._config.hook, self._config
                output = assemble(
                    machine_info=hook.pytest_benchmark_generate_machine_info(config=config),
                    commit_info=hook.pytest_benchmark_generate_commit_info(config=config),
                    leanner={},
                )
                self.pytest_benchmark_update_machine_info(output["machine_info"])
                self.pytest_benchmark_update_json(output)
                write_report(self.path, output)
            remove_unnamed(
                self.path,
                {file.path for record in measured.records.values() for file in stored_files(record.files).values()}
                | measured.resumable_files,
            )
        except (ValueError, OSError) as error:  # a ReportError is a ValueError
            self.failure = str(error)
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def _leanner(self, session: Session, timed: Mapping[str, Any]) -> dict[str, Any]:
        from leanner.report.final import leanner_part  # noqa: PLC0415 - only where there are cases
        from leanner.report.selection import Selection  # noqa: PLC0415

        option = self._config.option
        narrowed = [argument for argument in self._config.args if _NARROWER.search(argument)]
        narrowed += [f"--deselect={prefix}" for prefix in option.deselect or ()]
        narrowed += ["--last-failed"] if getattr(option, "lf", False) else []
        return leanner_part(
            session.records,
            timed=timed,
            options=session.options.to_json(),
            selection=Selection(
                keyword=option.keyword or "",
                markers=option.markexpr or "",
                narrowed=tuple(narrowed),
                families=tuple(sorted(self.families)),
                cases=self.cases,
            ),
            resumed=session.resumed,
        )


def no_gpu() -> str | None:
    """Return why there is no usable GPU, ``None`` if there is one."""
    import torch  # noqa: PLC0415 - only where a GPU is asked for

    if torch.cuda.is_available():
        return None
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU only"
    return f"torch {torch.__version__} (built {built}) finds no usable CUDA device"


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in environment.items() if name not in ("commit", "dirty")}
