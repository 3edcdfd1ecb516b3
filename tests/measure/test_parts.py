from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leanner.measure.floor import Held
from leanner.measure.parts import gpu_of
from leanner.measure.parts import memory_of
from leanner.measure.parts import notes_on_rounds
from leanner.measure.parts import sampler_of
from leanner.measure.parts import sparsity_of
from leanner.meters import GpuState
from leanner.meters.trace import Health
from leanner.taggers.weights import Weights
from measure.readings import reading


WEIGHTS = Weights(
    parameters=10, bytes_by_dtype={"int8": 6_000_000, "float32": 2_000_000}, linear=8, linear_nonzero=4, flops=16.0
)
NOTHING = Held(0.0, 0.0)


def state(**changes: Any) -> GpuState:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "uuid": "GPU-1",
        "power_field": "NVML_FI_DEV_POWER_INSTANT",
        "scope": "gpu",
        "temperature_min_c": 40.0,
        "temperature_max_c": 50.0,
        "throttled": {},
        "foreign_pids": (),
    }
    return GpuState(**values | changes)


def test_f33_what_earlier_cases_left_is_subtracted_from_the_peaks() -> None:
    readings = [
        replace(reading(), peak_host_mb=mb, peak_vram_mb=vram, peak_vram_allocated_mb=vram - 20.0)
        for mb, vram in ((700.0, 90.0), (650.0, 95.0))
    ]
    memory = memory_of(readings, WEIGHTS, Held(120.0, 15.0, 12.0), "cuda", {}, isolated=False)

    assert (memory.peak_host_mb, memory.peak_vram_mb, memory.peak_vram_allocated_mb) == (580.0, 80.0, 63.0)
    assert (memory.left_behind_host_mb, memory.left_behind_vram_mb) == (120.0, 15.0)
    assert memory.left_behind_vram_allocated_mb == 12.0
    assert not memory.isolated


def test_f33_what_was_freed_meanwhile_is_not_subtracted() -> None:
    # Naive: less than nothing.
    unknown: dict[str, str] = {}
    freed = replace(reading(), peak_vram_mb=50.0, peak_vram_allocated_mb=40.0)
    memory = memory_of([freed], WEIGHTS, Held(10.0, 30.0, 60.0), "cuda", unknown, isolated=False)

    assert (memory.peak_vram_mb, memory.peak_vram_allocated_mb) == (20.0, None)
    assert unknown["memory.peak_vram_allocated_mb"].startswith("the peak is below the 60 MB that earlier cases")


def test_weights_are_told_by_dtype() -> None:
    memory = memory_of([reading()], WEIGHTS, NOTHING, "cpu", {}, isolated=True)

    assert memory.weights_by_dtype_mb == {"float32": 2.0, "int8": 6.0}
    assert memory.weights_mb == 8.0
    assert memory.weights_parameters == WEIGHTS.parameters
    assert memory.isolated


def test_unknown_memory_has_its_reason() -> None:
    unknown: dict[str, str] = {}
    silent = replace(reading(), peak_host_mb=None, reasons={"cgroup_peak_mb": "no cgroup of its own"})
    memory = memory_of([silent], WEIGHTS, Held(None, None), "cpu", unknown, isolated=False)

    assert memory.peak_host_mb is None
    assert unknown["memory.peak_host_mb"] == "no sample of the process tree"
    assert unknown["memory.cgroup_peak_mb"] == "no cgroup of its own"
    assert unknown["memory.peak_vram_mb"] == "the case does not run on a GPU"
    assert "does not tell" in unknown["memory.left_behind_host_mb"]


