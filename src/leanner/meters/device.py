"""What the NVML device behind a torch device can tell."""

from __future__ import annotations

import re

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from typing import Final

from leanner.meters.errors import UnmeasurableError
from leanner.meters.sensors import POWER_MEAN_S
from leanner.meters.which_gpu import MIG
from leanner.meters.which_gpu import in_mig_mode
from leanner.meters.which_gpu import which_gpu


#: Attribute of ``nvmlValue_t`` by ``nvmlValueType_t``.
_VALUE_TYPES: Final = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


# Boards with the GA100 chip, the one Ampere whose nvmlDeviceGetPowerUsage does not average.
_GA100: Final = re.compile(r"\b(A100|A800|A30)X?\b")


@dataclass(frozen=True, slots=True)
class PowerField:
    """How watts are read.

    Attributes:
        name: The field or call.
        scope: ``gpu``, or ``module`` where the sensor covers more (Grace Hopper).
        read_mw: Reads it, in milliwatts.
        averaged_s: Seconds that one reading averages over; 0 for instant power.
        documented: Whether that is known of this GPU; else the more careful of the two is assumed.
    """

    name: str
    scope: str
    read_mw: Callable[[], int]
    averaged_s: float = 0.0
    documented: bool = True


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as NVML gives it.

    Attributes:
        handle: NVML's.
        uuid: ``GPU-…``; of the whole GPU also where the device is a slice of it.
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
        uuid: What CUDA itself says, with or without a prefix; beats the environment.

    Raises:
        UnmeasurableError: It cannot be told which one, or NVML does not show it.
    """
    try:
        found, sliced = which_gpu(nvml, device, environ, uuid)
    except nvml.NVMLError as error:
        raise UnmeasurableError(f"NVML cannot describe {device}: {error}") from error
    return Gpu(
        handle=found.handle,
        uuid=found.uuid,
        model=found.model,
        counter=_has_counter(nvml, found.handle),
        power=_power_field(nvml, found.handle, found.model),
        shared=MIG if sliced or in_mig_mode(nvml, found.handle) else None,
    )


def _has_counter(nvml: ModuleType, handle: object) -> bool:
    try:
        # Some virtual GPUs answer with a constant 0 instead of "not supported".
        return int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) > 0
    except nvml.NVMLError:
        return False  # before Volta, or virtual


def _power_field(nvml: ModuleType, handle: object, model: str) -> PowerField | None:
    """Prefer the instant field, of the GPU alone; the old call may be an average over the last second."""
    for scope, number in (("gpu", nvml.NVML_POWER_SCOPE_GPU), ("module", nvml.NVML_POWER_SCOPE_MODULE)):
        field = _instant(nvml, handle, number)
        if _works(nvml, field):
            return PowerField("NVML_FI_DEV_POWER_INSTANT", scope, field)

    def usage() -> int:
        return int(nvml.nvmlDeviceGetPowerUsage(handle))

    if not _works(nvml, usage):
        return None
    averages = _averages(nvml, handle, model)
    averaged_s = 0.0 if averages is False else POWER_MEAN_S
    return PowerField("nvmlDeviceGetPowerUsage", "gpu", usage, averaged_s, documented=averages is not None)


def _averages(nvml: ModuleType, handle: object, model: str) -> bool | None:
    """Return whether nvmlDeviceGetPowerUsage averages: on Ampere, except GA100, and newer (NVML API reference).

    Returns:
        ``None`` if the driver does not tell the architecture.
    """
    try:
        architecture = int(nvml.nvmlDeviceGetArchitecture(handle))
        ampere = int(nvml.NVML_DEVICE_ARCH_AMPERE)
    except (nvml.NVMLError, AttributeError):
        return None
    if architecture != ampere:
        return architecture > ampere
    return _GA100.search(model) is None


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
