from __future__ import annotations

import dataclasses

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import integrate
from leanner.meters.combine import Equipment
from leanner.meters.combine import combine
from leanner.meters.device import Gpu
from leanner.meters.device import PowerField
from leanner.meters.stored import StoredCase
from leanner.meters.stored import StoredWindow
from leanner.meters.stored import read_traces
from leanner.meters.stored import write_traces
from leanner.meters.thin import thin
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones
from meters.drawn import DrawnWindow
from meters.drawn import Machine
from meters.drawn import drive
from meters.drawn import windows


if TYPE_CHECKING:
    from leanner.meters import Reading


MOST = 100

#: What one failed read of each kind leaves beside the samples of bins, and the edges.
BESIDE = 20


#: What an average over a second and a refresh every 0.1 s remember.
EDGE_NS = 1_100_000_000


def _near_an_edge(trace: Trace, source: str) -> int:
    """Power that stays as it is, with the samples next to it."""
    if source != "nvml":
        return 0
    near = [min(t - trace.start_ns, trace.end_ns - t) <= EDGE_NS for t, _ in trace.series("nvml", "power_mw")]
    return sum(near) + 12


def gpu(*, counter: bool = True) -> Gpu:
    power = PowerField("NVML_FI_DEV_POWER_INSTANT", "gpu", lambda: 0)
    return Gpu(None, "GPU-1", "H200", counter=counter, power=power, shared=None)


def equipment(*, counter: bool = True) -> Equipment:
    zones = Zones(
        tuple(
            Zone(f"intel-rapl:{number}", "cpu_package", number, Path("energy_uj"), 65_532_610_987, None)
            for number in (0, 1)
        )
    )
    return Equipment("auto", "cuda", zones, None, 2, gpu(counter=counter), None, None, synchronized=True)


def gauge(values: dict[str, list[float]], interval_ns: int = 100_000_000) -> Trace:
    """A window of GPU gauges alone: the first value of each channel is at the begin, the last at the end."""
    length = len(next(iter(values.values())))
    rows = [{channel: column[row] for channel, column in values.items()} for row in range(length)]
    moments = [Moment.START, *[Moment.TICK] * (length - 2), Moment.STOP]
    reads_ns = {Moment.START: -1000, Moment.TICK: 0, Moment.STOP: 1000}
    samples = [
        Sample("nvml", moment, number * interval_ns + reads_ns[moment], row, {})
        for number, (moment, row) in enumerate(zip(moments, rows, strict=True))
    ]
    return Trace(0, (length - 1) * interval_ns, 0.1, tuple(samples), Health(length - 2, 0.1, 0.1, None))


def close(number: float | None) -> object:
    return None if number is None else pytest.approx(number, rel=1e-6)


def joules(reading: Reading) -> dict[str, tuple[float | None, str, str | None]]:
    return {name: (domain.j, domain.source, domain.reason) for name, domain in reading.energy.items()}


@settings(max_examples=80, deadline=None)
@given(window=windows(least=101, most=900, failing=0.06))
def test_a_thinned_window_gives_the_same_joules(window: DrawnWindow) -> None:
    # Naive: every n-th sample.
    machine, trace = window.equipment, window.trace
    thinned = thin(trace, MOST)
    before, after = combine(machine, trace, None), combine(machine, thinned, None)

    for name, (j, source, reason) in joules(before).items():
        assert joules(after)[name] == (close(j) if source == "nvml-power" else j, source, reason)
    assert after.total_reason == before.total_reason
    assert after.power.peak_w == close(before.power.peak_w)
    assert after.peak_host_mb == before.peak_host_mb
    assert after.peak_vram_mb == before.peak_vram_mb
    assert after.gpu_utilization_pct == close(before.gpu_utilization_pct)
    assert after.suspect == before.suspect
    assert after.reasons == before.reasons


