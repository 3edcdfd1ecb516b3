from __future__ import annotations

import math

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.meters import EnergyDomain
from leanner.meters import Idle
from leanner.meters import Power
from leanner.meters import Reading
from leanner.meters import Uncertainty
from leanner.meters import between
from leanner.meters import idle_of
from leanner.meters import measure_idle
from leanner.meters import net_energy
from leanner.meters import net_interval
from leanner.meters.sensors import gain_bound
from leanner.meters.trace import Health
from leanner.meters.trace import Trace
from meters import fake_sysfs
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.rig import Rig


def test_idle_watts_are_subtracted_over_the_window(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    rig = Rig(tree)

    def sleep(seconds: float) -> None:
        rig.clock.advance(seconds)
        for package in (0, 1):
            tree.spend(f"intel-rapl:{package}", 10.0 * seconds)
            tree.spend(f"intel-rapl:{package}:1", 1.5 * seconds)

    with rig.meter() as meter:
        idle = measure_idle(meter, 5.0, sleep)
    assert idle.watts["cpu_package"] == pytest.approx(20.0)
    assert idle.watts["dram"] == pytest.approx(3.0)
    assert idle.watts["gpu"] is None
    assert idle.reasons["gpu"] == "the tagger does not run on a CUDA device"

    def step(_: int) -> None:
        for package in (0, 1):
            tree.spend(f"intel-rapl:{package}", 6.0)
            tree.spend(f"intel-rapl:{package}:1", 0.25)

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


def _reading(joules: float, window_s: float, random_j: float = 0.0, lag_j: float = 0.0) -> Reading:
    """A window of a CPU that has a package zone alone."""
    absent = EnergyDomain.unknown("this machine has none", expected=False)
    uncertainty = Uncertainty(gain_bound("cpu_package") * joules + lag_j, random_j)
    return Reading(
        window_s=window_s,
        energy={
            "gpu": absent,
            "cpu_package": EnergyDomain(joules, "rapl", uncertainty=uncertainty),
            "cpu_core": absent,
            "dram": absent,
        },
        power=Power("cpu_package", None, None),
        gpu_utilization_pct=None,
        peak_host_mb=None,
        peak_vram_mb=None,
        peak_vram_allocated_mb=None,
        quality=(),
        suspect=False,
        reasons={},
        trace=Trace(0, round(window_s * 1e9), 0.1, (), Health(0, 0.0, None, None)),
    )


def _idle(watts: float, random_w: float = 0.0) -> Idle:
    return Idle(5.0, {"cpu_package": watts}, {}, {"cpu_package": random_w})


def test_idle_power_has_the_spread_of_its_seconds(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree)

    def sleep(seconds: float) -> None:
        for watts in (20.0, 22.0, 18.0, 21.0, 19.0):
            for _ in range(10):
                rig.clock.advance(seconds / 50)
                tree.spend("intel-rapl:0", watts * seconds / 50)
                rig._samplers[-1].tick()

    with rig.meter() as meter:
        idle = measure_idle(meter, 5.0, sleep)

    assert idle.window_s == pytest.approx(5.0)
    assert idle.watts["cpu_package"] == pytest.approx(20.0)
    # Student's t of 4 degrees of freedom beside the normal quantile.
    assert idle.random_w["cpu_package"] == pytest.approx(2.776445 / 1.959964 * math.sqrt(2.5 / 5.0), rel=1e-3)
    assert "dram" not in idle.random_w


def test_idle_power_has_the_phase_of_a_counter_where_nothing_wanders() -> None:
    gpu = FakeGpu(instant_mw={0: 60_000})
    rig = Rig(nvml=FakeNvml(gpu))

    def sleep(seconds: float) -> None:
        def step(_: int) -> None:
            assert isinstance(gpu.energy_mj, int)
            gpu.energy_mj += 6_000

        rig.pass_time(round(10 * seconds), step)

    with rig.meter(device="cuda") as meter:
        idle = measure_idle(meter, 3.5, sleep)

    assert idle.watts["gpu"] == pytest.approx(60.0)
    assert idle.random_w["gpu"] == pytest.approx(60.0 * 0.1 / math.sqrt(6.0) / 3.5)


@dataclass
class AveragingGpu:
    """A GPU whose only reading is power, an average over the last second."""

    gpu: FakeGpu = field(default_factory=lambda: FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED), instant_mw={}))
    watts: list[float] = field(default_factory=lambda: [300.0] * 10)

    def __post_init__(self) -> None:
        self.rig = Rig(nvml=FakeNvml(self.gpu))

    def draw(self, seconds: float, watts: float) -> None:
        """Let time pass; the sampler looks every 0.1 s."""

        def step(_: int) -> None:
            self.watts = [*self.watts[1:], watts]
            self.gpu.usage_mw = round(1000 * sum(self.watts) / len(self.watts))

        self.rig.pass_time(round(seconds / self.rig.interval_s), step)

    def rest(self, seconds: float) -> None:
        """Draw 60 W."""
        self.draw(seconds, 60.0)


