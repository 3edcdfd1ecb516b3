from __future__ import annotations

from pathlib import Path

import pytest

from leanner.meters import Idle
from leanner.meters import measure_idle
from leanner.meters import net_energy
from meters import fake_sysfs
from meters.rig import Rig


def test_idle_watts_are_subtracted_over_the_window(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    rig = Rig(tree)

    def sleep(seconds: float) -> None:
        rig.clock.advance(seconds)
        tree.spend("intel-rapl:0", 20.0 * seconds)
        tree.spend("intel-rapl:0:1", 3.0 * seconds)

    with rig.meter() as meter:
        idle = measure_idle(meter, 5.0, sleep)
    assert idle.watts["cpu_package"] == pytest.approx(20.0)
    assert idle.watts["dram"] == pytest.approx(3.0)
    assert idle.watts["gpu"] is None
    assert idle.reasons["gpu"] == "the tagger does not run on a CUDA device"

    def step(_: int) -> None:
        tree.spend("intel-rapl:0", 12.0)
        tree.spend("intel-rapl:0:1", 0.5)

    reading = rig.run(10, step)
    assert reading.total_j == pytest.approx(125.0)
    net_j, reason = net_energy(reading, idle)
    assert net_j == pytest.approx(102.0)
    assert reason is None


def test_net_is_unknown_where_total_or_idle_is(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    idle = Idle(1.0, {"cpu_package": None}, {"cpu_package": "permission denied"})

    assert net_energy(Rig().run(1), idle)[0] is None
    reading = Rig(tree).run(2, lambda _: tree.spend("intel-rapl:0", 1.0))
    assert net_energy(reading, idle) == (None, "idle power of cpu_package is unknown: permission denied")


def test_an_estimate_knows_no_idle_power() -> None:
    rig = Rig(watts_per_core=10.0)

    def sleep(seconds: float) -> None:
        rig.clock.advance(seconds)
        rig.tree.used_cpu_s += 1.0

    with rig.meter("estimate") as meter:
        idle = measure_idle(meter, 1.0, sleep)

    assert idle.watts["cpu_package"] is None
    assert "no idle power" in idle.reasons["cpu_package"]
