"""The pytest plugin: options, markers, the parameters of cases, and the records in the report."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.options import Options
from leanner.options import add_options
from leanner.options import read_options


if TYPE_CHECKING:
    from leanner.measure.session import Session
    from leanner.report.record import CaseRecord


MARKER: Final = "leanner"
CASE: Final = "case"
SESSION: Final = pytest.StashKey["Session"]()
_OPTIONS: Final = pytest.StashKey[Options]()
_NOT_SIDE_BY_SIDE: Final = (
    "leanner measures time and joules, which cases running side by side would spoil, and pytest-benchmark "
    "writes no report under xdist; run with -p no:xdist or -n0"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the ``--leanner-…`` options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and read the options."""
    config.addinivalue_line("markers", "leanner(family): a case for each configuration of this family")
    config.addinivalue_line("markers", "gpu: runs on a CUDA device")
    config.stash[_OPTIONS] = read_options(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a function with the marker one case for each configuration of its family and each device."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is None or CASE not in metafunc.fixturenames:
        return
    from leanner.configurations import family  # noqa: PLC0415 - only where there are cases

    options = metafunc.config.stash[_OPTIONS]
    devices = ("cpu", "cuda") if options.device == "auto" else (options.device,)
    parameters = [
        pytest.param(
            (configuration.name, device),
            id=configuration.name if device == "cpu" else f"{configuration.name}-{device}",
            marks=[pytest.mark.gpu] if device == "cuda" else [],
        )
        for device in devices
        for configuration in family(marker.kwargs["family"], everything=options.everything)
    ]
    metafunc.parametrize(CASE, parameters, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the GPU's cases out unless they are asked for, and put baselines first.

    Raises:
        pytest.UsageError: They are asked for and there is no usable GPU, or xdist is on.
    """
    # A family without a configuration in this run leaves an empty set of parameters behind.
    _deselect(config, items, [item for item in items if _is_case(item) and not _has_configuration(item)])
    cases = [item for item in items if _is_case(item)]
    if not cases:
        return
    if config.getoption("dist", "no") != "no":
        raise pytest.UsageError(_NOT_SIDE_BY_SIDE)
    wanted = config.stash[_OPTIONS].device == "cuda" or "gpu" in (config.getoption("markexpr") or "")
    on_gpu = [item for item in cases if item.get_closest_marker("gpu")]
    if on_gpu and not wanted:
        _deselect(config, items, on_gpu)
    elif on_gpu and not config.getoption("collectonly") and (reason := _no_gpu()):
        raise pytest.UsageError(f"cases on a GPU are asked for, but {reason}; nothing was measured")
    # A baseline that comes later would be measured twice.
    items.sort(key=lambda item: _is_case(item) and not _is_baseline(item))


@pytest.fixture(scope="session")
def leanner_session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The session that measures the cases and keeps their records."""
    from leanner.measure.session import Session  # noqa: PLC0415 - only where there are cases

    config = request.config
    if hasattr(config, "workerinput"):
        # xdist collects in its workers, where an error of usage would end as an internal one.
        pytest.fail(_NOT_SIDE_BY_SIDE, pytrace=False)
    session = Session(config.stash[_OPTIONS], config.rootpath, _progress(config))
    config.stash[SESSION] = session
    yield session
    session.close()


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Put each record beside its time, and those without a time beside the benchmarks."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    from leanner.report.answer import answer  # noqa: PLC0415 - only where there are cases

    timed = {bench["fullname"]: bench for bench in output_json["benchmarks"]}
    for nodeid, record in session.records.items():
        if nodeid in timed:
            timed[nodeid]["extra_info"]["leanner"] = record.to_json()
    output_json["leanner"] = {
        "schema": 1,
        "answer": answer(list(session.records.values())),
        "without_time": {nodeid: record.to_json() for nodeid, record in session.records.items() if nodeid not in timed},
    }


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Add what pytest-benchmark does not look at: GPU, driver, instruction sets, threads, libraries."""
    record = next(iter(_records(config)), None)
    if record is not None:
        machine_info["leanner"] = _machine(record.environment)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_benchmark_compare_machine_info(
    config: pytest.Config, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
) -> None:
    """Add the same before the first case, for pytest-benchmark to compare it with that of a saved run."""
    saved = compared_benchmark["machine_info"].get("leanner")
    if saved is not None and "leanner" not in machine_info:
        from leanner.measure.environment import describe  # noqa: PLC0415 - only where there are cases

        on_gpu = saved["gpu"] is not None and _no_gpu() is None
        machine_info["leanner"] = _machine(describe(config.rootpath, "cuda" if on_gpu else "cpu"))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, what is unknown and why, and the answer."""
    records = _records(config)
    if not records:
        return
    from rich.console import Console  # noqa: PLC0415 - only where there are cases

    from leanner.report.answer import answer  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415
    from leanner.report.table import render  # noqa: PLC0415

    terminal = bool(terminalreporter.isatty)
    console = Console(force_terminal=terminal, width=None if terminal else WIDE, soft_wrap=False)
    with console.capture() as captured:
        console.print(render(records, console.width))
    terminalreporter.section("leanner", sep="=")
    terminalreporter.write(captured.get())
    terminalreporter.write_line("")
    terminalreporter.write_line(answer(records), bold=True)
    path = config.getoption("benchmark_json", None)
    if path:
        terminalreporter.write_line(f"the same as JSON: {path}")


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in environment.items() if name not in ("commit", "dirty")}


def _records(config: pytest.Config) -> list[CaseRecord]:
    session = config.stash.get(SESSION, None)
    if session is None:
        return []
    from leanner.configurations import CONFIGURATIONS  # noqa: PLC0415 - only where there are cases

    order = [configuration.name for configuration in CONFIGURATIONS]
    return sorted(session.records.values(), key=lambda record: (record.device, order.index(record.configuration)))


def _progress(config: pytest.Config) -> Callable[[str], None]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.get_verbosity() < 0:
        return lambda _: None
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(text: str) -> None:
        # A case runs for a minute while pytest holds its output back.
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            reporter.ensure_newline()
            reporter.write_line(text)

    return say


def _deselect(config: pytest.Config, items: list[pytest.Item], gone: list[pytest.Item]) -> None:
    if gone:
        config.hook.pytest_deselected(items=gone)
        without = set(gone)
        items[:] = [item for item in items if item not in without]


def _has_configuration(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and isinstance(callspec.params.get(CASE), tuple)


def _is_case(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARKER) is not None


def _is_baseline(item: pytest.Item) -> bool:
    marker = item.get_closest_marker(MARKER)
    return marker is not None and marker.kwargs.get("family") == "baseline"


def _no_gpu() -> str | None:
    """Return why there is no usable GPU, ``None`` if there is one."""
    import torch  # noqa: PLC0415 - only where a GPU is asked for

    if torch.cuda.is_available():
        return None
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU only"
    return f"torch {torch.__version__} (built {built}) finds no usable CUDA device"
