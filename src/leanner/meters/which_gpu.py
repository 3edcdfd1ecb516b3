"""Which of NVML's devices a torch device is: by the name that CUDA gives it, else by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from leanner.meters.errors import UnmeasurableError


#: Why there are no joules of a slice.
MIG: Final = (
    "the device is a MIG slice: NVML gives energy, power and utilisation of the whole GPU only, so no claim about one "
    "case is possible; turn MIG off (`nvidia-smi -mig 0`) or take another GPU"
)

_SLICE: Final = "MIG-"
_WHOLE: Final = "GPU-"


@dataclass(frozen=True, slots=True)
class Shown:
    """A GPU that NVML shows.

    Attributes:
        index: NVML's, by PCI bus.
        handle: NVML's.
        uuid: ``GPU-…``.
        model: Product name.
    """

    index: int
    handle: object
    uuid: str
    model: str


@dataclass(frozen=True, slots=True)
class Gpus:
    """All GPUs of the machine.

    Attributes:
        shown: Those that can be described.
        failed: Why another cannot be, by index: lost, or not for this user.
    """

    shown: Sequence[Shown]
    failed: Mapping[int, str]

    @classmethod
    def of(cls, nvml: ModuleType) -> Gpus:
        """Look at every GPU; one that fails does not hide the others.

        Raises:
            NVMLError: NVML does not even count them.
        """
        shown: list[Shown] = []
        failed: dict[int, str] = {}
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                uuid, model = str(nvml.nvmlDeviceGetUUID(handle)), str(nvml.nvmlDeviceGetName(handle))
            except nvml.NVMLError as error:
                failed[index] = str(error)
            else:
                shown.append(Shown(index, handle, uuid, model))
        return cls(shown, failed)

    def __str__(self) -> str:
        """Return what NVML shows, and what it does not, for an error."""
        names = [gpu.uuid for gpu in self.shown]
        names += [f"GPU {index} without a name ({why})" for index, why in self.failed.items()]
        return ", ".join(names) or "none"


def which_gpu(nvml: ModuleType, device: str, environ: Mapping[str, str], uuid: str | None = None) -> tuple[Shown, bool]:
    """Return the GPU behind a torch device, and whether the device is a slice of it.

    Args:
        nvml: The module ``pynvml``, initialised.
        device: ``cuda`` or ``cuda:N``.
        environ: For ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER``.
        uuid: What CUDA itself says, with or without a prefix; beats the environment.

    Raises:
        UnmeasurableError: It cannot be told which one, or NVML does not show it.
        NVMLError: NVML does not count its devices.
    """
    gpus = Gpus.of(nvml)
    ordinal = int(device.partition(":")[2] or 0)
    if uuid is not None:
        return _as_cuda_says(nvml, uuid, environ.get("CUDA_VISIBLE_DEVICES", ""), gpus)
    entry = _entry(device, ordinal, environ)
    if entry.isdecimal():
        return _by_index(device, int(entry), environ, gpus), False
    return _slice(nvml, entry, gpus) if entry.startswith(_SLICE) else (_whole(entry, gpus), False)


def _entry(device: str, ordinal: int, environ: Mapping[str, str]) -> str:
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return str(ordinal)
    entries = [part.strip() for part in visible.split(",")]
    if ordinal >= len(entries) or entries[ordinal] in ("", "-1"):
        raise UnmeasurableError(f"{device} is not among CUDA_VISIBLE_DEVICES={visible}")
    return entries[ordinal]


def _by_index(device: str, index: int, environ: Mapping[str, str], gpus: Gpus) -> Shown:
    # CUDA counts the fastest GPU first unless told otherwise, NVML counts by PCI bus.
    models = {gpu.model for gpu in gpus.shown}
    if len(models) > 1 and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        raise UnmeasurableError(
            f"{device} may be any of {', '.join(sorted(models))}: CUDA and NVML count them in different orders; "
            "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name the GPU by UUID in CUDA_VISIBLE_DEVICES"
        )
    # One before it that NVML cannot describe may be one that CUDA does not count.
    before = {number: why for number, why in gpus.failed.items() if number <= index}
    if before:
        raise UnmeasurableError(
            f"NVML cannot describe {', '.join(f'GPU {number} ({why})' for number, why in before.items())}, so {device} "
            "may be another than NVML counts; name the GPU by UUID in CUDA_VISIBLE_DEVICES"
        )
    found = next((gpu for gpu in gpus.shown if gpu.index == index), None)
    if found is None:
        raise UnmeasurableError(f"{device} is GPU {index}, but NVML shows only {len(gpus.shown)}")
    return found


def _as_cuda_says(nvml: ModuleType, uuid: str, visible: str, gpus: Gpus) -> tuple[Shown, bool]:
    """Return the GPU of a UUID that CUDA gave: the GPU's own, or since cuDeviceGetUuid_v2 that of the slice."""
    if uuid.startswith(_SLICE):
        return _slice(nvml, uuid, gpus)
    if _named(uuid, gpus):
        return _whole(uuid, gpus), False
    bare = uuid.removeprefix(_WHOLE)
    if (parent := _parent(nvml, _SLICE + bare, gpus)) is not None:
        return parent, True
    entries = [part.strip() for part in visible.split(",")]
    slices = [entry for entry in entries if entry.startswith(_SLICE)]
    if len(slices) == 1 and (parent := _parent(nvml, slices[0], gpus)) is not None:
        return parent, True
    if slices or _in_mig_mode(nvml, gpus):
        return _slice(nvml, _SLICE + bare, gpus)
    return _whole(uuid, gpus), False


