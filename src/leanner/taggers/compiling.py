"""What TorchInductor needs to compile for a device; its reasons are known where torch is not imported."""

from __future__ import annotations

import sysconfig

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final


if TYPE_CHECKING:
    import torch


#: What the record calls what TorchInductor compiled.
RUNTIME: Final = "inductor"

NO_COMPILER: Final = "TorchInductor needs a C++ compiler, found none: install g++, or name one by CXX"
NO_HEADERS: Final = "TorchInductor needs Python's headers, found no Python.h: install python3-dev"
NO_TRITON: Final = "TorchInductor needs triton and a GPU of compute capability 7.0 or later: pip install triton"
OTHER_DEVICE: Final = "TorchInductor is used on CPUs and with CUDA only"

#: What of it is not in the seconds of preparing.
CACHED: Final = (
    "TorchInductor keeps what it compiles (TORCHINDUCTOR_CACHE_DIR): where it found some of it, preparing took less "
    "than at the first time"
)


def reasons_against(device: str) -> tuple[str, ...]:
    """Return every answer of :func:`reason_against` for a device of this name."""
    kind = device.partition(":")[0]
    return {"cpu": (NO_COMPILER, NO_HEADERS), "cuda": (NO_TRITON,)}.get(kind, (OTHER_DEVICE,))


def reason_against(device: torch.device) -> str | None:
    """Return why TorchInductor cannot compile for a device; ``None`` if it can."""
    if device.type == "cpu":
        if not _has_compiler():
            return NO_COMPILER
        return None if (Path(sysconfig.get_path("include")) / "Python.h").exists() else NO_HEADERS
    if device.type == "cuda":
        # It takes seconds, and no other device needs it.
        from torch.utils._triton import has_triton  # noqa: PLC0415

        return None if has_triton() else NO_TRITON
    return OTHER_DEVICE


def _has_compiler() -> bool:
    """Whether TorchInductor finds a compiler that runs: asked of itself, since it alone knows where it looks."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # noqa: PLC0415 - as above
    from torch._inductor.exc import InvalidCxxCompiler  # noqa: PLC0415 - as above

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True
