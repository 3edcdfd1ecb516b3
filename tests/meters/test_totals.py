from __future__ import annotations

import math

from pathlib import Path

import pytest

from leanner.meters import domain_interval
from leanner.meters import total_interval
from leanner.meters.totals import domain_uncertainty
from meters import fake_sysfs
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.rig import Rig


def _rapl(tmp_path: Path) -> Rig:
    tree = fake_sysfs.intel(tmp_path)
    return Rig(tree, sockets=2)


def _spend(rig: Rig, package_j: float, dram_j: float) -> None:
    assert rig.powercap is not None
    for package in (0, 1):
        rig.powercap.spend(f"intel-rapl:{package}", package_j / 2)
        rig.powercap.spend(f"intel-rapl:{package}:1", dram_j / 2)


def test_one_window_of_rapl(tmp_path: Path) -> None:
    rig = _rapl(tmp_path)
    reading = rig.run(100, lambda _: _spend(rig, 20.0, 2.0))

    package = reading.energy["cpu_package"].uncertainty
    assert package is not None
    # 2,000 J at ±5 %, a unit of 2^-14 J for each socket; an update of 1 ms at 100 W each.
    assert package.systematic_j == pytest.approx(2000.0 * 0.05 / 0.95 + 2 * 2.0**-14)
    assert package.random_j == pytest.approx(math.sqrt(2.0) * 100.0 * 0.001 / math.sqrt(6.0))
    dram = reading.energy["dram"].uncertainty
    assert dram is not None
    assert dram.systematic_j == pytest.approx(200.0 * 0.2 / 0.8 + 2 * 2.0**-14)

    bounds, reason = total_interval([reading])
    assert reason is None
    assert bounds is not None
    assert bounds.j == pytest.approx(2200.0)
    assert bounds.low_j < 2200.0 < bounds.high_j
    assert bounds.systematic_j == pytest.approx(package.systematic_j + dram.systematic_j)
    # Less than both bounds together: two sensors are rarely off by all they may be, in one direction.
    assert package.systematic_j < bounds.high_j - 2200.0 < bounds.systematic_j


def test_windows_share_the_gain_and_not_the_rest(tmp_path: Path) -> None:
    rig = _rapl(tmp_path)
    readings = [rig.run(10, lambda _: _spend(rig, 20.0, 2.0)) for _ in range(9)]

    one, nine = domain_interval("cpu_package", readings[:1]), domain_interval("cpu_package", readings)
    assert one is not None
    assert nine is not None
    assert nine.j == pytest.approx(9 * one.j)
    assert nine.systematic_pct == pytest.approx(one.systematic_pct)
    assert nine.random_pct == pytest.approx((one.random_pct or 0.0) / 3.0)


def test_a_total_that_is_unknown_has_its_reason(tmp_path: Path) -> None:
    rig = _rapl(tmp_path)
    known = rig.run(10, lambda _: _spend(rig, 20.0, 2.0))
    unknown = rig.run(10)

    assert total_interval([known, unknown])[0] is None
    assert "cpu_package: intel-rapl:0: the counter did not move" in (total_interval([known, unknown])[1] or "")
    assert domain_interval("cpu_package", [known, unknown]) is None
    assert domain_interval("gpu", [known]) is None
    assert total_interval([]) == (None, "there is no window")
    assert domain_uncertainty("cpu_package", []) is None


def test_an_estimate_has_no_interval() -> None:
    rig = Rig(watts_per_core=12.0)

    def step(_: int) -> None:
        rig.tree.used_cpu_s += 0.2

    reading = rig.run(10, step, mode="estimate")

    assert reading.total_j == pytest.approx(24.0)
    bounds, reason = total_interval([reading])
    assert bounds is None
    assert reason == "cpu_package: joules are estimated, and nothing is known of how far an estimate is off"


def test_too_few_power_samples_give_joules_without_an_interval(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    gpu = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED))
    reading = Rig(tree, FakeNvml(gpu)).run(2, lambda _: tree.spend("intel-rapl:0", 1.0), device="cuda")

    assert reading.energy["gpu"].j == pytest.approx(20.0)
    bounds, reason = total_interval([reading])
    assert bounds is None
    assert (reason or "").startswith("gpu: too few power samples")