def _whole(uuid: str, gpus: Gpus) -> Shown:
    matches = _named(uuid, gpus)
    if len(matches) != 1:
        raise UnmeasurableError(f"{uuid} names {len(matches)} of the GPUs that NVML shows: {gpus}")
    return matches[0]


def _named(uuid: str, gpus: Gpus) -> list[Shown]:
    # CUDA takes the begin of a UUID for the whole, if it fits one GPU alone.
    wanted = uuid.removeprefix(_WHOLE).lower()
    return [gpu for gpu in gpus.shown if gpu.uuid.removeprefix(_WHOLE).lower().startswith(wanted)]


def _slice(nvml: ModuleType, uuid: str, gpus: Gpus) -> tuple[Shown, bool]:
    """Return the GPU that a slice belongs to."""
    parent = _parent(nvml, uuid, gpus)
    if parent is None:
        candidates = _in_mig_mode(nvml, gpus) or gpus.shown
        if len(candidates) != 1:
            raise UnmeasurableError(f"{MIG} (NVML does not say of which GPU {uuid} is a slice: {gpus})")
        parent = candidates[0]
    return parent, True


def _parent(nvml: ModuleType, uuid: str, gpus: Gpus) -> Shown | None:
    if uuid.startswith(_SLICE + _WHOLE):
        # Before R470 a slice was named after its GPU: MIG-GPU-<UUID>/<GPU instance>/<compute instance>.
        return _whole(uuid.removeprefix(_SLICE).split("/")[0], gpus)
    try:
        found = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvml.nvmlDeviceGetHandleByUUID(uuid))
        parent = str(nvml.nvmlDeviceGetUUID(found))
    except nvml.NVMLError:
        return None  # an abbreviation, another slice's, or the GPU is not for this user
    return next((gpu for gpu in gpus.shown if gpu.uuid == parent), None)


def _in_mig_mode(nvml: ModuleType, gpus: Gpus) -> list[Shown]:
    return [gpu for gpu in gpus.shown if in_mig_mode(nvml, gpu.handle)]


def in_mig_mode(nvml: ModuleType, handle: object) -> bool:
    """Return whether a GPU is cut into slices."""
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE)
    except nvml.NVMLError:
        return False  # the model knows no MIG
