"""One test for each accident that others have had, by its number; each fails on the naive way named in it.

Those of other rooms have their tests there, under the same names: F21 (locks), F22 to F27 (nothing lost),
F28 (kernels), F29 (scores), F30 and F31 (tagging), F32 (rounds), F33 (floor).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from pathlib import Path

import pytest

from leanner.meters import CudaHooks
from leanner.meters import EnergyMeter
from leanner.meters import MeterError
from leanner.meters import domain_interval
from leanner.meters import least_window_s
from leanner.meters import open_meter
from leanner.meters.clock import monotonic_ns
from leanner.meters.process_sampler import ProcessSampler
from leanner.meters.processes import ProcessTree
from leanner.meters.sampling import EdgeSampler
from leanner.meters.zones import PERMISSION
from meters import fake_sysfs
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.fake_tree import FakeTree
from meters.fake_tree import Memory
from meters.rig import Rig
from meters.test_sampling import Recorder
from meters.waiting import is_gone
from meters.waiting import wait_for_ticks
from meters.waiting import wait_until


def _package(reading_of: Rig, tree: fake_sysfs.FakePowercap, joules: float, ticks: int) -> float | None:
    reading = reading_of.run(ticks, lambda _: tree.spend("intel-rapl:0", joules))
    return reading.energy["cpu_package"].j


def test_f01_rapl_wraps_several_times_in_a_window(tmp_path: Path) -> None:
    # Naive: last less first, or one wrap assumed.
    tree = fake_sysfs.amd(tmp_path)

    assert _package(Rig(tree, interval_s=10.0), tree, 5_000.0, 60) == pytest.approx(300_000.0)
    assert 4 * fake_sysfs.AMD_RANGE_UJ / 1e6 < 300_000.0


def test_f02_a_wrap_belongs_to_its_own_domain(tmp_path: Path) -> None:
    # Naive: sum the domains, then correct the sum by one of their ranges.
    tree = fake_sysfs.intel(tmp_path)
    tree.set("intel-rapl:0", fake_sysfs.RANGE_UJ - 1_000_000)
    tree.set("intel-rapl:1:1", fake_sysfs.DRAM_RANGE_UJ - 2_000_000)

    def step(_: int) -> None:
        for package in (0, 1):
            tree.spend(f"intel-rapl:{package}", 4.0)
            tree.spend(f"intel-rapl:{package}:1", 1.0)

    reading = Rig(tree, sockets=2).run(5, step)

    assert reading.energy["cpu_package"].j == pytest.approx(40.0)
    assert reading.energy["dram"].j == pytest.approx(10.0)


def test_f03_a_failed_read_is_a_gap(tmp_path: Path) -> None:
    # Naive: a failed read is 0, and the next one a wrap of 262 kJ.
    tree = fake_sysfs.intel(tmp_path)
    counter = tree.counter("intel-rapl:0")

    def step(number: int) -> None:
        tree.spend("intel-rapl:0", 5.0)
        tree.spend("intel-rapl:1", 5.0)
        (tree.broken.add if number == 4 else tree.broken.discard)(counter)

    reading = Rig(tree).run(10, step)

    assert reading.energy["cpu_package"].j == pytest.approx(100.0)
    assert reading.trace.gaps("rapl", "intel-rapl:0") == ["Input/output error"]


def test_f03_too_many_gaps_make_the_window_invalid(tmp_path: Path) -> None:
    # Naive: take what is left.
    tree = fake_sysfs.amd(tmp_path)
    counter = tree.counter("intel-rapl:0")

    def step(number: int) -> None:
        tree.spend("intel-rapl:0", 5.0)
        (tree.broken.add if 2 <= number < 6 else tree.broken.discard)(counter)

    domain = Rig(tree).run(10, step).energy["cpu_package"]

    assert domain.j is None
    assert domain.reason == "intel-rapl:0: 4 of 12 reads failed: Input/output error"


def test_f04_without_its_range_a_counter_that_goes_back_is_dropped(tmp_path: Path) -> None:
    # Naive: a negative number of joules.
    tree = fake_sysfs.FakePowercap(tmp_path)
    tree.add("intel-rapl:0", "package-0", energy_uj=9_000_000_000, range_uj=None)
    assert _package(Rig(tree), tree, 5.0, 4) == pytest.approx(20.0)

    domain = Rig(tree).run(4, lambda _: tree.set("intel-rapl:0", 1_000)).energy["cpu_package"]

    assert domain.j is None
    assert "max_energy_range_uj cannot be read" in (domain.reason or "")


def test_f05_permission_denied_comes_with_its_remedy(tmp_path: Path) -> None:
    # Naive: a guess from the TDP, or nothing said. (The reader is injected: a mode of 0 does not stop root.)
    tree = fake_sysfs.amd(tmp_path)
    tree.denied.add(tree.counter("intel-rapl:0"))

    reading = Rig(tree).run(3, lambda _: tree.spend("intel-rapl:0", 5.0))

    assert reading.energy["cpu_package"].j is None
    assert reading.energy["cpu_package"].source == "none"
    assert reading.energy["cpu_package"].reason == f"intel-rapl:0: permission denied; {PERMISSION}"
    assert "chmod a+r" in PERMISSION
    assert "udev" in PERMISSION
    assert "CVE-2020-8694" in PERMISSION


def test_f06_a_machine_without_powercap_runs_and_says_so(tmp_path: Path) -> None:
    # Naive: an exception at start (pyRAPL), or 0 J.
    reading = Rig(fake_sysfs.FakePowercap(tmp_path / "nothing")).run(3)

    assert reading.total_j is None
    assert "virtual machine" in (reading.energy["cpu_package"].reason or "")
    with pytest.raises(MeterError, match="energy is required"), Rig().meter("require"):
        pass


def test_f07_psys_is_never_added_and_an_mmio_twin_counts_once(tmp_path: Path) -> None:
    # Naive: sum every top-level zone.
    tree = fake_sysfs.intel_laptop(tmp_path)

    def step(_: int) -> None:
        for key in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl-mmio:0"):
            tree.spend(key, 2.0)

    reading = Rig(tree).run(10, step)

    assert reading.energy["cpu_package"].j == pytest.approx(20.0)
    assert reading.total_j == pytest.approx(20.0)


@pytest.mark.parametrize(("own_counters", "joules"), [(True, 60.0), (False, 30.0)])
def test_f07_dies_count_once_each_and_a_repeated_counter_once(
    tmp_path: Path,
    own_counters: bool,  # noqa: FBT001 - pytest hands it over by name
    joules: float,
) -> None:
    # Naive: sum all, or take zones of one package for one.
    tree = fake_sysfs.dies(tmp_path, own_counters=own_counters)

    def step(_: int) -> None:
        for die in (0, 1):
            tree.spend(f"intel-rapl:{die}", 3.0)

    reading = Rig(tree, sockets=1).run(10, step)

    assert reading.energy["cpu_package"].j == pytest.approx(joules)
    repeated = "RAPL zone intel-rapl:1 repeats the counter of intel-rapl:0 and is counted once"
    assert (repeated in reading.quality) is not own_counters


@pytest.mark.parametrize("energy_mj", [NVMLError(NOT_SUPPORTED), 0])
def test_f08_without_a_counter_power_is_integrated_and_labelled(energy_mj: int | NVMLError) -> None:
    # Naive: a counter that answers 0 is believed.
    gpu = FakeGpu(energy_mj=energy_mj, instant_mw={0: 250_000})

    domain = Rig(nvml=FakeNvml(gpu)).run(20, device="cuda").energy["gpu"]

    assert domain.source == "nvml-power"
    assert domain.j == pytest.approx(500.0)


def test_f09_a_window_shorter_than_the_counters_update_is_unknown_not_zero() -> None:
    # Naive: 0 J.
    rig = Rig(nvml=FakeNvml(FakeGpu()), interval_s=0.02)

    reading = rig.run(1, device="cuda")

    assert reading.energy["gpu"].j is None
    assert "not updated within the window of 0.020 s" in (reading.energy["gpu"].reason or "")
    assert any(note.startswith("short window") for note in reading.quality)
    # How long a window has to be, so that rounds are repeated in it: ten updates.
    with rig.meter(device="cuda") as meter:
        assert least_window_s(meter.equipment) == pytest.approx(1.0)


def test_f09_a_window_of_few_updates_says_how_little_it_knows() -> None:
    # Naive: 30 J, as if the counter had been read and not a value of up to 0.1 s ago.
    gpu = FakeGpu()

    def step(_: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += 10_000

    bounds = domain_interval("gpu", [Rig(nvml=FakeNvml(gpu)).run(3, step, device="cuda")])

    assert bounds is not None
    assert bounds.j == pytest.approx(30.0)
    assert bounds.random_j == pytest.approx(1.96 * 100.0 * 0.1 / 6**0.5, rel=0.001)


def test_f10_the_counter_is_preferred_to_power_that_is_sampled_a_quarter_of_the_time() -> None:
    # Naive: integrate what the power field shows.
    gpu = FakeGpu(instant_mw={0: 90_000})

    def step(number: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += 25_000
        gpu.instant_mw = {0: 400_000 if number % 4 == 0 else 90_000}

    reading = Rig(nvml=FakeNvml(gpu)).run(40, step, device="cuda")

    assert reading.energy["gpu"].source == "nvml-counter"
    assert reading.energy["gpu"].j == pytest.approx(1000.0)
    assert reading.suspect


def test_f10_where_there_is_power_alone_its_scatter_widens_the_interval_and_the_quarter_is_owned_up_to() -> None:
    # Naive: 670 J, and no word.
    gpu = FakeGpu(model="NVIDIA H100 PCIe", energy_mj=NVMLError(NOT_SUPPORTED))

    def step(number: int) -> None:
        gpu.instant_mw = {0: 400_000 if number % 4 == 0 else 90_000}

    reading = Rig(nvml=FakeNvml(gpu)).run(40, step, device="cuda")
    bounds = domain_interval("gpu", [reading])

    assert bounds is not None
    assert (bounds.random_pct or 0.0) > 20.0
    assert any("a quarter of the time (arXiv 2312.02741)" in note for note in reading.quality)


def test_f11_the_instant_field_is_used_and_the_average_is_owned_up_to() -> None:
    # Naive: nvmlDeviceGetPowerUsage, a one-second average on Ampere and later.
    no_counter = NVMLError(NOT_SUPPORTED)
    instant = FakeGpu(energy_mj=no_counter, instant_mw={0: 300_000}, usage_mw=120_000)
    averaged = FakeGpu(energy_mj=no_counter, instant_mw={}, usage_mw=120_000)

    first = Rig(nvml=FakeNvml(instant)).run(20, device="cuda")
    second = Rig(nvml=FakeNvml(averaged)).run(20, device="cuda")

    assert first.energy["gpu"].j == pytest.approx(600.0)
    assert second.energy["gpu"].j == pytest.approx(240.0)
    assert any("average over the last second" in note for note in second.quality)
    assert not any("average over the last second" in note for note in first.quality)


def test_f11_the_lag_of_an_average_is_in_its_interval() -> None:
    # Naive: 2,150 J and ±5 %: the first second shows the idleness before.
    gpu = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED), instant_mw={}, usage_mw=100_000)

    def step(number: int) -> None:
        gpu.usage_mw = 100_000 + 20_000 * min(number + 1, 10)

    bounds = domain_interval("gpu", [Rig(nvml=FakeNvml(gpu)).run(75, step, device="cuda")])

    assert bounds is not None
    assert bounds.j == pytest.approx(2250.0, rel=0.005)
    assert bounds.low_j <= 7.5 * 300.0 <= bounds.high_j
    assert bounds.systematic_j == pytest.approx(0.05 / 0.95 * 2250.0 + 10.0, rel=0.03)


@pytest.mark.parametrize(
    ("gpu", "visible"),
    [
        (FakeGpu(mig=True), "0"),
        (FakeGpu(uuid="GPU-bbbb"), "MIG-GPU-bbbb/1/0"),
        (FakeGpu(), "MIG-5c6d7e8f-0000"),
    ],
)
def test_f12_a_mig_slice_makes_no_claim(gpu: FakeGpu, visible: str) -> None:
    # Naive: the whole GPU's joules for one tenant, or a crash on the id.
    def step(_: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += 10_000

    rig = Rig(nvml=FakeNvml(gpu), environ={"CUDA_VISIBLE_DEVICES": visible})
    reading = rig.run(20, step, device="cuda")

    assert reading.energy["gpu"].j is None
    assert reading.total_j is None
    assert "MIG slice" in (reading.energy["gpu"].reason or "")
    assert reading.gpu_utilization_pct is None
    assert reading.power.mean_w is None
    assert reading.power.peak_w is None


@pytest.mark.parametrize("uuid", [None, "5c6d7e8f-0000"])
@pytest.mark.parametrize("order", [1, -1])
def test_f12_of_two_gpus_it_is_the_slices_own_that_is_looked_at(uuid: str | None, order: int) -> None:
    # Naive: the first one's throttling and processes, or "names 0 of the GPUs" where CUDA gives the UUID.
    whole = FakeGpu(uuid="GPU-aaaa", clock_events=0x40, processes=[(100, 1), (4711, 1)])
    cut = FakeGpu(uuid="GPU-bbbb", mig=True, slices=["MIG-5c6d7e8f-0000"], processes=[(100, 1), (815, 1)])
    rig = Rig(
        nvml=FakeNvml(*[whole, cut][::order]),
        environ={"CUDA_VISIBLE_DEVICES": "MIG-5c6d7e8f-0000"},
        cuda=CudaHooks(lambda: None, uuid, lambda: None, lambda: 0),
    )
    reading = rig.run(5, device="cuda")

    assert reading.gpu is not None
    assert (reading.gpu.uuid, reading.gpu.throttled, reading.gpu.foreign_pids) == ("GPU-bbbb", {}, (815,))
    assert "MIG slice" in (reading.energy["gpu"].reason or "")


def test_f13_the_device_is_found_by_its_uuid() -> None:
    # Naive: cuda:0 is NVML's first.
    idle, busy = FakeGpu(uuid="GPU-aaaa", model="NVIDIA T4"), FakeGpu(uuid="GPU-bbbb")

    def step(_: int) -> None:
        assert isinstance(busy.energy_mj, int)
        busy.energy_mj += 10_000

    for environ in (
        {"CUDA_VISIBLE_DEVICES": "GPU-bbbb"},
        {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
    ):
        reading = Rig(nvml=FakeNvml(idle, busy), environ=environ).run(20, step, device="cuda:0")
        assert reading.energy["gpu"].j == pytest.approx(200.0)

    # CUDA puts the fastest first, NVML goes by bus: with two models an index says nothing.
    unsure = Rig(nvml=FakeNvml(idle, busy)).run(20, step, device="cuda:0")
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in (unsure.energy["gpu"].reason or "")


def test_f14_module_power_is_called_that() -> None:
    # Naive: Grace Hopper's module power passes for the GPU's.
    gpu = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED), instant_mw={1: 600_000})

    reading = Rig(nvml=FakeNvml(gpu)).run(20, device="cuda")

    assert "scope module" in (reading.energy["gpu"].detail or "")
    assert any("whole module" in note for note in reading.quality)
    assert reading.gpu is not None
    assert reading.gpu.scope == "module"


def test_f14_module_power_is_no_second_source_for_the_counter_of_a_gpu() -> None:
    # Naive: suspect, since the module draws more than its GPU.
    gpu = FakeGpu(instant_mw={1: 600_000})

    def step(_: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += 30_000

    reading = Rig(nvml=FakeNvml(gpu)).run(20, step, device="cuda")

    assert reading.energy["gpu"].j == pytest.approx(600.0)
    assert not reading.suspect
    assert any("does not say whether its energy counter is, too" in note for note in reading.quality)


def test_f15_foreign_processes_are_listed() -> None:
    # Naive: all the device's joules are ours.
    gpu = FakeGpu(processes=[(100, 1_000_000_000), (4711, 9_000_000_000)])

    reading = Rig(nvml=FakeNvml(gpu)).run(5, device="cuda")

    assert "foreign processes on the GPU: 4711" in reading.quality
    assert reading.suspect
    assert reading.peak_vram_mb == pytest.approx(1000.0)
    assert reading.gpu is not None
    assert reading.gpu.foreign_pids == (4711,)


@pytest.mark.parametrize("which", ["graphics", "mps"])
def test_f15_those_who_draw_and_clients_of_mps_are_foreign_too(which: str) -> None:
    # Naive: the list of compute processes alone.
    gpu = FakeGpu(processes=[(100, 1_000_000_000)])
    setattr(gpu, which, [(4711, 9_000_000_000), (100, 1_000_000_000)])

    reading = Rig(nvml=FakeNvml(gpu)).run(5, device="cuda")

    assert "foreign processes on the GPU: 4711" in reading.quality
    assert reading.suspect
    assert reading.peak_vram_mb == pytest.approx(1000.0)
    assert reading.gpu is not None
    assert reading.gpu.foreign_pids == (4711,)


@pytest.mark.parametrize("begin_mj", [5_000_000, 20_000])
def test_f16_a_counter_that_goes_back_gives_no_partial_total(begin_mj: int) -> None:
    # Naive: a negative number, or, where it has passed its begin again, last less first.
    gpu = FakeGpu(energy_mj=begin_mj)

    def step(number: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj = 3_000 if number == 5 else gpu.energy_mj + 10_000

    reading = Rig(nvml=FakeNvml(gpu)).run(20, step, device="cuda")

    assert reading.energy["gpu"].j is None
    assert "went backwards" in (reading.energy["gpu"].reason or "")
    assert reading.total_j is None


def test_f17_the_work_of_a_window_is_waited_for_at_both_edges() -> None:
    # Naive: read the counter when the launches have returned: 700 J of what came before, 0 J of the window's own.
    gpu = FakeGpu()
    running_mj = [700_000]

    def synchronize() -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += running_mj.pop() if running_mj else 0

    hooks = CudaHooks(synchronize, None, lambda: None, lambda: 0)
    rig = Rig(nvml=FakeNvml(gpu), cuda=hooks)
    with rig.meter(device="cuda") as meter:
        meter.start()
        rig.clock.advance(2.0)
        running_mj.append(300_000)
        reading = meter.stop()

    assert reading.energy["gpu"].j == pytest.approx(300.0)
    assert not any("CUDA was not waited for" in note for note in reading.quality)


def test_f17_cuda_that_is_not_waited_for_is_said() -> None:
    # Naive: work that runs on behind the window is free.
    reading = Rig(nvml=FakeNvml(FakeGpu())).run(2, device="cuda")

    assert "CUDA was not waited for at the window's edges: its work may lie outside" in reading.quality


def test_f18_throttling_and_warming_are_said() -> None:
    # Naive: a slow case is the configuration's fault.
    gpu = FakeGpu()

    def step(number: int) -> None:
        gpu.temperature_c = 40 + number
        gpu.clock_events = 0x20 if number >= 15 else 0x01

    reading = Rig(nvml=FakeNvml(gpu)).run(20, step, device="cuda")

    assert "GPU throttled: software thermal slowdown in 6 of 22 samples" in reading.quality
    assert "GPU temperature moved from 40 to 59 °C within the window" in reading.quality
    assert not any("power cap" in note for note in reading.quality)
    assert reading.gpu is not None
    assert reading.gpu.throttled == pytest.approx({"software thermal slowdown": 6 / 22})
    assert (reading.gpu.temperature_min_c, reading.gpu.temperature_max_c) == (40, 59)


def test_f19_a_sampler_that_pauses_is_said_and_power_with_a_hole_is_unknown() -> None:
    # Naive: a straight line across the hole.
    gpu = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED))
    rig = Rig(nvml=FakeNvml(gpu))

    reading = rig.run(20, lambda number: rig.clock.advance(3.0) if number == 10 else None, device="cuda")

    assert reading.energy["gpu"].j is None
    assert "no power sample every" in (reading.energy["gpu"].reason or "")
    assert "the sampler paused for 3.10 s, at 0.1 s an interval" in reading.quality


def _sampler_of(meter: EnergyMeter) -> int:
    sampler = meter._sampler
    assert isinstance(sampler, ProcessSampler)
    assert sampler.pid is not None
    return sampler.pid


def test_f19_a_sampler_that_is_killed_costs_what_it_alone_knew(tmp_path: Path) -> None:
    # Naive: wait for it for ever, or go on without it and say nothing.
    tree = fake_sysfs.amd(tmp_path)
    with open_meter("require", interval_s=0.005, powercap=tree.root, sockets=lambda: 1) as meter:
        meter.start()
        killed = _sampler_of(meter)
        wait_for_ticks(killed, 3)
        tree.spend("intel-rapl:0", 5.0)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_gone(killed), "the end of the sampler")
        reading = meter.stop()

        assert reading.energy["cpu_package"].j == pytest.approx(5.0)
        assert reading.suspect
        assert any("exit status -9 (SIGKILL)" in note for note in reading.quality)
        assert reading.peak_host_mb is None
        assert "exit status -9 (SIGKILL)" in reading.reasons["peak_host_mb"]
        with meter.window() as window:
            tree.spend("intel-rapl:0", 3.0)
        assert _sampler_of(meter) != killed
    assert not window.reading.suspect
    assert window.reading.energy["cpu_package"].j == pytest.approx(3.0)
    assert window.reading.peak_host_mb is not None


def test_f19_a_workload_that_keeps_the_interpreters_lock_does_not_stop_the_sampler() -> None:
    # Naive: a thread, which gets the lock between two calls into C and no sooner.
    digits, lasted_s = 100_000, 0.0
    with open_meter("off", interval_s=0.005) as meter:
        while lasted_s < 0.3:
            digits *= 2
            with meter.window() as window:
                began = time.monotonic()
                assert 7**digits > 0
                lasted_s = time.monotonic() - began

    assert window.reading.trace.health.ticks > 10


MAIN = """
import pathlib, sys
from leanner.meters import open_meter

