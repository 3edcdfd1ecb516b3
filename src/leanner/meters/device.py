"""Which NVML device a torch device is, and what it can tell."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from typing import Final

from leanner.meters.errors import UnmeasurableError


_MIG: Final = (
    "the device is a MIG slice: NVML gives energy, power and utilisation of the whole GPU only, so no claim about one "
    "case is possible; turn MIG off (`nvidia-smi -mig 0`) or take another GPU"
)

#: Attribute of ``nvmlValue_t`` by ``nvmlValueType_t``.
_VALUE_TYPES: Final = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


@dataclass(frozen=True, slots=True)
class PowerField:
    """How watts are read: the field chosen, and whether it covers the GPU or a whole module (Grace Hopper)."""

    name: str
    scope: str
    read_mw: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as NVML gives it.

    Attributes:
        handle: NVML's.
        uuid: ``GPU-…``.
        model: Product name.
        counter: Whether the total-energy counter works.
        power: How watts are read; ``None`` if they cannot be.
        shared: Why its joules are not those of one case (MIG); ``None`` if they are.
    """

    handle: object
    uuid: str
    model: str
    counter: bool
    power: PowerField | None
    shared: str | None


def find_gpu(nvml: ModuleType, device: str, environ: Mapping[str, str], uuid: str | None = None) -> Gpu:
    """Return the GPU behind a torch device.

    Args:
        nvml: The module ``pynvml``, initialised.
        device: ``cuda`` or ``cuda:N``.
        environ: For ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER``.
        uuid: What CUDA itself says, with or without ``GPU-``; beats the environment.

    Raises:
        UnmeasurableError: It cannot be told which one, or NVML does not show it.
    """
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        uuids = [str(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        models = [str(nvml.nvmlDeviceGetName(handle)) for handle in handles]
        index, sliced = _index(device, environ, uuid, uuids, models)
        handle = handles[index]
        return Gpu(
            handle=handle,
            uuid=uuids[index],
            model=models[index],
            counter=_has_counter(nvml, handle),
            power=_power_field(nvml, handle),
            shared=_MIG if sliced or _in_mig_mode(nvml, handle) else None,
        )
    except nvml.NVMLError as error:
        raise UnmeasurableError(f"NVML cannot describe {device}: {error}") from error


def _index(
    device: str, environ: Mapping[str, str], uuid: str | None, uuids: list[str], models: list[str]
) -> tuple[int, bool]:
    """Return NVML's index of a torch device, and whether it is a slice of that GPU."""
    if uuid is not None:
        return _by_uuid(uuid, uuids)
    ordinal = int(device.partition(":")[2] or 0)
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    entry = str(ordinal)
    if visible is not None:
        entries = [part.strip() for part in visible.split(",")]
        if ordinal >= len(entries) or entries[ordinal] in ("", "-1"):
            raise UnmeasurableError(f"{device} is not among CUDA_VISIBLE_DEVICES={visible}")
        entry = entries[ordinal]
    if not entry.isdecimal():
        return _by_uuid(entry, uuids)
    # CUDA counts the fastest GPU first unless told otherwise, NVML counts by PCI bus.
    if len(set(models)) > 1 and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        raise UnmeasurableError(
            f"{device} may be any of {', '.join(sorted(set(models)))}: CUDA and NVML count them in different orders; "
            "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name the GPU by UUID in CUDA_VISIBLE_DEVICES"
        )
    if int(entry) >= len(uuids):
        raise UnmeasurableError(f"{device} is GPU {entry}, but NVML shows only {len(uuids)}")
    return int(entry), False


def _by_uuid(uuid: str, uuids: list[str]) -> tuple[int, bool]:
    sliced = uuid.startswith("MIG-")
    if sliced and not uuid.startswith("MIG-GPU-"):
        # Since R470 the name of a slice no longer holds its GPU's; they all get the same answer.
        return 0, True
    wanted = uuid.removeprefix("MIG-").removeprefix("GPU-").split("/")[0].lower()
    matches = [index for index, known in enumerate(uuids) if known.removeprefix("GPU-").lower().startswith(wanted)]
    if len(matches) != 1:
        raise UnmeasurableError(f"{uuid} names {len(matches)} of the GPUs that NVML shows: {', '.join(uuids)}")
    return matches[0], sliced


def _in_mig_mode(nvml: ModuleType, handle: object) -> bool:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE)
    except nvml.NVMLError:
        return False  # the model knows no MIG


def _has_counter(nvml: ModuleType, handle: object) -> bool:
    try:
        # Some virtual GPUs answer with a constant 0 instead of "not supported".
        return int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) > 0
    except nvml.NVMLError:
        return False  # before Volta, or virtual


def _power_field(nvml: ModuleType, handle: object) -> PowerField | None:
    """Prefer the instant field, of the GPU alone; the old call may be an average over the last second."""
    for scope, number in (("gpu", nvml.NVML_POWER_SCOPE_GPU), ("module", nvml.NVML_POWER_SCOPE_MODULE)):
        field = _instant(nvml, handle, number)
        if _works(nvml, field):
            return PowerField("NVML_FI_DEV_POWER_INSTANT", scope, field)

    def usage() -> int:
        return int(nvml.nvmlDeviceGetPowerUsage(handle))

    return PowerField("nvmlDeviceGetPowerUsage", "gpu", usage) if _works(nvml, usage) else None


def _instant(nvml: ModuleType, handle: object, scope: int) -> Callable[[], int]:
    def read() -> int:
        (value,) = nvml.nvmlDeviceGetFieldValues(handle, [(nvml.NVML_FI_DEV_POWER_INSTANT, scope)])
        if value.nvmlReturn != nvml.NVML_SUCCESS:
            raise nvml.NVMLError(value.nvmlReturn)
        return int(_plain(value))

    return read


def _plain(value: Any) -> int:  # noqa: ANN401 - a ctypes structure of pynvml
    return int(getattr(value.value, _VALUE_TYPES[value.valueType]))


def _works(nvml: ModuleType, read: Callable[[], int]) -> bool:
    try:
        return read() > 0
    except (nvml.NVMLError, AttributeError):
        return False  # not on this model, or a driver older than the field
