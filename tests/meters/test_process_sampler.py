from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest

from leanner.meters.clock import monotonic_ns
from leanner.meters.errors import MeterError
from leanner.meters.nvml import open_nvml
from leanner.meters.plan import GpuPlan
from leanner.meters.plan import Plan
from leanner.meters.process_sampler import ProcessSampler
from leanner.meters.processes import ProcessTree
from leanner.meters.trace import Moment
from leanner.meters.trace import Trace
from leanner.meters.zones import discover
from meters import fake_sysfs
from meters.fake_clock import FakeClock
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.waiting import is_gone
from meters.waiting import wait_for_ticks
from meters.waiting import wait_until
from meters.waiting import wake_ups


TESTS = Path(__file__).parents[1]

#: What stands for the module ``pynvml`` in the sampler's process.
PYNVML = """
import sys
from meters.fake_nvml import *
gpu = FakeGpu(utilization_pct=80)
nvml = sys.modules["pynvml"] = FakeNvml(gpu)
"""


@contextmanager
def sampler(
    powercap: fake_sysfs.FakePowercap | None = None, *, interval_s: float = 0.005, patience_s: float = 60.0
) -> Iterator[ProcessSampler]:
    """A sampler of this process's memory and of a made-up powercap tree."""
    plan = Plan(interval_s, os.getpid(), () if powercap is None else discover(powercap.root).found)
    made = ProcessSampler(plan.sources(ProcessTree(), None, monotonic_ns), plan, patience_s=patience_s)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def gpu_sampler(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pynvml: str, *, patience_s: float = 60.0
) -> Iterator[ProcessSampler]:
    """A sampler whose process finds ``pynvml`` as its module of that name."""
    (folder / "pynvml.py").write_text(pynvml)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(TESTS), os.environ.get("PYTHONPATH", "")]))
    here = open_nvml("cuda", {}, module=FakeNvml(FakeGpu()))
    plan = Plan(0.005, os.getpid(), gpu=GpuPlan.of(here))
    made = ProcessSampler(plan.sources(ProcessTree(), here, monotonic_ns), plan, patience_s=patience_s)
    try:
        yield made
    finally:
        made.close()


def window(of: ProcessSampler, ticks: int = 3) -> Trace:
    """Return the trace of a window with at least ``ticks`` ticks."""
    of.start()
    wait_for_ticks(of.pid, ticks)
    return of.stop()


