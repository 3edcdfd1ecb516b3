from __future__ import annotations

import math

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.joules import Metered
from leanner.measure.joules import energy_of
from leanner.measure.joules import highest
from leanner.measure.joules import mean_utilization
from leanner.measure.joules import power_of
from leanner.measure.prefixes import Prefix
from leanner.meters import EnergyDomain
from leanner.meters import Idle
from leanner.meters import Reading
from leanner.meters import Uncertainty
from leanner.meters.reading import EnergySource
from leanner.meters.reading import PluggedSource
from leanner.report.costs import Domain
from leanner.report.costs import Energy
from measure.readings import reading


def idle(cpu: float | None = 1.0) -> Idle:
    """What it draws at rest."""
    reasons = {} if cpu is not None else {"cpu_package": "it was busy"}
    return Idle(3.0, {"cpu_package": cpu, "dram": 0.25}, reasons, {"cpu_package": 0.1, "dram": 0.0})


def energy(
    readings: list[Reading],
    rest: Idle | None = None,
    *,
    sentences: int = 50,
    per_window: int = 1,
    prefixes: Sequence[Prefix] = (),
) -> tuple[Energy, dict[str, str]]:
    """Return the energy of rounds between the same rest before and after, and what is unknown of it."""
    unknown: dict[str, str] = {}
    metered = Metered(readings, per_window, rest, rest, rest, prefixes)
    return energy_of(metered, sentences, unknown), unknown


def test_energy_is_the_sum_over_rounds_and_domains_beside_each_other() -> None:
    found, unknown = energy([reading(10.0, dram=1.0), reading(14.0, dram=2.0)], idle())

    assert found.rounds_j == (11.0, 16.0)
    assert found.total_j == 27.0
    assert found.net_j == pytest.approx(27.0 - 4.0 * 1.25)
    assert found.per_1000_sentences_j == pytest.approx(1000 * 27.0 / 100)
    assert (found.domains["cpu_package"].j, found.domains["cpu_package"].source) == (24.0, "rapl")
    assert found.domains["cpu_package"].systematic_pct == pytest.approx(5.0)
    assert found.domains["cpu_package"].random_pct == pytest.approx(100 * 1.96 * math.hypot(0.1, 0.1) / 24, rel=1e-4)
    assert (found.domains["dram"].j, found.domains["dram"].source) == (3.0, "rapl")
    assert found.domains["gpu"] == Domain(None, "none", "this machine has none")
    assert found.sources == ("rapl",)
    assert not {name for name in unknown if name.startswith("energy.net") or name == "energy"}


def test_the_interval_has_two_parts() -> None:
    found, _ = energy([reading(10.0), reading(14.0)], idle())

    assert found.systematic_pct == pytest.approx(5.0)
    assert found.random_pct == pytest.approx(100 * 1.96 * math.hypot(0.1, 0.1) / 24, rel=1e-4)
    assert found.low_j is not None
    assert found.high_j is not None
    assert found.low_j + found.high_j == pytest.approx(48.0)
    assert 0.04 * 24 < found.high_j - 24 < 0.06 * 24
    assert found.net_low_j is not None
    assert found.net_j is not None
    assert found.net_high_j is not None
    assert found.net_low_j < found.net_j < found.net_high_j


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50), st.integers(1, 5))
def test_total_is_the_sum_of_the_windows(joules: list[float], per_window: int) -> None:
    found, _ = energy([reading(j) for j in joules], sentences=7, per_window=per_window)

    assert found.total_j == pytest.approx(sum(joules))
    assert found.per_1000_sentences_j == pytest.approx(1000 * sum(joules) / (7 * len(joules) * per_window))


