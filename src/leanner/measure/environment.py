"""On what a case ran: what must be equal before two records may be compared."""

from __future__ import annotations

import platform
import shutil
import subprocess

from importlib import metadata
from pathlib import Path
from typing import Any
from typing import Final

import cpuinfo


#: Instruction sets that decide which kernels run (an int8 kernel without VNNI can saturate).
ISA: Final = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
    "i8mm",
    "bf16",
)


def describe(root: Path, device: str) -> dict[str, Any]:
    """Return the record's ``environment``.

    Args:
        root: A folder of the checkout whose commit is recorded.
        device: Torch device of the case.
    """
    import torch  # noqa: PLC0415 - importing leanner must not import torch

    info = cpuinfo.get_cpu_info()
    on_gpu = device.startswith("cuda")
    commit, dirty = commit_of(root)
    return {
        "cpu": info.get("brand_raw") or platform.processor() or None,
        "isa": [name for name in ISA if name in info.get("flags", ())],
        "gpu": torch.cuda.get_device_name(device) if on_gpu else None,
        "driver": _driver() if on_gpu else None,
        "torch": torch.__version__,
        "flair": metadata.version("flair"),
        "transformers": metadata.version("transformers"),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "commit": commit,
        "dirty": dirty,
    }


def commit_of(root: Path) -> tuple[str | None, bool | None]:
    """Return the commit checked out at ``root`` and whether tracked files differ; ``None`` outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None, None
    commit = _run(git, "-C", str(root), "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changed = _run(git, "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return commit, None if changed is None else bool(changed)


def _run(*command: str) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - arguments are ours
    return done.stdout.strip() if done.returncode == 0 else None


def _driver() -> str | None:
    import pynvml  # noqa: PLC0415 - only where there is a GPU

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    finally:
        pynvml.nvmlShutdown()