def test_the_device_over_all_windows() -> None:
    cool = state(temperature_min_c=35.0, temperature_max_c=45.0, throttled={"power cap": 0.5}, foreign_pids=(7,))
    hot = state(temperature_min_c=45.0, temperature_max_c=61.0, foreign_pids=(7, 9))
    readings = [replace(reading(window_s=1.0), gpu=cool), replace(reading(window_s=3.0), gpu=hot)]
    unknown: dict[str, str] = {}
    gpu = gpu_of(readings, unknown, "cuda")

    assert gpu is not None
    assert (gpu.temperature_min_c, gpu.temperature_max_c) == (35.0, 61.0)
    assert gpu.throttled == pytest.approx({"power cap": 0.125})
    assert gpu.foreign_pids == (7, 9)
    assert unknown == {}


def test_a_device_that_tells_little_says_why() -> None:
    unknown: dict[str, str] = {}
    bare = state(power_field=None, scope=None, temperature_min_c=None, temperature_max_c=None)
    gpu = gpu_of([replace(reading(), gpu=bare)], unknown, "cuda")

    assert gpu is not None
    assert set(unknown) == {
        *("gpu.temperature_min_c", "gpu.temperature_max_c", "gpu.power_field", "gpu.scope"),
    }
    for device, reason in (("cpu", "the case does not run on a GPU"), ("cuda", "no NVML")):
        without = replace(reading(), reasons={"power": "no NVML"})
        assert gpu_of([without], unknown, device) is None
        assert unknown["gpu"] == reason


def test_what_a_window_does_not_know_of_the_device_is_unknown() -> None:
    # Naive: no throttling, and nobody else.
    reasons = {"throttled": "Not Supported", "foreign_pids": "GPU is lost"}
    blind = state(throttled=None, foreign_pids=None, reasons=reasons)
    unknown: dict[str, str] = {}
    gpu = gpu_of([replace(reading(), gpu=each) for each in (state(foreign_pids=(7,)), blind)], unknown, "cuda")

    assert gpu is not None
    assert (gpu.throttled, gpu.foreign_pids) == (None, None)
    assert unknown == {"gpu.throttled": "Not Supported", "gpu.foreign_pids": "GPU is lost"}


def test_the_sampler_over_all_windows() -> None:
    def with_health(health: Health, window_s: float) -> Any:  # noqa: ANN401 - a reading
        made = reading(window_s=window_s)
        return replace(made, trace=replace(made.trace, health=health))

    readings = [with_health(Health(20, 0.11, 0.105, 0.01), 2.0), with_health(Health(60, 0.3, 0.12, 0.02), 6.0)]
    sampler = sampler_of(readings, {})

    assert (sampler.ticks, sampler.longest_gap_s, sampler.period_p99_s) == (80, 0.3, 0.12)
    assert sampler.cpu_s == pytest.approx(0.03)
    assert sampler.cpu_pct == pytest.approx(100 * 0.03 / 8)

    unknown: dict[str, str] = {}
    silent = sampler_of([*readings, with_health(Health(0, 0.01, None, None), 0.01)], unknown)
    assert (silent.cpu_s, silent.cpu_pct) == (None, None)
    assert set(unknown) == {"sampler.cpu_s", "sampler.cpu_pct"}


def test_rounds_that_bound_the_median_too_loosely_are_said_as_measured() -> None:
    # Naive: what a calm pilot forecast is believed, whatever came after it.
    calm = [1.0 + 0.001 * (number % 3) for number in range(12)]
    wide = [1.0, 1.6] * 6

    assert notes_on_rounds(calm, 2.0) == []
    too_few, spread = notes_on_rounds(wide, 2.0)
    assert too_few.startswith("too few rounds: 12 bound the median to ±23.1 %, wanted ±2 %, where about ")
    assert spread == "the rounds' times spread by 24 % (standard deviation over mean)"
    assert notes_on_rounds([], 2.0) == notes_on_rounds([1.0] * 3, 2.0) == []


def test_zeros_are_told_where_a_pass_asked_for_them() -> None:
    from leanner.configurations import named

    found = sparsity_of(named("magnitude-50"), WEIGHTS)
    assert found is not None
    assert (found.asked, found.weights) == (0.5, 0.5)
    assert sparsity_of(named("int8"), WEIGHTS) is None