with open(sys.argv[1], "a") as file:
    file.write("top level\\n")
meter = open_meter("off", interval_s=0.005)
meter.start()
print(meter._sampler.pid, flush=True)
input()
meter.stop()
meter.close()
"""


def test_f20_the_users_main_module_is_not_run_again(tmp_path: Path) -> None:
    # Naive: multiprocessing's `spawn`, which imports `__main__` anew, and with it torch and what the user does there.
    script, log = tmp_path / "main_of_a_user.py", tmp_path / "log"
    script.write_text(MAIN)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(script), str(log)], stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        wait_for_ticks(pid, 3)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        mapped = Path(f"/proc/{pid}/maps").read_text()
        run.communicate("\n")

    assert run.returncode == 0
    assert log.read_text() == "top level\n"
    assert b"main_of_a_user" not in command
    assert "python" in mapped
    assert not any(library in mapped for library in ("libtorch", "numpy"))


def test_f21_no_signal_handler_is_taken_and_no_file_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: a lock file and a handler that removes it.
    monkeypatch.chdir(tmp_path)
    numbers = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    before = {number: signal.getsignal(number) for number in numbers}

    with open_meter("off") as meter, meter.window():
        during = {number: signal.getsignal(number) for number in numbers}

    assert during == before
    assert list(tmp_path.iterdir()) == []


def test_f33_the_allocators_peak_starts_anew_in_each_window() -> None:
    # Naive: the peak of the case before. Here the kernel's, for the host; CUDA's: test_meter.py.
    tree = FakeTree(high_water=0)
    resets: list[int] = []

    def reset() -> bool:
        resets.append(1)
        tree.high_water = 0
        return True

    tree.reset_high_water = reset  # type: ignore[method-assign]
    rig = Rig(tree=tree)
    with rig.meter() as meter:
        meter.start()
        tree.high_water = 4_000_000_000
        assert meter.stop().peak_host_mb == pytest.approx(4000.0)
        meter.start()
        assert meter.stop().peak_host_mb == pytest.approx(500.0)
    assert len(resets) == 2


def test_f34_children_count() -> None:
    # Naive: the RSS of this process.
    tree = FakeTree(memory={100: Memory(500_000_000), 101: Memory(300_000_000)})

    assert Rig(tree=tree).run(2).peak_host_mb == pytest.approx(800.0)


def test_f34_a_child_that_comes_and_goes_within_the_window_counts_and_the_sampler_does_not() -> None:
    # Naive: look at the edges alone; or count whatever hangs below this process.
    child = "import sys; block = b'x' * 300_000_000; print('ready', flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with open_meter("off", interval_s=0.005) as meter:
        with meter.window() as before:
            pass
        meter.start()
        with subprocess.Popen([sys.executable, "-c", child], stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            wait_for_ticks(_sampler_of(meter), 3)
            process.communicate("")
        reading = meter.stop()

        assert _sampler_of(meter) not in ProcessTree().pids()
    assert reading.peak_host_mb is not None
    assert before.reading.peak_host_mb is not None
    assert 300.0 < reading.peak_host_mb - before.reading.peak_host_mb < 340.0


def test_f35_a_step_of_the_wall_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: time.time().
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    sampler = EdgeSampler([Recorder("a")], 60.0)
    sampler.start()
    trace = sampler.stop()

    assert trace.end_ns > trace.start_ns
    assert monotonic_ns is time.perf_counter_ns
    assert not time.get_clock_info("perf_counter").adjustable


@pytest.mark.parametrize("number", range(1, 36))
def test_every_accident_has_its_test(number: int) -> None:
    tests = Path(__file__).parents[1]

    assert any(f"def test_f{number:02}_" in path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))