def test_edges_are_read_here_and_ticks_over_there(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    with sampler(tree) as process:
        process.start()
        for joules in (1.0, 2.0, 3.0):
            tree.spend("intel-rapl:0", joules)
            wait_for_ticks(process.pid, 2)
        trace = process.stop()

    points = trace.series("rapl", "intel-rapl:0")
    assert points == sorted(points)
    assert points[0][0] <= trace.start_ns < trace.end_ns <= points[-1][0]
    assert [value for _, value in points] == sorted(value for _, value in points)
    # The counter as it stood in between was seen, at a tick.
    seen = {value for sample in trace.of("rapl") if sample.moment is Moment.TICK for value in sample.values.values()}
    assert {2_000_000, 4_000_000, 7_000_000} <= seen
    ticks = [sample.t_ns for sample in trace.samples if sample.moment is Moment.TICK]
    assert trace.start_ns <= min(ticks)
    assert max(ticks) <= trace.end_ns
    assert trace.health.ticks >= 6
    assert trace.health.failure is None
    assert trace.health.cpu_s is not None
    assert 0.0 < trace.health.cpu_s < trace.window_s


def test_one_process_serves_all_windows_from_the_first_to_the_end() -> None:
    with sampler() as process:
        assert process.pid is None
        pids: set[int | None] = set()
        for _ in range(3):
            trace = window(process)
            assert trace.health.failure is None
            assert trace.health.ticks >= 3
            pids.add(process.pid)
        (pid,) = pids
        assert pid is not None
        process.close()
        assert is_gone(pid)
        assert process.pid is None


def test_between_windows_it_sleeps() -> None:
    with sampler(interval_s=0.001) as process:
        window(process)
        assert process.pid is not None
        began, before = time.monotonic(), wake_ups(process.pid)
        wait_until(lambda: wake_ups(process.pid or 0) >= before + 2, "the parent to be looked for")

        # Twice at 0.5 s; two ticks would be 2 ms.
        assert time.monotonic() - began > 0.4


def test_nothing_of_it_runs_here_within_a_window() -> None:
    numbers = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    before = {number: signal.getsignal(number) for number in numbers}
    threads = threading.active_count()
    with sampler() as process:
        process.start()

        assert threading.active_count() == threads
        assert {number: signal.getsignal(number) for number in numbers} == before
        process.stop()


def test_the_terminals_signals_do_not_reach_it() -> None:
    with sampler() as process:
        window(process)
        assert process.pid is not None

        # Ctrl-C goes to the process group in the foreground.
        assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
        assert os.getpgid(process.pid) != os.getpgrp()


@pytest.mark.parametrize("slow", [False, True])
def test_it_is_not_part_of_any_tree_that_is_measured(
    tmp_path: Path,
    slow: bool,  # noqa: FBT001 - pytest hands it over by name
) -> None:
    with sampler() as process, sampler() as another:
        window(process)
        window(another)
        pids = {process.pid, another.pid}
        tree = ProcessTree(proc=tmp_path) if slow else ProcessTree()

        assert len(pids) == 2
        assert pids <= tree.with_samplers()
        assert not pids & tree.pids()


def test_a_process_that_is_killed_loses_its_ticks_and_the_next_window_starts_another() -> None:
    with sampler() as process:
        process.start()
        wait_for_ticks(process.pid, 3)
        killed = process.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_gone(killed), "the end of the sampler")
        trace = process.stop()

        assert trace.health.ticks == 0
        assert trace.health.cpu_s is None
        assert "exit status -9 (SIGKILL)" in (trace.health.failure or "")
        assert {sample.moment for sample in trace.samples} == {Moment.START, Moment.STOP}
        again = window(process)
        assert again.health.failure is None
        assert again.health.ticks >= 3
        assert process.pid not in (None, killed)


def test_a_process_that_ends_between_windows_is_replaced() -> None:
    with sampler() as process:
        window(process)
        killed = process.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_gone(killed), "the end of the sampler")

        assert window(process).health.failure is None
        assert process.pid != killed


def test_a_mistake_in_the_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = PYNVML + "\ndef fail(*_): raise ZeroDivisionError('a mistake')\nnvml.nvmlDeviceGetTemperature = fail\n"
    with gpu_sampler(tmp_path, monkeypatch, broken) as process:
        process.start()
        assert process.pid is not None
        gone = process.pid
        wait_until(lambda: is_gone(gone), "the end of the sampler")
        trace = process.stop()

    assert "exit status 1: ZeroDivisionError: a mistake" in (trace.health.failure or "")


def test_a_process_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = tmp_path / "hangs"
    hanging = PYNVML + (
        "\nimport pathlib, signal\n"
        f"def hang(*_): pathlib.Path({str(hangs)!r}).touch(); signal.pause()\n"
        "nvml.nvmlDeviceGetTemperature = hang\n"
    )
    with gpu_sampler(tmp_path, monkeypatch, hanging, patience_s=0.2) as process:
        process.start()
        hung = process.pid
        assert hung is not None
        wait_until(hangs.exists, "a driver call that hangs")
        trace = process.stop()

        assert "did not answer within 0.2 s" in (trace.health.failure or "")
        assert is_gone(hung)
        process.start()
        assert process.pid not in (None, hung)
        process.stop()


def test_a_process_that_pauses_leaves_a_gap() -> None:
    with sampler() as process:
        process.start()
        wait_for_ticks(process.pid, 3)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.1, "the pause to last")
        os.kill(process.pid, signal.SIGCONT)
        wait_for_ticks(process.pid, 3)
        trace = process.stop()

    assert trace.health.failure is None
    assert trace.health.longest_gap_s > 0.09
    assert trace.health.ticks >= 6


def test_an_interpreter_that_cannot_be_run_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with sampler() as process, pytest.raises(MeterError, match=r"expected sys.executable .* found '/nowhere/python'"):
        process.start()


def test_a_process_that_ends_at_once_is_an_error_that_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with sampler() as process, pytest.raises(MeterError, match="exit status 1; expected `/bin/false -P -c 'import"):
        process.start()


