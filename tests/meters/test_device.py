from __future__ import annotations

import pytest

from leanner.meters.device import Gpu
from leanner.meters.device import find_gpu
from leanner.meters.errors import UnmeasurableError
from meters.fake_nvml import GPU_IS_LOST
from meters.fake_nvml import NO_PERMISSION
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


@pytest.mark.parametrize("code", [GPU_IS_LOST, NO_PERMISSION])
def test_a_gpu_that_fails_does_not_hide_another(code: int) -> None:
    lost = FakeGpu(uuid="GPU-cccc", lost=NVMLError(code))

    assert _find("cuda:0", FIRST, lost).uuid == FIRST.uuid
    assert _find("cuda:0", lost, SECOND, uuid="bbbb2222-2").uuid == SECOND.uuid
    assert _find("cuda:0", lost, SECOND, CUDA_VISIBLE_DEVICES="GPU-bbbb").uuid == SECOND.uuid


def test_where_a_gpu_fails_an_index_behind_it_says_nothing() -> None:
    # CUDA may leave it out of its count.
    lost = FakeGpu(uuid="GPU-cccc", lost=NVMLError(GPU_IS_LOST))

    for device in ("cuda:0", "cuda:1"):
        with pytest.raises(UnmeasurableError, match=r"GPU 0 \(GPU is lost\), so cuda:. may be another"):
            _find(device, lost, SECOND)


def test_a_uuid_that_fits_nothing_says_what_there_is() -> None:
    lost = FakeGpu(uuid="GPU-cccc", lost=NVMLError(GPU_IS_LOST))

    with pytest.raises(UnmeasurableError, match=r"cccc names 0 .*: GPU-aaaa1111-1, GPU 1 without a name \(GPU is lost"):
        _find("cuda", FIRST, lost, uuid="cccc")


def _sliced() -> tuple[FakeGpu, FakeGpu]:
    # The first is whole, and not the one that is used.
    return FIRST, FakeGpu(uuid=SECOND.uuid, mig=True, slices=["MIG-1111-1", "MIG-2222-2"])


@pytest.mark.parametrize(
    ("uuid", "visible"),
    [
        (None, "MIG-2222-2"),
        (None, "MIG-GPU-bbbb2222-2/1/0"),
        (None, "MIG-2222"),  # an abbreviation, which NVML does not take
        ("2222-2", "MIG-2222-2"),  # as CUDA says it in production
        ("2222-2", "1"),
        ("MIG-2222-2", None),
        ("bbbb2222-2", "MIG-2222-2"),  # before cuDeviceGetUuid_v2: the GPU's
        ("4711", "MIG-2222-2"),
        ("4711", None),  # no match, and a GPU in MIG mode
    ],
)
def test_a_slice_is_one_of_its_own_gpu(uuid: str | None, visible: str | None) -> None:
    gpu = _find("cuda", *_sliced(), uuid=uuid, **({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}))

    assert gpu.uuid == SECOND.uuid
    assert "MIG slice" in (gpu.shared or "")


def test_the_whole_gpu_beside_a_sliced_one_is_not_shared() -> None:
    gpu = _find("cuda", *_sliced(), uuid="aaaa1111-1")

    assert (gpu.uuid, gpu.shared) == (FIRST.uuid, None)


@pytest.mark.parametrize(("uuid", "visible"), [("4711", "MIG-4711"), (None, "MIG-4711"), ("4711", "MIG-4711,MIG-12")])
def test_a_slice_of_nobody_knows_which_gpu_is_no_gpus(uuid: str | None, visible: str) -> None:
    # Naive: the first.
    with pytest.raises(UnmeasurableError, match=r"MIG slice.*NVML does not say of which GPU MIG-4711 is a slice"):
        _find("cuda", uuid=uuid, CUDA_VISIBLE_DEVICES=visible)


def test_the_instant_field_of_the_gpu_is_preferred() -> None:
    field = _find("cuda", FakeGpu(instant_mw={0: 70_000, 1: 900_000}, usage_mw=60_000)).power

    assert field is not None
    assert (field.name, field.scope, field.read_mw()) == ("NVML_FI_DEV_POWER_INSTANT", "gpu", 70_000)


def test_without_any_power_there_is_none() -> None:
    assert _find("cuda", FakeGpu(instant_mw={}, usage_mw=NVMLError(NOT_SUPPORTED))).power is None


def test_a_model_that_knows_no_mig_is_not_shared() -> None:
    assert _find("cuda", FakeGpu(mig=NVMLError(NOT_SUPPORTED))).shared is None


@pytest.mark.parametrize(
    ("architecture", "model", "averaged_s"),
    [
        (5, "Tesla V100-SXM2-16GB", 0.0),
        (6, "Tesla T4", 0.0),
        (7, "NVIDIA A100-SXM4-80GB", 0.0),
        (7, "NVIDIA A100 80GB PCIe", 0.0),
        (7, "NVIDIA A100X", 0.0),
        (7, "NVIDIA A30", 0.0),
        (7, "NVIDIA A10", 1.0),
        (7, "NVIDIA RTX A3000 Laptop GPU", 1.0),
        (8, "NVIDIA L4", 1.0),
        (9, "NVIDIA H100 PCIe", 1.0),
        (NVMLError(NOT_SUPPORTED), "NVIDIA A100-SXM4-80GB", 1.0),
    ],
)
def test_the_old_call_averages_where_nvidia_says_so(
    architecture: int | NVMLError, model: str, averaged_s: float
) -> None:
    power = _find("cuda", FakeGpu(model=model, architecture=architecture, instant_mw={})).power

    assert power is not None
    assert (power.name, power.averaged_s) == ("nvmlDeviceGetPowerUsage", averaged_s)
    assert power.documented == isinstance(architecture, int)


def test_instant_power_does_not_average() -> None:
    power = _find("cuda", FakeGpu()).power

    assert power is not None
    assert power.averaged_s == 0.0


def test_a_driver_without_the_call_is_taken_to_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FakeNvml, "nvmlDeviceGetArchitecture")
    power = _find("cuda", FakeGpu(instant_mw={})).power

    assert power is not None
    assert power.averaged_s == 1.0
    assert not power.documented