def test_one_round_without_joules_leaves_the_total_unknown_but_keeps_the_others() -> None:
    found, unknown = energy([reading(10.0), reading(None)], idle())

    assert found.rounds_j == (10.0, None)
    assert (found.total_j, found.net_j, found.per_1000_sentences_j, found.low_j) == (None, None, None, None)
    assert found.domains["cpu_package"] == Domain(None, "none", "no RAPL zone")
    assert unknown["energy"] == "cpu_package: no RAPL zone"
    assert unknown["energy.net_j"] == "cpu_package: no RAPL zone"


def test_net_needs_the_idle_power() -> None:
    found, unknown = energy([reading()])
    assert (found.net_j, found.idle) == (None, None)
    assert unknown["energy.net_j"] == "idle power was not measured (--leanner-idle=0)"

    found, unknown = energy([reading()], idle(None))
    assert found.net_j is None
    assert unknown["energy.net_j"] == "idle power of cpu_package is unknown: it was busy"
    assert unknown["energy.idle.bare_w.cpu_package"] == "it was busy"


def test_why_rest_was_not_measured_is_told_by_its_cause() -> None:
    guessed = replace(reading(), energy={**reading().energy, "cpu_package": EnergyDomain(10.0, "estimate")})
    _, unknown = energy([guessed])
    # Naive: it was switched off (--leanner-idle=0).
    why = "cpu_package: joules are estimated, and an estimate from CPU time knows no idle power"
    assert unknown["energy.net_j"] == unknown["energy.net_low_j"] == unknown["energy.idle"] == why

    _, unknown = energy([reading(None)] * 2)
    assert unknown["energy.net_j"] == unknown["energy.idle"] == "cpu_package: no RAPL zone"

    _, unknown = energy([reading(), reading(None)])
    assert unknown["energy.net_j"] == "cpu_package: no RAPL zone"
    assert unknown["energy.idle"] == "idle power was not measured (--leanner-idle=0)"


def test_drift_of_the_idle_power_widens_the_net_alone() -> None:
    steady, _ = energy([reading()], idle(1.0))
    metered = Metered([reading()], 1, idle(1.0), idle(0.5), idle(1.5), ())
    drifting = energy_of(metered, 50, {})

    assert drifting.net_j == steady.net_j
    assert (drifting.low_j, drifting.high_j) == (steady.low_j, steady.high_j)
    assert drifting.net_high_j is not None
    assert steady.net_high_j is not None
    assert drifting.net_high_j > steady.net_high_j


def test_marginal_joules_are_the_slope_through_prefixes_and_rounds() -> None:
    parts = [Prefix(n, 2, reading(2 * (4.0 + 0.12 * n))) for n in (10, 20, 30, 30, 20, 10)]
    found, unknown = energy([reading(10.0)] * 3, idle(), prefixes=parts)

    assert found.marginal is not None
    assert found.marginal.per_1000_sentences_j == pytest.approx(120.0)
    assert found.marginal.fixed_j == pytest.approx(4.0)
    assert [size for size, _ in found.marginal.points] == [10, 20, 30, 30, 20, 10, 50, 50, 50]
    assert found.marginal.points[0][1] == pytest.approx(5.2)
    assert "energy.marginal" not in unknown


def test_marginal_joules_without_prefixes_or_joules_are_unknown() -> None:
    found, unknown = energy([reading()])
    assert found.marginal is None
    assert unknown["energy.marginal"] == "prefixes of the corpus were not measured"

    found, unknown = energy([reading()], prefixes=[Prefix(10, 1, reading(None))])
    assert found.marginal is None
    assert unknown["energy.marginal"] == "cpu_package: no RAPL zone"


def test_an_estimate_has_no_interval_and_says_so() -> None:
    guessed = replace(
        reading(),
        energy={**reading().energy, "cpu_package": EnergyDomain(10.0, "estimate", detail="2 s at 5 W")},
    )
    found, unknown = energy([guessed])

    assert found.total_j == 10.0
    assert found.sources == ("estimate",)
    for name in ("low_j", "high_j", "systematic_pct", "random_pct"):
        assert getattr(found, name) is None
        assert "estimated" in unknown[f"energy.{name}"]


