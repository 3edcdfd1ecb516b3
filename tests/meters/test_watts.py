from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from typing import cast

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.meters.combine import Equipment
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace
from leanner.meters.watts import watts_of
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones


START_NS, STEP_NS = 5_000_000_000, 100_000_000
GPU: Any = SimpleNamespace(shared=None, power=SimpleNamespace(name="power field"))
ZONES = Zones((Zone("intel-rapl:0", "cpu_package", 0, Path("energy_uj"), 10_000_000, None),))


def equipment(device: str, *, zones: Zones | None = None, gpu: Any = None) -> Equipment:  # noqa: ANN401 - a stand-in
    return Equipment("auto", device, zones, None, 1, cast("Any", gpu), None, None, synchronized=True)


def trace(source: str, channel: str, values: list[float]) -> Trace:
    samples = [
        Sample(source, Moment.TICK, START_NS + STEP_NS * number, {channel: value}, {})
        for number, value in enumerate(values)
    ]
    end_ns = START_NS + STEP_NS * (len(values) - 1)
    return Trace(START_NS, end_ns, 0.1, tuple(samples), Health(len(values), 0.1, 0.1, None))


def test_power_of_a_gpu_is_what_was_sampled_within_the_window() -> None:
    sampled = trace("nvml", "power_mw", [100_000.0, 200_000.0])
    early = Sample("nvml", Moment.START, START_NS - 1, {"power_mw": 9_000.0}, {})
    seen = Trace(START_NS, sampled.end_ns, 0.1, (early, *sampled.samples), sampled.health)
    found = watts_of(equipment("cuda:0", gpu=GPU), seen)

    assert found is not None
    assert found.points == ((0.0, 100.0), (0.1, 200.0))
    assert found.source == "samples of NVML's power field"


@given(st.lists(st.integers(1, 50_000), min_size=1, max_size=20))
def test_steps_of_a_counter_hold_its_joules(steps_mj: list[int]) -> None:
    counted = [float(sum(steps_mj[:number])) for number in range(len(steps_mj) + 1)]
    found = watts_of(equipment("cuda:0", gpu=GPU), trace("nvml-counter", "energy_mj", counted))

    assert found is not None
    assert sum(watts * 0.1 for _, watts in found.points) == pytest.approx(sum(steps_mj) / 1000)
    assert [at_s for at_s, _ in found.points] == pytest.approx([0.1 * n + 0.05 for n in range(len(steps_mj))])


def test_a_package_counter_may_wrap() -> None:
    found = watts_of(equipment("cpu", zones=ZONES), trace("rapl", "intel-rapl:0", [9_000_000, 9_500_000, 0, 500_000]))

    assert found is not None
    assert [watts for _, watts in found.points] == pytest.approx([5.0, 5.0, 5.0])


@pytest.mark.parametrize(
    "given_",
    [
        equipment("cpu"),
        equipment("cpu", zones=ZONES),
        equipment("cuda:0"),
        equipment("cuda:0", gpu=SimpleNamespace(shared="a MIG slice", power=None)),
    ],
    ids=["no zones", "no samples", "no NVML", "shared"],
)
def test_without_samples_there_are_no_watts(given_: Equipment) -> None:
    assert watts_of(given_, trace("memory", "rss_b", [1.0, 2.0])) is None
