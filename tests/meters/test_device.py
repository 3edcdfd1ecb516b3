from __future__ import annotations

import pytest

from leanner.meters.device import Gpu
from leanner.meters.device import find_gpu
from leanner.meters.errors import UnmeasurableError
from meters.fake_nvml import GPU_IS_LOST
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError


FIRST = FakeGpu(uuid="GPU-aaaa1111-1")
SECOND = FakeGpu(uuid="GPU-bbbb2222-2")


def _find(device: str, *gpus: FakeGpu, uuid: str | None = None, **environ: str) -> Gpu:
    nvml = FakeNvml(*(gpus or (FIRST, SECOND)))
    nvml.nvmlInit()
    return find_gpu(nvml, device, environ, uuid)


@pytest.mark.parametrize(
    ("device", "visible", "uuid"),
    [
        ("cuda", None, FIRST.uuid),
        ("cuda:1", None, SECOND.uuid),
        ("cuda", "1", SECOND.uuid),
        ("cuda:1", "1,0", FIRST.uuid),
        ("cuda", "GPU-bbbb", SECOND.uuid),
        ("cuda:1", "GPU-bbbb2222-2, GPU-aaaa", FIRST.uuid),
    ],
)
def test_visible_devices_are_followed(device: str, visible: str | None, uuid: str) -> None:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}

    assert _find(device, **environ).uuid == uuid


def test_what_cuda_says_beats_the_environment() -> None:
    assert _find("cuda", uuid="bbbb2222-2", CUDA_VISIBLE_DEVICES="0").uuid == SECOND.uuid


@pytest.mark.parametrize("visible", ["", "-1", "0,-1"])
def test_a_hidden_device_is_refused(visible: str) -> None:
    with pytest.raises(UnmeasurableError, match="CUDA_VISIBLE_DEVICES"):
        _find("cuda:1", CUDA_VISIBLE_DEVICES=visible)


def test_a_uuid_that_fits_two_devices_is_refused() -> None:
    with pytest.raises(UnmeasurableError, match="names 2 of the GPUs"):
        _find("cuda", CUDA_VISIBLE_DEVICES="GPU-")


def test_an_index_beyond_the_last_device_is_refused() -> None:
    with pytest.raises(UnmeasurableError, match="shows only 2"):
        _find("cuda:5")


def test_a_driver_that_fails_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: FakeNvml) -> int:
        raise NVMLError(GPU_IS_LOST)

    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetCount", lost)
    with pytest.raises(UnmeasurableError, match="GPU is lost"):
        _find("cuda")


def test_the_instant_field_of_the_gpu_is_preferred() -> None:
    field = _find("cuda", FakeGpu(instant_mw={0: 70_000, 1: 900_000}, usage_mw=60_000)).power

    assert field is not None
    assert (field.name, field.scope, field.read_mw()) == ("NVML_FI_DEV_POWER_INSTANT", "gpu", 70_000)


def test_without_any_power_there_is_none() -> None:
    assert _find("cuda", FakeGpu(instant_mw={}, usage_mw=NVMLError(NOT_SUPPORTED))).power is None


def test_a_model_that_knows_no_mig_is_not_shared() -> None:
    assert _find("cuda", FakeGpu(mig=NVMLError(NOT_SUPPORTED))).shared is None