@pytest.mark.parametrize("other", ["estimate", "nvml-power"])
def test_joules_of_different_sources_are_not_added(other: EnergySource) -> None:
    # Naive: the sum has the source of the first window.
    known = EnergyDomain(10.0, other, uncertainty=None if other == "estimate" else Uncertainty(0.5, 0.1))
    mixed = replace(reading(), energy={**reading().energy, "cpu_package": known})
    found, unknown = energy([reading(100.0), mixed, reading(100.0)], idle())

    reason = f"its windows have joules of different sources ({other}, rapl)"
    assert found.domains["cpu_package"] == Domain(None, "none", reason)
    assert found.rounds_j == (100.0, 10.0, 100.0)
    for name in ("total_j", "net_j", "net_low_j", "per_1000_sentences_j", "low_j", "high_j", "random_pct"):
        assert getattr(found, name) is None, name
    assert unknown["energy"] == unknown["energy.net_j"] == f"cpu_package: {reason}"


def test_joules_of_meters_from_outside_have_one_source() -> None:
    names = (PluggedSource("plugged:wall"), PluggedSource("plugged:socket"))
    found, _ = energy([replace(reading(), plugged={"wall": EnergyDomain(50.0, name)}) for name in names])

    reason = "its windows have joules of different sources (plugged:socket, plugged:wall)"
    assert found.plugged["wall"] == Domain(None, "none", reason)


def test_meters_from_outside_stand_beside_the_total() -> None:
    plugged = {"wall": EnergyDomain(50.0, PluggedSource("plugged:wall"))}
    found, _ = energy([replace(reading(), plugged=plugged)] * 2)

    assert found.total_j == 20.0
    assert (found.plugged["wall"].j, found.plugged["wall"].source) == (100.0, "plugged:wall")


def test_power_is_weighted_by_time_and_peaks_at_the_highest() -> None:
    unknown: dict[str, str] = {}
    power = power_of([reading(window_s=1.0, mean_w=4.0), reading(window_s=3.0, mean_w=8.0, peak_w=9.0)], unknown)

    assert power.mean_w == pytest.approx(7.0)
    assert power.peak_w == 9.0
    assert unknown == {}


def test_power_unknown_in_one_round_is_unknown() -> None:
    unknown: dict[str, str] = {}
    power = power_of([reading(), reading(mean_w=None, peak_w=None)], unknown)

    assert power.mean_w is None
    assert power.peak_w == 8.0
    assert unknown == {"power": "no joules"}


def test_an_unknown_peak_has_a_reason_of_its_own() -> None:
    unknown: dict[str, str] = {}

    assert power_of([reading(peak_w=None)], unknown).peak_w is None
    assert unknown == {"power.peak_w": "no sample of power within a window"}


def test_power_takes_the_reason_of_the_energy_where_it_has_none() -> None:
    unknown = {"energy": "metering is off"}
    power_of([replace(reading(mean_w=None), reasons={})], unknown)

    assert unknown["power"] == "metering is off"


def test_utilization_is_weighted_by_time() -> None:
    known = [reading(window_s=1.0, utilization=100.0), reading(window_s=3.0, utilization=20.0)]

    unknown: dict[str, str] = {}
    assert mean_utilization(known, unknown) == pytest.approx(40.0)
    assert unknown == {}
    silent = replace(reading(), reasons={"gpu_utilization_pct": "no GPU is used"})
    assert mean_utilization([*known, silent], unknown) is None
    assert unknown == {"gpu_utilization_pct": "no GPU is used"}


def test_highest_leaves_unknown_out() -> None:
    readings = [reading(peak_w=None), reading(peak_w=3.0), reading(peak_w=7.0)]

    assert highest(readings, lambda r: r.power.peak_w) == 7.0
    assert highest(readings, lambda r: r.peak_vram_mb) is None