@settings(max_examples=25, deadline=None)
@given(window=windows(least=400, most=900, failing=0.0))
def test_a_thinned_window_is_small(window: DrawnWindow) -> None:
    trace = window.trace
    thinned = thin(trace, MOST)

    wraps = sum(
        later < earlier
        for source in ("rapl", "nvml-counter")
        for channel in {name for sample in trace.of(source) for name in sample.values}
        for (_, earlier), (_, later) in zip(
            trace.series(source, channel), trace.series(source, channel)[1:], strict=False
        )
    )
    for source, count in Counter(sample.source for sample in thinned.samples).items():
        looks = sum("shared_b" in sample.values for sample in trace.of(source))
        changes = len({sample.values.get("tree") for sample in trace.of(source)})
        assert count <= MOST + BESIDE + 2 * wraps + 3 * (looks + changes) + _near_an_edge(trace, source)
    assert thin(thinned, MOST) is thinned or len(thin(thinned, MOST).samples) <= len(thinned.samples)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(150, 600),
    most_uj=st.sampled_from([0, 1, 3_000, 40_000_000]),
    modulus=st.integers(1_500_000_000, 65_532_610_987),
)
def test_counters_rise_by_exactly_as_much(seed: int, length: int, most_uj: int, modulus: int) -> None:
    # Naive: every n-th sample, which misses wraps.
    steps = [Random(seed + number).randint(0, most_uj) for number in range(length)]
    values, total = [seed % modulus], 0
    for step in steps:
        values.append((values[-1] + step) % modulus)
        total += step
    moments = [Moment.START, *[Moment.TICK] * (len(values) - 2), Moment.STOP]
    samples = [
        Sample("rapl", moment, number * 100_000_000, {"intel-rapl:0": value}, {})
        for number, (moment, value) in enumerate(zip(moments, values, strict=True))
    ]
    trace = Trace(0, samples[-1].t_ns, 0.1, tuple(samples), Health(1, 0.1, None, None))

    thinned = thin(trace, MOST)

    points = thinned.series("rapl", "intel-rapl:0")
    assert len(points) < len(samples)
    assert counter_increase(points, modulus=modulus, ceiling_per_s=5e8) == total
    raw = trace.series("rapl", "intel-rapl:0")
    assert set(points) <= set(raw)
    assert {point for pair in pairwise(raw) if pair[1][1] < pair[0][1] for point in pair} <= set(points)


def test_a_counter_that_goes_back_and_on_within_a_bin_stays_unknown() -> None:
    # Naive: the first and last sample of a bin, between which it has risen.
    trace = drive(Machine(equipment(), Random(3), 0.0), 600)
    (at, lowered) = next((n, s) for n, s in enumerate(trace.samples) if s.source == "nvml-counter" and n > 1500)
    back = dataclasses.replace(lowered, values={"energy_mj": 5})
    trace = dataclasses.replace(trace, samples=(*trace.samples[:at], back, *trace.samples[at + 1 :]))

    before, after = (combine(equipment(), kept, None).energy["gpu"] for kept in (trace, thin(trace, MOST)))

    assert "went backwards" in (before.reason or "")
    assert after == before


@pytest.mark.parametrize("shift", range(0, 60, 5))
def test_a_pause_that_was_borne_does_not_grow(shift: int) -> None:
    # Naive: one sample a bin, so that 62 s without a reading become 66 s, in which a counter may wrap unseen.
    ticks = [number for number in range(1, 1200) if not 200 + shift < number < 820 + shift]
    values = {number: 10_000_000 * number for number in (0, *ticks, 1200)}
    moments = {0: Moment.START, 1200: Moment.STOP}
    samples = [
        Sample("rapl", moments.get(number, Moment.TICK), number * 100_000_000, {"intel-rapl:0": value}, {})
        for number, value in values.items()
    ]
    trace = Trace(0, samples[-1].t_ns, 0.1, tuple(samples), Health(1, 0.1, None, None))

    points = thin(trace, MOST).series("rapl", "intel-rapl:0")

    assert len(points) < len(samples)
    assert counter_increase(points, modulus=65_532_610_987, ceiling_per_s=1e9) == 12_000_000_000


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(120, 500),
    highest_mw=st.sampled_from([1_000, 1_001, 700_000]),
    hole=st.tuples(st.floats(0.0, 0.9), st.floats(0.0, 0.08)),
)
def test_the_integral_of_power_is_kept_across_failed_reads(
    seed: int, length: int, highest_mw: int, hole: tuple[float, float]
) -> None:
    # Naive: the mean of each bin, wherever it is put, and a straight line across a bin without samples.
    whole = gauge({"power_mw": [float(Random(seed + number).randint(1_000, highest_mw)) for number in range(length)]})
    first, last = round(hole[0] * length), round(sum(hole) * length)
    samples = tuple(
        dataclasses.replace(sample, values={}, failures={"power_mw": "GPU is lost"})
        if first <= number < last and sample.moment is Moment.TICK
        else sample
        for number, sample in enumerate(whole.samples)
    )
    trace = dataclasses.replace(whole, samples=samples)

    thinned = thin(trace, MOST)

    assert thinned is not trace
    before, after = trace.series("nvml", "power_mw"), thinned.series("nvml", "power_mw")
    area = integrate(before, trace.start_ns, trace.end_ns)
    assert integrate(after, trace.start_ns, trace.end_ns) == pytest.approx(area, rel=1e-6)
    assert {min(v for _, v in after), max(v for _, v in after)} == {
        min(v for _, v in before),
        max(v for _, v in before),
    }
    times = [t for t, _ in after]
    assert times == sorted(set(times))


