from __future__ import annotations

import pytest

from leanner.meters import GpuState
from meters.fake_nvml import NO_PERMISSION
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.rig import Rig


def test_the_state_of_a_quiet_gpu() -> None:
    gpu = FakeGpu(processes=[(100, 10)])

    state = Rig(nvml=FakeNvml(gpu)).run(3, device="cuda").gpu

    assert state == GpuState(gpu.uuid, "NVML_FI_DEV_POWER_INSTANT", "gpu", 40, 40, {}, ())


def test_every_reason_has_its_share_of_the_samples() -> None:
    gpu = FakeGpu()

    def step(number: int) -> None:
        gpu.clock_events = (0x04 if number < 9 else 0) | (0x80 if number >= 4 else 0)

    state = Rig(nvml=FakeNvml(gpu)).run(8, step, device="cuda").gpu

    # Ten reads: the begin, eight ticks, the end.
    assert state is not None
    assert state.throttled == {"software power cap": 0.9, "hardware power brake": 0.5}


def test_what_nvml_does_not_tell_is_none_and_not_0() -> None:
    error = NVMLError(NOT_SUPPORTED)
    gpu = FakeGpu(usage_mw=error, instant_mw={}, temperature_c=error, clock_events=error, processes=error)

    state = Rig(nvml=FakeNvml(gpu)).run(3, device="cuda").gpu

    # Naive: no throttling, and nobody else.
    reasons = {"throttled": "Not Supported", "foreign_pids": "Not Supported"}
    assert state == GpuState(gpu.uuid, None, None, None, None, None, None, reasons)


@pytest.mark.parametrize(("processes", "why"), [([(4711, 10)], "in a container"), ([], "not even of this tree")])
def test_where_this_tree_is_not_seen_nobody_knows_who_else_is_there(
    processes: list[tuple[int, int | None]], why: str
) -> None:
    state = Rig(nvml=FakeNvml(FakeGpu(processes=processes))).run(2, device="cuda").gpu

    assert state is not None
    assert state.foreign_pids is None
    assert why in state.reasons["foreign_pids"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"graphics": NVMLError(NOT_SUPPORTED)}, "NVML does not list graphics processes: Not Supported"),
        ({"mps": NVMLError(NO_PERMISSION)}, "NVML does not list clients of the Multi-Process Service: Insufficient"),
    ],
)
def test_a_list_that_is_never_read_leaves_unknown_who_is_there(change: dict[str, NVMLError], why: str) -> None:
    state = Rig(nvml=FakeNvml(FakeGpu(processes=[(100, 10)], **change))).run(3, device="cuda").gpu  # type: ignore[arg-type]

    assert state is not None
    assert state.foreign_pids is None
    assert state.reasons["foreign_pids"].startswith(why)


def test_a_model_without_clients_of_mps_has_none() -> None:
    gpu = FakeGpu(processes=[(100, 10)], mps=NVMLError(NOT_SUPPORTED))

    state = Rig(nvml=FakeNvml(gpu)).run(3, device="cuda").gpu

    assert state is not None
    assert state.foreign_pids == ()


def test_a_tagger_on_the_cpu_has_no_gpu() -> None:
    assert Rig(nvml=FakeNvml(FakeGpu())).run(2).gpu is None
