from __future__ import annotations

from pathlib import Path

import pytest

from meters import fake_sysfs
from meters.fake_nvml import DRIVER_NOT_LOADED
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.rig import Rig


def _draw(gpu: FakeGpu, watts: float, interval_s: float = 0.1) -> None:
    """Let counter and power agree on ``watts``."""
    assert isinstance(gpu.energy_mj, int)
    gpu.energy_mj += round(1000.0 * watts * interval_s)
    gpu.instant_mw = {0: round(1000.0 * watts)}
    gpu.usage_mw = round(1000.0 * watts)


def test_counter_power_utilization_and_memory() -> None:
    gpu = FakeGpu(processes=[(100, 2_000_000_000)], instant_mw={0: 300_000})

    def step(number: int) -> None:
        _draw(gpu, 300.0)
        gpu.utilization_pct = 90
        gpu.processes = [(100, 2_000_000_000 + number * 100_000_000)]

    reading = Rig(nvml=FakeNvml(gpu)).run(20, step, device="cuda")

    domain = reading.energy["gpu"]
    assert domain.source == "nvml-counter"
    assert domain.j == pytest.approx(600.0)
    assert reading.power.of == "gpu"
    assert reading.power.mean_w == pytest.approx(300.0)
    assert reading.power.peak_w == pytest.approx(300.0)
    assert reading.gpu_utilization_pct == pytest.approx(89.0, abs=0.1)  # 50 at the begin
    assert reading.peak_vram_mb == pytest.approx(3900.0)
    assert not reading.suspect


def test_without_rapl_the_total_is_unknown_though_the_gpu_is_known() -> None:
    gpu = FakeGpu()
    reading = Rig(nvml=FakeNvml(gpu)).run(20, lambda _: _draw(gpu, 300.0), device="cuda")

    assert reading.energy["gpu"].j == pytest.approx(600.0)
    assert reading.total_j is None
    assert (reading.total_reason or "").startswith("cpu_package: this machine shows no RAPL zone")


def test_gpu_and_package_are_added(tmp_path: Path) -> None:
    gpu, tree = FakeGpu(), fake_sysfs.amd(tmp_path)

    def step(_: int) -> None:
        _draw(gpu, 300.0)
        tree.spend("intel-rapl:0", 2.0)

    reading = Rig(tree, FakeNvml(gpu)).run(20, step, device="cuda")

    assert reading.total_j == pytest.approx(640.0)


def test_a_tagger_on_the_cpu_leaves_the_gpu_alone() -> None:
    nvml = FakeNvml(FakeGpu())
    reading = Rig(nvml=nvml).run(2)

    assert reading.energy["gpu"].reason == "the tagger does not run on a CUDA device"
    assert not reading.energy["gpu"].expected
    assert reading.reasons["peak_vram_mb"] == "the tagger does not run on a CUDA device"


def test_integrated_power_says_which_field() -> None:
    gpu = FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED), instant_mw={0: 200_000})

    reading = Rig(nvml=FakeNvml(gpu)).run(20, device="cuda")

    domain = reading.energy["gpu"]
    assert domain.source == "nvml-power"
    assert domain.j == pytest.approx(400.0)
    assert domain.detail == f"NVML_FI_DEV_POWER_INSTANT, scope gpu, of {gpu.uuid}"


@pytest.mark.parametrize(("watts", "suspect"), [(301.0, False), (325.0, False), (329.0, True), (390.0, True)])
def test_counter_and_power_that_differ_by_more_than_both_explain_are_suspect(watts: float, *, suspect: bool) -> None:
    gpu = FakeGpu(instant_mw={0: round(1000.0 * watts)})

    def step(_: int) -> None:
        _draw(gpu, 300.0)
        gpu.instant_mw = {0: round(1000.0 * watts)}

    reading = Rig(nvml=FakeNvml(gpu)).run(100, step, device="cuda")

    assert reading.suspect is suspect
    assert any("GPU counter (3000.0 J) and integrated power" in note for note in reading.quality) is suspect