def test_a_plateau_that_fills_a_bin_keeps_its_height() -> None:
    # Naive: no extremes where a bin's own samples are equal. Its mean is lower: the integral falls to what is behind.
    watts = [100_000.0] * 400 + [600_000.0] * 40 + [100_000.0] * 561

    trace = thin(gauge({"power_mw": watts}), MOST)

    assert max(value for _, value in trace.series("nvml", "power_mw")) == 600_000.0


def test_a_gauge_that_stands_still_is_two_samples_a_bin() -> None:
    trace = thin(gauge({"vram_b": [12_345_678_901.0] * 2000}), MOST)

    assert {value for _, value in trace.series("nvml", "vram_b")} == {12_345_678_901.0}
    assert len(trace.samples) == 2 * (MOST // 4) + 2


def test_what_is_seen_once_is_still_seen() -> None:
    length = 2000
    column = [0.0] * length
    seldom = [*column]
    seldom[777] = 0x20
    hot = [40.0] * length
    hot[1234] = 71.0
    trace = gauge({"power_mw": [100_000.0] * length, "clock_events": seldom, "temperature_c": hot})
    odd = dataclasses.replace(trace.samples[300], values={**trace.samples[300].values, "foreign.4711": 1.0})
    trace = dataclasses.replace(trace, samples=(*trace.samples[:300], odd, *trace.samples[301:]))

    reading = combine(equipment(counter=False), thin(trace, MOST), None)

    assert any("4711" in note for note in reading.quality)
    assert any("software thermal slowdown in 1 of " in note for note in reading.quality)
    assert "GPU temperature moved from 40 to 71 °C within the window" in reading.quality
    assert reading.energy["gpu"].j == pytest.approx(100.0 * trace.window_s)


def test_a_bin_with_one_event_has_it_and_the_others_have_not() -> None:
    events = [0.0] * 2000
    events[500:510] = [4.0, 0.0] * 5
    trace = thin(gauge({"power_mw": [1.0] * 2000, "clock_events": events}), MOST)

    seen = [int(value) for _, value in trace.series("nvml", "clock_events")]
    assert sum(value == 4 for value in seen) == 1
    assert len(seen) == MOST // 4 + 2


def test_a_short_window_stays_as_it_is() -> None:
    trace = drive(Machine(equipment(), Random(3), 0.0), 200)

    assert thin(trace) is trace
    assert StoredWindow("round", trace).thinned().thinned_from is None


def test_a_source_that_is_short_or_not_known_stays_as_it_is() -> None:
    trace = drive(Machine(equipment(), Random(3), 0.0), 200)
    few = [sample for number, sample in enumerate(trace.of("memory")) if number % 10 == 0]
    strange = [dataclasses.replace(sample, source="weather") for sample in trace.of("nvml")]
    mixed = dataclasses.replace(
        trace, samples=tuple(sorted([*trace.of("rapl"), *few, *strange], key=lambda sample: sample.t_ns))
    )

    thinned = thin(mixed, MOST)

    assert list(thinned.of("memory")) == few
    assert list(thinned.of("weather")) == strange
    assert len(list(thinned.of("rapl"))) < 200
    assert thinned.binned_s is None


def test_what_is_uncertain_about_integrated_power_stays_about_the_same() -> None:
    # Naive: without the length of the bins all of them are pauses, and the extremes are noise.
    noisy = gauge({"power_mw": [300_000.0 + Random(number).gauss(0.0, 20_000.0) for number in range(3000)]})
    machine = equipment(counter=False)

    before, after = (combine(machine, kept, None).energy["gpu"].uncertainty for kept in (noisy, thin(noisy, MOST)))

    assert before is not None
    assert after is not None
    # A sample beside the first or the last bin stands for half of it.
    assert 0.5 * before.random_j < after.random_j < 2.0 * before.random_j
    assert after.systematic_j == pytest.approx(before.systematic_j, rel=1e-6)


def test_power_near_the_edges_stays_as_it_is() -> None:
    # Naive: means, from which a lag cannot be told.
    noisy = gauge({"power_mw": [300_000.0 + Random(number).gauss(0.0, 20_000.0) for number in range(3000)]})

    thinned = thin(noisy, MOST)

    assert len(thinned.samples) < 200
    for sample in noisy.samples:
        if min(sample.t_ns - noisy.start_ns, noisy.end_ns - sample.t_ns) <= EDGE_NS:
            assert sample in thinned.samples


def test_what_was_unknown_stays_so() -> None:
    # Naive: bins bridge the holes, and the joules come back.
    power = gauge({"power_mw": [100_000.0] * 600})
    pauses = tuple(sample for number, sample in enumerate(power.samples) if number % 20 > 3 or number == 0)
    failed = tuple(
        dataclasses.replace(sample, values={}, failures={"power_mw": "GPU is lost"}) if number % 8 == 1 else sample
        for number, sample in enumerate(power.samples)
    )
    reset = drive(Machine(equipment(), Random(3), 0.0), 600)
    half = reset.samples[len(reset.samples) // 2].t_ns
    jumped = tuple(
        dataclasses.replace(sample, values={"energy_mj": sample.values["energy_mj"] + 10**7})
        if sample.source == "nvml-counter" and sample.t_ns > half
        else sample
        for sample in reset.samples
    )

    for trace in (
        dataclasses.replace(power, samples=pauses),
        dataclasses.replace(power, samples=failed),
        dataclasses.replace(reset, samples=jumped),
    ):
        assert combine(equipment(counter=trace.start_ns > 0), trace, None).energy["gpu"].j is None
        assert thin(trace, MOST) is trace


def test_a_channel_that_the_device_lacks_does_not_keep_a_window_long() -> None:
    trace = gauge({"power_mw": [100_000.0] * 600})
    lacking = tuple(
        dataclasses.replace(sample, failures={"utilization_pct": "Not Supported"}) for sample in trace.samples
    )

    thinned = thin(dataclasses.replace(trace, samples=lacking), MOST)

    assert len(thinned.samples) <= MOST + BESIDE
    assert set(thinned.gaps("nvml", "utilization_pct")) == {"Not Supported"}


def test_so_few_samples_that_one_failure_weighs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 100 samples or more to keep, found 99"):
        thin(gauge({"power_mw": [1.0, 1.0]}), 99)


def test_a_window_without_length_stays_as_it_is() -> None:
    trace = dataclasses.replace(gauge({"power_mw": [1.0] * 500}), end_ns=0)

    assert thin(trace, MOST) is trace


def test_thinning_is_said_where_it_is_stored(tmp_path: Path) -> None:
    machine = Machine(equipment(), Random(3), 0.0)
    long, short = (StoredWindow("round", drive(machine, ticks)) for ticks in (400, 20))
    path = tmp_path / "a.jsonl.gz"
    case = StoredCase("a", machine.equipment, (long, short)).thinned(MOST)
    write_traces(path, case)

    first, second = read_traces(path).windows

    assert first.thinned_from == len(long.trace.samples)
    assert first.trace.binned_s == pytest.approx(long.trace.window_s / (MOST // 4), rel=1e-3)
    assert first.reading(machine.equipment).energy["gpu"].j == long.reading(machine.equipment).energy["gpu"].j
    assert second == short
    assert first.thinned(MOST).thinned_from == len(long.trace.samples)


def test_a_long_window_becomes_a_small_part_of_itself() -> None:
    trace = drive(Machine(equipment(), Random(3), 0.001), 20_000)

    assert len(thin(trace).samples) < 0.15 * len(trace.samples)