def test_a_process_without_its_device_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driverless = PYNVML + "\nnvml.broken = NVMLError(DRIVER_NOT_LOADED)\n"
    with (
        gpu_sampler(tmp_path, monkeypatch, driverless) as process,
        pytest.raises(MeterError, match="NVML cannot be started: Driver Not Loaded"),
    ):
        process.start()


def test_both_sides_read_the_same_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    averaged = PYNVML + "\ngpu.instant_mw = {}\n"
    with (
        gpu_sampler(tmp_path, monkeypatch, averaged) as process,
        pytest.raises(MeterError, match=r"expected NVML to tell .*POWER_INSTANT.* found .*GetPowerUsage"),
    ):
        process.start()


def test_the_gpu_is_read_over_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gpu_sampler(tmp_path, monkeypatch, PYNVML) as process:
        trace = window(process)

    seen = {(sample.moment, sample.values["utilization_pct"]) for sample in trace.of("nvml")}
    assert seen == {(Moment.START, 50), (Moment.TICK, 80), (Moment.STOP, 50)}


def test_what_a_driver_prints_does_not_come_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chatty = PYNVML + (
        "\nimport os\nquiet = nvml.nvmlDeviceGetTemperature\n"
        "nvml.nvmlDeviceGetTemperature = lambda *about: (os.write(1, b'hot!\\n'), print('hot!'), quiet(*about))[2]\n"
    )
    with gpu_sampler(tmp_path, monkeypatch, chatty) as process:
        assert window(process).health.ticks >= 3


def test_a_file_of_the_working_directory_does_not_stand_in_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise ImportError('not this one')\n")
    monkeypatch.chdir(tmp_path)
    with sampler() as process:
        assert window(process).health.failure is None


def test_it_is_of_this_leanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "leanner" / "meters"
    other.mkdir(parents=True)
    (tmp_path / "leanner" / "__init__.py").write_text("")
    (other / "__init__.py").write_text("")
    (other / "sampler.py").write_text("raise SystemExit('another version')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with sampler() as process:
        assert window(process).health.failure is None


def test_processes_that_do_not_share_a_clock_are_found_out() -> None:
    plan = Plan(0.005, os.getpid())
    with (
        closing(ProcessSampler([], plan, FakeClock())) as process,
        pytest.raises(MeterError, match="share the monotonic clock"),
    ):
        process.start()
    assert time.get_clock_info("perf_counter").implementation == "clock_gettime(CLOCK_MONOTONIC)"


#: A run that opens a window and then waits to be killed; a fork of it, which holds its pipes, waits too.
RUN = """
import os, signal, sys
from leanner.meters import open_meter
meter = open_meter("off", interval_s=0.005)
if sys.argv[1] == "within":
    meter.start()
else:
    with meter.window():
        pass
fork = os.fork() if sys.argv[2] == "forked" else None
if fork == 0:
    while True:
        signal.pause()
print(meter._sampler.pid, fork, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("forked", ["forked", "alone"])
@pytest.mark.parametrize("moment", ["within", "between"])
def test_it_ends_with_its_parent_even_if_that_is_killed(moment: str, forked: str) -> None:
    with subprocess.Popen([sys.executable, "-c", RUN, moment, forked], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        told, _, fork = run.stdout.readline().partition(" ")
        pid = int(told)
        try:
            assert not is_gone(pid)
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            wait_until(lambda: is_gone(pid), "the end of the sampler")
            if forked == "forked":
                assert not is_gone(int(fork)), "the fork was to outlive the sampler"
        finally:
            if forked == "forked":
                os.kill(int(fork), signal.SIGKILL)


FORK = """
import os
from leanner.meters import open_meter
meter = open_meter("off", interval_s=0.005)
with meter.window():
    pass
ours = meter._sampler.pid
if os.fork() == 0:
    with meter.window():
        other = meter._sampler.pid
    meter.close()
    os._exit(0 if other != ours else 1)
status = os.wait()[1]
with meter.window() as window:
    pass
assert meter._sampler.pid == ours, "the fork has ended the sampler of its parent"
assert window.reading.trace.health.failure is None
meter.close()
raise SystemExit(status)
"""


def test_a_fork_leaves_its_parents_sampler_alone() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", FORK], check=True, timeout=120)