def test_the_note_on_two_sources_has_both_numbers_and_what_they_allow() -> None:
    gpu = FakeGpu(instant_mw={0: 390_000})

    def step(_: int) -> None:
        _draw(gpu, 300.0)
        gpu.instant_mw = {0: 390_000}

    reading = Rig(nvml=FakeNvml(gpu)).run(30, step, device="cuda")

    (note,) = [note for note in reading.quality if note.startswith("GPU counter")]
    assert note == (
        "GPU counter (900.0 J) and integrated power (1170.0 J) differ by 270.0 J, more than their uncertainty explains "
        f"({note.rpartition('(')[2].removesuffix(')')})"
    )


def test_two_sources_that_scatter_are_not_suspect_for_it() -> None:
    # Naive: a fixed 10 %. Power swings from sample to sample, and what it sums up to is 11 % off.
    gpu = FakeGpu()

    def step(number: int) -> None:
        _draw(gpu, 300.0)
        gpu.instant_mw = {0: 230_000 + 180_000 * (number % 7 < 4)}

    reading = Rig(nvml=FakeNvml(gpu)).run(14, step, device="cuda")

    assert not reading.suspect


def test_nothing_but_nvml_errors_is_a_reason_each() -> None:
    error = NVMLError(NOT_SUPPORTED)
    gpu = FakeGpu(
        energy_mj=error,
        usage_mw=error,
        instant_mw={},
        utilization_pct=error,
        temperature_c=error,
        clock_events=error,
        processes=error,
    )

    reading = Rig(nvml=FakeNvml(gpu)).run(3, device="cuda")

    assert reading.energy["gpu"].reason == "NVIDIA H200 gives neither energy nor power through NVML"
    assert reading.gpu_utilization_pct is None
    assert reading.reasons["gpu_utilization_pct"] == "Not Supported"
    assert reading.reasons["peak_vram_mb"] == "Not Supported"


def test_init_and_shutdown_come_in_pairs() -> None:
    nvml = FakeNvml(FakeGpu())
    with Rig(nvml=nvml).meter(device="cuda") as meter:
        assert nvml.initialized == 1
        meter.close()
        meter.close()
    assert nvml.initialized == 0

    Rig(nvml=nvml, environ={"CUDA_VISIBLE_DEVICES": "7"}).run(1, device="cuda")
    assert nvml.initialized == 0


def test_no_driver_is_a_reason_with_a_remedy() -> None:
    reading = Rig(nvml=FakeNvml(broken=NVMLError(DRIVER_NOT_LOADED))).run(1, device="cuda")

    assert (reading.energy["gpu"].reason or "").startswith("NVML cannot be started: Driver Not Loaded; it comes with")
    assert reading.energy["gpu"].expected


def test_memory_that_nvml_does_not_split_by_process_is_unknown() -> None:
    reading = Rig(nvml=FakeNvml(FakeGpu(processes=[(100, None)]))).run(2, device="cuda")

    assert reading.peak_vram_mb is None
    assert reading.reasons["peak_vram_mb"] == "NVML does not give the memory of single processes here"


def test_a_client_of_mps_holds_what_its_list_says() -> None:
    # Under MPS the list of compute processes holds its server.
    reading = Rig(nvml=FakeNvml(FakeGpu(processes=[(55, 30_000_000)], mps=[(100, 700_000_000)]))).run(2, device="cuda")

    assert reading.peak_vram_mb == pytest.approx(700.0)
    assert "foreign processes on the GPU: 55" in reading.quality


def test_ids_of_a_container_are_not_taken_for_strangers() -> None:
    reading = Rig(nvml=FakeNvml(FakeGpu(processes=[(4711, 10)]))).run(2, device="cuda")

    assert reading.peak_vram_mb is None
    assert "in a container" in reading.reasons["peak_vram_mb"]
    assert any("cannot be told from this one" in note and "4711" in note for note in reading.quality)
    assert not reading.suspect
