"""The pytest plugin: options, markers, the parameters of cases, and the records in the report."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING
from typing import Final
from typing import cast

import pytest

from leanner.gate_report import GateReport
from leanner.json_report import OPTIONS
from leanner.json_report import SESSION
from leanner.json_report import JsonReport
from leanner.json_report import no_gpu
from leanner.options import add_options
from leanner.options import read_options


if TYPE_CHECKING:
    from leanner.measure.session import Session


MARKER: Final = "cases"
CASE: Final = "case"
JSON_REPORT: Final = pytest.StashKey[JsonReport]()
GATE_REPORT: Final = pytest.StashKey[GateReport]()
_NOT_SIDE_BY_SIDE: Final = (
    "leanner measures time and joules, which cases running side by side would spoil, and pytest-benchmark "
    "writes no report under xdist; run with -p no:xdist or -n0"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the ``--leanner-…`` options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, read the options, and take charge of the JSON before pytest-benchmark looks at it."""
    config.addinivalue_line("markers", "cases(family): a case for each configuration of this family")
    config.addinivalue_line("markers", "gpu: runs on a CUDA device")
    config.addinivalue_line("markers", "overhead: what measuring itself costs; runs with -m overhead alone")
    config.addinivalue_line(
        "markers",
        "equality: the lean runtime against Flair, and batches against single sentences; runs with -m equality alone",
    )
    config.addinivalue_line("markers", "growth: how time grows with the text; runs with -m growth alone")
    config.addinivalue_line("markers", "batching: what dynamic batching gains; runs with -m batching alone")
    config.addinivalue_line("markers", "served: cases behind a server; runs with -m served alone")
    config.addinivalue_line("markers", "sweep: batch size and delay of a batcher; runs with -m sweep alone")
    config.addinivalue_line("markers", "soak: whether a server's memory grows; runs with -m soak alone")
    config.addinivalue_line("markers", "floor: servers against the batcher of this process; runs with -m floor alone")
    config.addinivalue_line("markers", "kernels: what single kernels gain; runs with -m kernels alone")
    config.addinivalue_line("markers", "losses: F1 of each configuration, untimed; runs with -m losses alone")
    config.addinivalue_line("markers", "load: whether the load is what limits; runs with -m load alone")
    config.stash[OPTIONS] = read_options(config)
    config.stash[JSON_REPORT] = JsonReport(config)
    config.pluginmanager.register(config.stash[JSON_REPORT], "leanner-json")
    config.stash[GATE_REPORT] = GateReport(config, config.stash[JSON_REPORT])
    # behind the report, so that its wrapper is around that of the report, which is finished first
    config.pluginmanager.register(config.stash[GATE_REPORT], "leanner-gate")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a function with the marker one case for each configuration of its family and each device."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is None or CASE not in metafunc.fixturenames:
        return
    from leanner.configurations import family  # noqa: PLC0415 - only where there are cases

    options = metafunc.config.stash[OPTIONS]
    metafunc.config.stash[JSON_REPORT].families.add(marker.kwargs["family"])
    devices = ("cpu", "cuda") if options.device == "auto" else (options.device,)
    parameters = [
        pytest.param(
            (configuration.name, device),
            id=configuration.name if device == "cpu" else f"{configuration.name}-{device}",
            marks=[pytest.mark.gpu] if device == "cuda" else [],
        )
        for device in devices
        for configuration in family(marker.kwargs["family"], everything=options.everything, control=options.aa)
    ]
    metafunc.parametrize(CASE, parameters, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the GPU's cases out unless they are asked for, and put baselines first.

    Raises:
        pytest.UsageError: They are asked for and there is no usable GPU, or xdist is on, or what the run is to be held
            against is not there.
    """
    # A family without a configuration in this run leaves an empty set of parameters behind.
    _deselect(config, items, [item for item in items if _is_case(item) and not _has_configuration(item)])
    cases = [item for item in items if _is_case(item)]
    if not cases:
        return
    if config.getoption("dist", "no") != "no":
        raise pytest.UsageError(_NOT_SIDE_BY_SIDE)
    wanted = config.stash[OPTIONS].device == "cuda" or "gpu" in (config.getoption("markexpr") or "")
    on_gpu = [item for item in cases if item.get_closest_marker("gpu")]
    if on_gpu and not wanted:
        _deselect(config, items, on_gpu)
    elif on_gpu and not config.getoption("collectonly") and (reason := no_gpu()):
        raise pytest.UsageError(f"cases on a GPU are asked for, but {reason}; nothing was measured")
    # A baseline that comes later would be measured twice; the control is close to it in time.
    items.sort(key=_rank)
    report = config.stash[JSON_REPORT]
    # A family that nobody asked for is not missing.
    report.families &= {_family(item) for item in items if _is_case(item)}
    report.cases = tuple(item.nodeid for item in items if _is_case(item))
    # the workers of xdist refuse cases later
    if report.cases and not config.getoption("collectonly") and not hasattr(config, "workerinput"):
        config.stash[GATE_REPORT].prepare()


@pytest.fixture(scope="session")
def leanner_session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The session that measures the cases and keeps their records."""
    from leanner.measure.session import Session  # noqa: PLC0415 - only where there are cases

    config = request.config
    if hasattr(config, "workerinput"):
        # xdist collects in its workers, where an error of usage would end as an internal one.
        pytest.fail(_NOT_SIDE_BY_SIDE, pytrace=False)
    report = config.stash[JSON_REPORT].path
    session = Session(config.stash[OPTIONS], config.rootpath, _progress(config), report)
    config.stash[SESSION] = session
    yield session
    session.close()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, what is unknown and why, and the answer."""
    report = config.stash[JSON_REPORT]
    records = report.records()
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
    if report.failure is not None:
        terminalreporter.write_line(f"leanner: no JSON was written: {report.failure}", red=True)
    elif report.path is not None:
        terminalreporter.write_line(f"the same as JSON: {report.path}")
    config.stash[GATE_REPORT].show(terminalreporter)


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


def _family(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker(MARKER)
    return None if marker is None else marker.kwargs.get("family")


def _rank(item: pytest.Item) -> int:
    """Return 0 for baselines and what is no case, 1 for the control, 2 for other cases."""
    from leanner.configurations import BASELINE  # noqa: PLC0415 - only where there are cases
    from leanner.configurations import CONTROL  # noqa: PLC0415

    if not _is_case(item) or not _has_configuration(item):
        return 0
    assert isinstance(item, pytest.Function)
    name, _ = cast("tuple[str, str]", item.callspec.params[CASE])
    return {BASELINE: 0, CONTROL: 1}.get(name, 2)
