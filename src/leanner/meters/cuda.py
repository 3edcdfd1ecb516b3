"""What the meters need from CUDA, as callables: they import no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True)
class CudaHooks:
    """Callables of one CUDA device.

    Attributes:
        synchronize: Waits until the device has done all that was launched.
        uuid: Name of the device as CUDA gives it; ``None`` if it does not.
        reset_peak: Forgets the allocator's peak.
        peak_allocated_b: The allocator's peak since, in bytes.
    """

    synchronize: Callable[[], None]
    uuid: str | None
    reset_peak: Callable[[], None]
    peak_allocated_b: Callable[[], int]


def cuda_hooks(torch: ModuleType, device: str) -> CudaHooks | None:
    """Return the hooks of a torch device; ``None`` unless it is a CUDA device.

    Args:
        torch: The module, imported by who has it.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """
    if not device.startswith("cuda"):
        return None
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)

    def synchronize() -> None:
        # Without a context there is nothing to wait for, and waiting would create it: the device would
        # no longer be bare.
        if _has_context(torch, device):
            torch.cuda.synchronize(device)

    return CudaHooks(
        synchronize=synchronize,
        uuid=None if uuid is None else str(uuid),
        reset_peak=lambda: torch.cuda.reset_peak_memory_stats(device),
        peak_allocated_b=lambda: int(torch.cuda.max_memory_allocated(device)),
    )


def _has_context(torch: ModuleType, device: str) -> bool:
    asked = getattr(torch._C, "_cuda_hasPrimaryContext", None)  # noqa: SLF001 - torch has no public name for it
    if asked is None:
        return True
    index = torch.device(device).index
    return bool(asked(torch.cuda.current_device() if index is None else index))
