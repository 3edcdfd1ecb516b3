from __future__ import annotations

import math
import statistics

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from leanner.meters.spread import spread_w
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from meters import fake_sysfs
from meters import truth
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.fake_sysfs import RANGE_UJ
from meters.rig import Rig


if TYPE_CHECKING:
    from leanner.meters import Reading


SECONDS = (100.0, 110.0, 95.0, 105.0)
# Four seconds: Student's t of 3 degrees of freedom is 3.182.
WIDER = 3.182446 / 1.959964
EXPECTED = WIDER * statistics.stdev(SECONDS) / 2.0


def _known(rig: Rig, reading: Reading, name: str, device: str = "cpu") -> tuple[float | None, str | None]:
    with rig.meter(device=device) as meter:
        return spread_w(meter.equipment, reading.trace, name)


def _spread(rig: Rig, reading: Reading, name: str, device: str = "cpu") -> float:
    watts, reason = _known(rig, reading, name, device)
    assert watts is not None
    assert reason is None
    return watts


def _rapl(rig: Rig, watts: Sequence[float]) -> Reading:
    def step(number: int) -> None:
        assert rig.powercap is not None
        for package in (0, 1):
            rig.powercap.spend(f"intel-rapl:{package}", 0.05 * watts[number // 10])

    return rig.run(10 * len(watts), step)


def test_seconds_of_a_counter_wraps_included(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    tree.set("intel-rapl:1", RANGE_UJ - 120_000_000)
    rig = Rig(tree, sockets=2)

    reading = _rapl(rig, SECONDS)

    assert _spread(rig, reading, "cpu_package") == pytest.approx(EXPECTED, rel=1e-6)
    assert _spread(rig, reading, "dram") == 0.0  # it drew nothing, second by second


def test_seconds_of_a_gauge() -> None:
    gpu = FakeGpu(instant_mw={0: 100_000})
    rig = Rig(nvml=FakeNvml(gpu))

    def step(number: int) -> None:
        gpu.instant_mw = {0: round(1000.0 * SECONDS[number // 10])}

    reading = rig.run(40, step, device="cuda")

    # The line between two samples runs from one second's level to the next one's.
    assert _spread(rig, reading, "gpu", "cuda") == pytest.approx(EXPECTED, rel=0.1)


def test_what_single_samples_scatter_counts_for_little() -> None:
    gpu = FakeGpu(instant_mw={0: 100_000})
    rig = Rig(nvml=FakeNvml(gpu))

    def step(number: int) -> None:
        gpu.instant_mw = {0: 100_000 + 10_000 * (-1) ** number}

    reading = rig.run(100, step, device="cuda")

    assert _spread(rig, reading, "gpu", "cuda") < 10.0 / math.sqrt(100.0)


@pytest.mark.parametrize("instant", [False, True])
def test_seconds_of_a_counter_where_power_is_an_average_or_unknown(*, instant: bool) -> None:
    # Naive: no power samples, so no spread: 0 W. The average of a second moves less than its power.
    gpu = FakeGpu(instant_mw={}, usage_mw=NVMLError(NOT_SUPPORTED) if instant else 100_000)
    rig = Rig(nvml=FakeNvml(gpu))

    def step(number: int) -> None:
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += round(100.0 * SECONDS[number // 10])

    reading = rig.run(40, step, device="cuda")

    assert _spread(rig, reading, "gpu", "cuda") == pytest.approx(EXPECTED, rel=1e-6)


def test_few_seconds_know_their_spread_badly() -> None:
    # Naive: 1.96 standard errors of two seconds hold the mean in 70 % of cases.
    rng = np.random.default_rng(14)
    machine, inside = truth.gpu(has_counter=False), 0
    for _ in range(400):
        times = np.round((truth.BEFORE_S + 0.1 * np.arange(21)) * 1e9).astype(int)
        watts = 60.0 + np.append(np.repeat(rng.normal(0.0, 2.0, 2), 10), 60.0)
        watts[-1] = watts[-2]
        samples = [Sample("nvml", Moment.TICK, t, {"power_mw": 1e3 * w}, {}) for t, w in zip(times, watts, strict=True)]
        found, _ = spread_w(machine, truth.trace(2.0, samples), "gpu")
        assert found is not None
        inside += abs(float(np.mean(watts[:20])) - 60.0) <= 1.96 * found
    assert inside >= 0.92 * 400


def test_what_does_not_show_a_spread_does_not_have_one_of_zero(tmp_path: Path) -> None:
    # Naive: 0 W, as if power stood still.
    rig = Rig(fake_sysfs.intel(tmp_path), sockets=2)
    short = _rapl(rig, SECONDS[:1])
    lost = _rapl(rig, SECONDS)
    lost = replace(lost, trace=replace(lost.trace, health=replace(lost.trace.health, failure="the sampler was killed")))

    for reading, reason in (
        (short, "its spread is unknown: 1 whole seconds of 1 s have a mean, 2 are needed"),
        (lost, "its spread is unknown: the sampler was killed"),
    ):
        watts, why = _known(rig, reading, "cpu_package")
        assert watts is None
        assert (why or "").startswith(reason)


def test_a_line_between_two_samples_is_no_seconds() -> None:
    # Naive: 4 means on the line, of no spread where both ends are alike.
    gpu = FakeGpu(instant_mw={0: 100_000})
    rig = Rig(nvml=FakeNvml(gpu))
    reading = rig.run(40, device="cuda")
    edges = tuple(sample for sample in reading.trace.samples if sample.moment is not Moment.TICK)

    assert _known(rig, replace(reading, trace=replace(reading.trace, samples=edges)), "gpu", "cuda")[0] is None


def test_a_pause_leaves_fewer_seconds(tmp_path: Path) -> None:
    rig = Rig(fake_sysfs.intel(tmp_path), sockets=2)

    def step(number: int) -> None:
        assert rig.powercap is not None
        if number == 20:
            rig.clock.advance(1.5)
            rig.powercap.spend("intel-rapl:0", 150.0)
        rig.powercap.spend("intel-rapl:0", 10.0)

    assert _spread(rig, rig.run(40, step), "cpu_package") == pytest.approx(0.0, abs=0.01)
    blind = Rig(sockets=2)
    assert _known(blind, _rapl(rig, SECONDS), "cpu_package")[0] is None


def test_what_a_pause_leaves_of_a_second_does_not_count_as_one(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree)

    def step(number: int) -> None:
        # A pause of 2 s ends 0.2 s before a second does, and these draw much.
        if number == 20:
            rig.clock.advance(1.7)
            tree.spend("intel-rapl:0", 170.0)
        tree.spend("intel-rapl:0", 100.0 if number in (21, 22) else 10.0)

    reading = rig.run(33, step)

    assert reading.window_s == pytest.approx(5.0)
    assert _spread(rig, reading, "cpu_package") < 10.0