def test_rest_behind_work_has_nothing_of_it() -> None:
    # Naive: about 85 W, since the average has a second of work; alike before and after, so that no drift shows it.
    machine = AveragingGpu()
    with machine.rig.meter(device="cuda") as meter:
        machine.draw(2.0, 300.0)
        idle = measure_idle(meter, 5.0, machine.rest)

    assert idle.window_s == pytest.approx(5.0)
    assert idle.watts["gpu"] == pytest.approx(60.0)
    assert idle.lag_w["gpu"] == pytest.approx(0.0, abs=1e-9)


def test_the_lag_of_rest_is_kept_apart_from_the_gain() -> None:
    machine = AveragingGpu()
    with machine.rig.meter(device="cuda") as meter:
        machine.draw(2.0, 300.0)
        with meter.window("idle-after", rounds=0) as window:
            machine.rest(5.0)
        idle = idle_of(window.reading, meter.equipment)

    watts = idle.watts["gpu"]
    assert watts is not None
    # Naive: 84 W. What the average over 1 s still had of the change by 240 W, half of it, over 5 s: taken out.
    assert watts == pytest.approx(60.0)
    assert idle.lag_w["gpu"] == pytest.approx(0.1 * 0.5 * 240.0 / 5.0)


def test_only_an_average_has_to_settle(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    slept: list[float] = []
    for rig, device in ((Rig(tree), "cpu"), (Rig(nvml=FakeNvml(FakeGpu())), "cuda"), (AveragingGpu().rig, "cuda")):

        def sleep(seconds: float, rig: Rig = rig) -> None:
            slept.append(seconds)
            rig.clock.advance(seconds)

        with rig.meter(device=device) as meter:
            measure_idle(meter, 3.0, sleep)

    assert slept == pytest.approx([3.0, 3.0, 1.1, 3.0])


def test_the_lag_of_rest_enters_the_systematic_part() -> None:
    readings = [_reading(500.0, 5.0, lag_j=2.0), _reading(500.0, 5.0, lag_j=1.0)]
    before, after = (replace(_idle(50.0), lag_w={"cpu_package": lag_w}) for lag_w in (1.0, 3.0))

    bounds, _ = net_interval(readings, between(before, after))

    assert bounds is not None
    assert bounds.systematic_j == pytest.approx(gain_bound("cpu_package") * 500.0 + 3.0 + 2.0 * 10.0)
    assert bounds.random_j == 0.0


def test_what_is_said_of_rest_is_kept() -> None:
    gpu = FakeGpu(processes=[(100, 10**9), (4242, 10**9)])
    rig = Rig(nvml=FakeNvml(gpu))

    def sleep(seconds: float) -> None:
        rig.clock.advance(seconds)
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += round(60_000 * seconds)

    with rig.meter(device="cuda") as meter:
        disturbed = measure_idle(meter, 3.0, sleep)
        gpu.processes = [(100, 10**9)]
        alone = measure_idle(meter, 3.0, sleep)

    assert "foreign processes on the GPU: 4242" in disturbed.quality
    assert disturbed.suspect
    assert not alone.suspect
    for both in (between(disturbed, alone), between(alone, disturbed)):
        assert both.suspect
        assert both.quality.count("foreign processes on the GPU: 4242") == 1


def test_the_mean_of_both_is_subtracted_and_their_distance_is_the_drift() -> None:
    idle = between(_idle(20.0, 0.3), _idle(24.0, 0.4))

    assert idle.watts["cpu_package"] == pytest.approx(22.0)
    assert idle.drift_w["cpu_package"] == pytest.approx(4.0)
    assert idle.random_w["cpu_package"] == pytest.approx(0.25)
    assert idle.window_s == pytest.approx(10.0)


def test_idle_power_that_is_unknown_once_is_unknown() -> None:
    unknown = Idle(5.0, {"cpu_package": None}, {"cpu_package": "it was busy"})

    for pair in ((_idle(20.0), unknown), (unknown, _idle(20.0)), (_idle(20.0), Idle(5.0, {}, {}))):
        assert between(*pair).watts["cpu_package"] is None
    idle = between(_idle(20.0), unknown)
    assert net_interval([_reading(100.0, 2.0)], idle) == (
        None,
        "idle power of cpu_package is unknown: it was busy",
    )


def test_one_gain_scales_load_and_idle_alike() -> None:
    # Naive: the gain of the total, 5 % of 1,000 J for a net of 100 J.
    readings = [_reading(500.0, 5.0), _reading(500.0, 5.0)]
    bounds, reason = net_interval(readings, between(_idle(90.0), _idle(90.0)))

    assert reason is None
    assert bounds is not None
    assert bounds.j == pytest.approx(100.0)
    assert bounds.systematic_j == pytest.approx(gain_bound("cpu_package") * 100.0)
    assert bounds.random_j == 0.0


def test_drift_and_spread_enter_the_random_part() -> None:
    readings = [_reading(500.0, 5.0, random_j=3.0, lag_j=2.0), _reading(500.0, 5.0, random_j=4.0, lag_j=1.0)]
    bounds, _ = net_interval(readings, between(_idle(49.0, 0.3), _idle(51.0, 0.4)))

    assert bounds is not None
    assert bounds.j == pytest.approx(500.0)
    drift_j, spread_j, sensor_j = 1.0 * 10.0 / math.sqrt(3.0), 0.25 * 10.0, 5.0
    assert bounds.random_j == pytest.approx(1.96 * math.hypot(drift_j, spread_j, sensor_j), rel=1e-4)
    assert bounds.systematic_j == pytest.approx(gain_bound("cpu_package") * 500.0 + 3.0)


def test_idle_power_that_was_measured_once_gives_a_net_without_an_interval() -> None:
    reading = _reading(500.0, 5.0)

    assert net_energy(reading, _idle(20.0))[0] == pytest.approx(400.0)
    assert net_interval([reading], _idle(20.0)) == (
        None,
        "idle power of cpu_package: it was not measured twice: its drift and spread are unknown",
    )


def test_idle_power_of_unknown_spread_gives_a_net_without_an_interval(tmp_path: Path) -> None:
    # Naive: a spread of 0 W for a rest of one second.
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree)

    def sleep(seconds: float) -> None:
        rig.pass_time(round(10 * seconds), lambda _: tree.spend("intel-rapl:0", 1.0))

    with rig.meter() as meter:
        both = between(measure_idle(meter, 1.0, sleep), measure_idle(meter, 5.0, sleep))

    assert both.watts["cpu_package"] == pytest.approx(10.0)
    assert net_energy(_reading(500.0, 5.0), both)[0] == pytest.approx(450.0)
    bounds, reason = net_interval([_reading(500.0, 5.0)], both)
    assert bounds is None
    assert (reason or "").startswith("idle power of cpu_package: its spread is unknown: 1 whole seconds")


