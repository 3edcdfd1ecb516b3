"""One test for each accident that others have had, by its number; each fails on the naive way named in it.

Numbers without a test here belong to other rooms (timing, scoring, journal) or to a
sampler in a process of its own.
"""

from __future__ import annotations

import signal
import threading
import time

from pathlib import Path

import pytest

from leanner.meters import MeterError
from leanner.meters.clock import monotonic_ns
from leanner.meters.sampler import ThreadSampler
from leanner.meters.zones import PERMISSION
from meters import fake_sysfs
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.fake_tree import FakeTree
from meters.fake_tree import Memory
from meters.rig import Rig
from meters.test_sampler import Recorder


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
    reading = Rig(nvml=FakeNvml(FakeGpu()), interval_s=0.02).run(1, device="cuda")

    assert reading.energy["gpu"].j is None
    assert "not updated within the window of 0.020 s" in (reading.energy["gpu"].reason or "")
    assert any(note.startswith("short window") for note in reading.quality)


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
    assert "MIG slice" in (reading.energy["gpu"].reason or "")
    assert reading.gpu_utilization_pct is None
    assert reading.power.mean_w is None
    assert reading.power.peak_w is None


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


def test_f15_foreign_processes_are_listed() -> None:
    # Naive: all the device's joules are ours.
    gpu = FakeGpu(processes=[(100, 1_000_000_000), (4711, 9_000_000_000)])

    reading = Rig(nvml=FakeNvml(gpu)).run(5, device="cuda")

    assert "foreign processes on the GPU: 4711" in reading.quality
    assert reading.suspect
    assert reading.peak_vram_mb == pytest.approx(1000.0)


def test_f16_a_counter_that_goes_back_gives_no_partial_total() -> None:
    # Naive: a negative number, or the part behind the reset.
    gpu = FakeGpu()

    def step(number: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj = 3_000 if number == 5 else gpu.energy_mj + 10_000

    reading = Rig(nvml=FakeNvml(gpu)).run(20, step, device="cuda")

    assert reading.energy["gpu"].j is None
    assert "went backwards" in (reading.energy["gpu"].reason or "")
    assert reading.total_j is None


def test_f17_cuda_that_is_not_waited_for_is_said() -> None:
    # Naive: work that runs on behind the window is free. The waiting itself: test_meter.py.
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


def test_f19_a_sampler_that_pauses_is_said_and_power_with_a_hole_is_unknown() -> None:
    # Naive: a straight line across the hole.
    gpu = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED))
    rig = Rig(nvml=FakeNvml(gpu))

    reading = rig.run(20, lambda number: rig.clock.advance(3.0) if number == 10 else None, device="cuda")

    assert reading.energy["gpu"].j is None
    assert "no power sample every" in (reading.energy["gpu"].reason or "")
    assert "the sampler paused for 3.10 s, at 0.1 s an interval" in reading.quality


def test_f19_a_sampler_that_dies_is_not_survived() -> None:
    # Naive: the thread prints its traceback, the window goes on.
    class Dying(Recorder):
        def sample(self, moment: object) -> object:  # type: ignore[override]
            if threading.current_thread().name == "leanner-sampler":
                self.ticked.release()
                raise MemoryError
            return super().sample(moment)  # type: ignore[arg-type]

    source = Dying("a")
    sampler = ThreadSampler([source], 0.001)  # type: ignore[list-item]
    sampler.start()
    assert source.ticked.acquire(timeout=30.0)
    with pytest.raises(MeterError, match="MemoryError"):
        sampler.stop()


def test_f21_no_signal_handler_is_taken_and_no_file_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: a lock file and a handler that removes it.
    monkeypatch.chdir(tmp_path)
    numbers = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    before = {number: signal.getsignal(number) for number in numbers}

    with Rig().meter() as meter, meter.window():
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


def test_f35_a_step_of_the_wall_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: time.time().
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    sampler = ThreadSampler([Recorder("a")], 60.0)
    sampler.start()
    trace = sampler.stop()

    assert trace.end_ns > trace.start_ns
    assert monotonic_ns is time.perf_counter_ns
    assert not time.get_clock_info("perf_counter").adjustable
