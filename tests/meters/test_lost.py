from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.meters.combine import combine
from leanner.meters.sampling import health_of
from leanner.meters.trace import Moment
from meters import fake_sysfs
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.rig import Rig


if TYPE_CHECKING:
    from leanner.meters import Reading


WHY = "the sampler was lost within the window: exit status -9 (SIGKILL)"


def _lose(rig: Rig, reading: Reading, device: str) -> Reading:
    """Return the reading of the same window, had its sampler been lost."""
    trace = reading.trace
    edges = tuple(sample for sample in trace.samples if sample.moment is not Moment.TICK)
    health = health_of(trace.start_ns, [], trace.end_ns, failure=WHY)
    with rig.meter(device=device) as meter:
        return combine(meter.equipment, replace(trace, samples=edges, health=health), peak_allocated_b=2_000_000)


def _busy(gpu: FakeGpu, tree: fake_sysfs.FakePowercap) -> None:
    tree.spend("intel-rapl:0", 5.0)
    if isinstance(gpu.energy_mj, int):
        gpu.energy_mj += 10_000


def _lost_reading(gpu: FakeGpu, folder: Path, *, ticks: int = 20) -> Reading:
    tree = fake_sysfs.amd(folder)
    rig = Rig(tree, FakeNvml(gpu))
    whole = rig.run(ticks, lambda _: _busy(gpu, tree), device="cuda")
    assert not whole.suspect
    return _lose(rig, whole, "cuda")


def test_counters_that_were_read_at_both_edges_still_count(tmp_path: Path) -> None:
    reading = _lost_reading(FakeGpu(processes=[(100, 1_000_000_000)]), tmp_path)

    assert reading.energy["gpu"].j == pytest.approx(200.0)
    assert reading.energy["cpu_package"].j == pytest.approx(100.0)
    assert reading.power.mean_w == pytest.approx(100.0)
    assert reading.peak_vram_allocated_mb == pytest.approx(2.0)


def test_what_needs_ticks_is_unknown_with_the_reason(tmp_path: Path) -> None:
    reading = _lost_reading(FakeGpu(processes=[(100, 1_000_000_000)]), tmp_path)

    assert reading.power.peak_w is None
    for name in ("peak_host_mb", "peak_vram_mb", "gpu_utilization_pct"):
        assert getattr(reading, name) is None
        assert reading.reasons[name] == WHY
    assert reading.reasons["power"] == WHY
    assert WHY in reading.quality
    assert not any("paused" in note for note in reading.quality)
    assert reading.suspect


@pytest.mark.parametrize("ticks", [2, 20])
def test_power_is_not_integrated_from_two_samples(tmp_path: Path, ticks: int) -> None:
    reading = _lost_reading(FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED)), tmp_path, ticks=ticks)

    assert reading.energy["gpu"].j is None
    assert WHY in (reading.energy["gpu"].reason or "")
    assert reading.power.mean_w is None
    assert reading.total_j is None


def test_a_counter_that_may_have_wrapped_meanwhile_is_unknown(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree, interval_s=10.0)
    whole = rig.run(10, lambda _: tree.spend("intel-rapl:0", 1000.0))
    domain = _lose(rig, whole, "cpu").energy["cpu_package"]

    assert whole.energy["cpu_package"].j == pytest.approx(10_000.0)
    assert domain.j is None
    assert "may have wrapped unseen" in (domain.reason or "")
    assert WHY in (domain.reason or "")


def test_what_the_machine_cannot_tell_anyway_keeps_its_reason() -> None:
    rig = Rig()
    whole = rig.run(5)
    reading = _lose(rig, whole, "cpu")

    assert reading.energy == whole.energy
    for name in ("gpu_utilization_pct", "peak_vram_mb", "cgroup_peak_mb", "power"):
        assert reading.reasons[name] == whole.reasons[name]