def test_joules_without_an_uncertainty_have_no_net_interval() -> None:
    reading = _reading(500.0, 5.0)
    bare = replace(reading, energy={**reading.energy, "cpu_package": EnergyDomain(500.0, "nvml-power")})

    bounds, reason = net_interval([bare], between(_idle(20.0), _idle(20.0)))
    assert bounds is None
    assert (reason or "").startswith("cpu_package: too few power samples")
    assert net_interval([], between(_idle(20.0), _idle(20.0))) == (None, "there is no window")


@given(
    joules=st.floats(1.0, 1e5),
    window_s=st.floats(0.1, 100.0),
    share=st.floats(0.0, 1.2),
    drift=st.floats(0.0, 5.0),
)
def test_the_net_lies_inside_its_own_interval(joules: float, window_s: float, share: float, drift: float) -> None:
    watts = share * joules / window_s
    idle = between(_idle(watts), _idle(watts + drift))
    bounds, _ = net_interval([_reading(joules, window_s)], idle)

    assert bounds is not None
    assert bounds.low_j <= bounds.j <= bounds.high_j
    assert bounds.j == pytest.approx(net_energy(_reading(joules, window_s), idle)[0])


def test_the_net_interval_covers_the_truth() -> None:
    # Idle power wanders between its two measurements; the counter has one gain for all.
    rng = np.random.default_rng(6)
    inside = 0
    for _ in range(2000):
        gain = rng.uniform(0.95, 1.05)
        first_w, last_w = rng.uniform(40.0, 60.0, 2)
        true_idle_w = rng.uniform(min(first_w, last_w), max(first_w, last_w))
        net_j = rng.uniform(500.0, 3000.0)
        readings = [_reading(gain * (net_j / 3 + true_idle_w * 3.0) + rng.normal(0.0, 4.0), 3.0, 4.0) for _ in range(3)]
        looks = [_idle(gain * (watts + rng.normal(0.0, 0.5)), 0.5) for watts in (first_w, last_w)]
        bounds, _ = net_interval(readings, between(*looks))
        assert bounds is not None
        inside += bounds.low_j <= net_j <= bounds.high_j

    assert 0.95 <= inside / 2000 <= 0.995
