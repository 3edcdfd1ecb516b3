from __future__ import annotations

from dataclasses import replace

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.joules import energy_of
from leanner.measure.joules import highest
from leanner.measure.joules import mean_utilization
from leanner.measure.joules import power_of
from leanner.meters import EnergyDomain
from leanner.meters import Idle
from leanner.meters import Power
from leanner.meters import Reading
from leanner.meters.trace import Health
from leanner.meters.trace import Trace
from leanner.report.record import Domain


ABSENT = EnergyDomain.unknown("this machine has none", expected=False)
NO_ZONE = EnergyDomain.unknown("no RAPL zone")


def reading(
    cpu: float | None = 10.0,
    *,
    dram: float | None = None,
    window_s: float = 2.0,
    mean_w: float | None = 5.0,
    peak_w: float | None = 8.0,
    utilization: float | None = None,
) -> Reading:
    """A window of a machine with RAPL, whose CPU zone may fail."""
    energy = {
        "gpu": ABSENT,
        "cpu_package": NO_ZONE if cpu is None else EnergyDomain(cpu, "rapl"),
        "cpu_core": ABSENT,
        "dram": ABSENT if dram is None else EnergyDomain(dram, "rapl"),
    }
    return Reading(
        window_s=window_s,
        energy=energy,
        power=Power("cpu_package", mean_w, peak_w),
        gpu_utilization_pct=utilization,
        peak_host_mb=100.0,
        peak_vram_mb=None,
        peak_vram_allocated_mb=None,
        quality=(),
        suspect=False,
        reasons={} if mean_w is not None else {"power": "no joules"},
        trace=Trace(0, round(window_s * 1e9), 0.1, (), Health(0, window_s, None, None)),
    )


def idle(cpu: float | None = 1.0) -> Idle:
    """What it draws at rest."""
    return Idle(3.0, {"cpu_package": cpu, "dram": 0.25}, {} if cpu is not None else {"cpu_package": "it was busy"})


def test_energy_is_the_sum_over_rounds_and_domains_beside_each_other() -> None:
    energy, unknown = energy_of([reading(10.0, dram=1.0), reading(14.0, dram=2.0)], idle(), sentences=50)

    assert energy.rounds_j == (11.0, 16.0)
    assert energy.total_j == 27.0
    assert energy.net_j == pytest.approx(27.0 - 4.0 * 1.25)
    assert energy.per_1000_sentences_j == pytest.approx(1000 * 27.0 / 100)
    assert energy.domains["cpu_package"] == Domain(24.0, "rapl", None)
    assert energy.domains["dram"] == Domain(3.0, "rapl", None)
    assert energy.domains["gpu"] == Domain(None, "none", "this machine has none")
    assert energy.sources == ("rapl",)
    assert "energy" not in unknown
    assert "energy.net_j" not in unknown


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50))
def test_total_is_the_sum_of_the_rounds(joules: list[float]) -> None:
    energy, _ = energy_of([reading(j) for j in joules], None, sentences=7)

    assert energy.total_j == pytest.approx(sum(joules))
    assert energy.per_1000_sentences_j == pytest.approx(1000 * sum(joules) / (7 * len(joules)))


def test_one_round_without_joules_leaves_the_total_unknown_but_keeps_the_others() -> None:
    energy, unknown = energy_of([reading(10.0), reading(None)], idle(), sentences=50)

    assert energy.rounds_j == (10.0, None)
    assert (energy.total_j, energy.net_j, energy.per_1000_sentences_j) == (None, None, None)
    assert energy.domains["cpu_package"] == Domain(None, "none", "no RAPL zone")
    assert unknown["energy"] == "cpu_package: no RAPL zone"
    assert unknown["energy.net_j"] == "cpu_package: no RAPL zone"


def test_net_needs_the_idle_power() -> None:
    energy, unknown = energy_of([reading()], None, sentences=1)
    assert energy.net_j is None
    assert unknown["energy.net_j"] == "idle power was not measured"

    energy, unknown = energy_of([reading()], idle(None), sentences=1)
    assert energy.net_j is None
    assert unknown["energy.net_j"] == "idle power of cpu_package is unknown: it was busy"


def test_every_none_of_the_energy_has_a_reason() -> None:
    energy, unknown = energy_of([reading()], idle(), sentences=1)

    for name in ("low_j", "high_j", "systematic_pct"):
        assert getattr(energy, name) is None
        assert unknown[f"energy.{name}"]


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
    assert unknown == {"power.peak_w": "no sample of power within a round"}


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
