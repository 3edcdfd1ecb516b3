"""What a process holds before a case begins: what earlier cases left behind is not this one's."""

from __future__ import annotations

import ctypes
import gc
import importlib
import sys

from dataclasses import dataclass
from typing import Final

from leanner.meters.processes import ProcessTree


#: More than this left behind by earlier cases is worth a note, in MB.
NOTABLE_MB: Final = 64.0

_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class Held:
    """Memory held at one moment, in MB = 10^6 bytes; ``None`` where it cannot be told.

    Attributes:
        host_mb: Proportional bytes of the process tree.
        vram_mb: What torch's allocator has reserved on the device.
        vram_allocated_mb: What of it tensors take.
    """

    host_mb: float | None
    vram_mb: float | None
    vram_allocated_mb: float | None = None


def held(device: str, tree: ProcessTree | None = None) -> Held:
    """Free what is free to be freed, and return what is held then."""
    gc.collect()
    vram_mb = vram_allocated_mb = None
    if device.startswith("cuda"):
        torch = importlib.import_module("torch")
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        vram_mb = torch.cuda.memory_reserved(device) / _MB
        vram_allocated_mb = torch.cuda.memory_allocated(device) / _MB
    _trim()
    tree = tree or ProcessTree()
    try:
        host_mb: float | None = tree.pss_b(tree.pids()) / _MB
    except OSError:
        host_mb = None
    return Held(host_mb, vram_mb, vram_allocated_mb)


def left_behind(first: Held, now: Held) -> Held:
    """Return by how much more is held now than before the first case; never below 0."""
    return Held(
        host_mb=_more(first.host_mb, now.host_mb),
        vram_mb=_more(first.vram_mb, now.vram_mb),
        vram_allocated_mb=_more(first.vram_allocated_mb, now.vram_allocated_mb),
    )


def without(peak_mb: float, behind_mb: float | None) -> float | None:
    """Return a peak less what earlier cases left behind; ``None`` if that was freed before the peak.

    Args:
        peak_mb: Of all that is held.
        behind_mb: What was left behind when the case began; nothing is subtracted where it is unknown.
    """
    less_mb = behind_mb or 0.0
    return peak_mb - less_mb if peak_mb >= less_mb else None


def note(behind: Held) -> str | None:
    """Return what a reader must know of it."""
    amounts = {"host memory": behind.host_mb, "VRAM": behind.vram_mb}
    notable = [f"{mb:.0f} MB of {what}" for what, mb in amounts.items() if mb is not None and mb > NOTABLE_MB]
    if not notable:
        return None
    return f"earlier cases left {' and '.join(notable)} behind, which is subtracted (--leanner-isolate avoids it)"


def _more(first: float | None, now: float | None) -> float | None:
    return None if first is None or now is None else max(0.0, now - first)


def _trim() -> None:
    # glibc keeps freed memory for itself; without this it would look left behind.
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
