from __future__ import annotations

import math

from pathlib import Path

import pytest

from leanner.meters import Mode
from leanner.meters import least_window_s
from meters import fake_sysfs
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.rig import Rig


def _least_s(rig: Rig, device: str = "cpu", mode: Mode = "auto") -> float:
    with rig.meter(mode, device) as meter:
        return least_window_s(meter.equipment)


def test_a_window_holds_ten_updates_of_what_meters_the_device_at_work(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)

    assert _least_s(Rig(tree)) == pytest.approx(0.01)
    assert _least_s(Rig(tree, FakeNvml(FakeGpu())), "cuda") == pytest.approx(1.0)
    assert _least_s(Rig(watts_per_core=10.0), mode="estimate") == pytest.approx(0.1)


def test_a_window_holds_ten_seconds_of_what_averages_over_one() -> None:
    averaged = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED), instant_mw={})

    assert _least_s(Rig(nvml=FakeNvml(averaged)), "cuda") == pytest.approx(10.0)
    assert _least_s(Rig(nvml=FakeNvml(FakeGpu(instant_mw={}))), "cuda") == pytest.approx(1.0)  # its counter counts


def test_a_counter_that_is_slower_than_its_window_is_said() -> None:
    gpu = FakeGpu()

    def step(number: int) -> None:
        if number % 10 == 3 and isinstance(gpu.energy_mj, int):
            gpu.energy_mj += 300_000

    short = Rig(nvml=FakeNvml(gpu)).run(50, step, device="cuda")
    long = Rig(nvml=FakeNvml(gpu)).run(200, step, device="cuda")

    uncertainty = short.energy["gpu"].uncertainty
    assert uncertainty is not None
    assert uncertainty.random_j == pytest.approx(300.0 * 0.9 / math.sqrt(6.0), rel=0.01)
    note = "short window: the GPU's energy counter was updated every 0.9 s: 5.00 s are less than ten of its updates"
    assert note in short.quality
    assert not any("less than ten of its updates" in text for text in long.quality)


def test_where_nothing_meters_no_window_is_too_short(tmp_path: Path) -> None:
    denied = fake_sysfs.amd(tmp_path)
    denied.denied.add(denied.counter("intel-rapl:0"))

    assert _least_s(Rig(denied)) == 0.0
    assert _least_s(Rig(nvml=FakeNvml(FakeGpu(mig=True))), "cuda") == 0.0
    assert _least_s(Rig(fake_sysfs.amd(tmp_path / "off")), mode="off") == 0.0


def test_a_window_that_is_short_nevertheless_is_said(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree, interval_s=0.004)

    short = rig.run(2, lambda _: tree.spend("intel-rapl:0", 1.0))
    long = rig.run(3, lambda _: tree.spend("intel-rapl:0", 1.0))

    note = "short window: 0.008 s are less than ten updates of what counts its joules (0.01 s)"
    assert note in short.quality
    assert not any(text.startswith("short window") for text in long.quality)


def test_a_window_without_length_has_no_joules(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree)
    with rig.meter() as meter:
        meter.start()
        tree.spend("intel-rapl:0", 1.0)
        reading = meter.stop()

    assert reading.energy["cpu_package"].reason == "intel-rapl:0: the window has no length"
