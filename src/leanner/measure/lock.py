"""One measurement on a device at a time: a kernel lock, which ends with its holder."""

from __future__ import annotations

import fcntl
import os
import tempfile

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from leanner.measure.errors import SetupError


_READABLE_BY_ALL: Final = 0o666


@contextmanager
def device_lock(device: str, mode: str, say: Callable[[str], None], folder: Path | None = None) -> Iterator[None]:
    """Hold the lock of ``device`` on this machine.

    It is ``flock`` on a file that stays: the kernel gives it up when its holder ends,
    however that ends, so that none is ever stale. The file says who held it last.

    Args:
        device: What is locked: ``cpu``, or a GPU by its UUID.
        mode: ``wait`` for it, ``fail`` if another process has it, or ``off``.
        say: Told for whom is waited.
        folder: Where the file is; the machine's folder for temporary files by default.

    Raises:
        SetupError: ``fail``, and another process holds it, or the file cannot be opened.
    """
    if mode == "off":
        yield
        return
    path = (folder or Path(tempfile.gettempdir())) / f"leanner-{device}.lock"
    file = _open(path)
    try:
        if not _taken(file):
            holder = f"process {pid}" if (pid := _holder(file)) else "another process"
            if mode == "fail":
                raise SetupError(
                    f"{holder} measures on {device} at this moment ({path}): two runs at once would spoil both; wait "
                    "for it, or --leanner-lock=wait"
                )
            say(f"leanner: waiting for {holder}, which measures on {device}")
            fcntl.flock(file, fcntl.LOCK_EX)
        _sign(file)
        yield
    finally:
        os.close(file)


def _open(path: Path) -> int:
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _READABLE_BY_ALL)
        except PermissionError:
            # Another user's, in a folder with the sticky bit: to lock it, reading is enough.
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SetupError(
            f"the device's lock {path} cannot be opened: {error.strerror}; set TMPDIR to a folder that can be written, "
            "or --leanner-lock=off if nothing else measures on this machine"
        ) from error


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> int | None:
    written = os.pread(file, 32, 0)
    return int(written) if written.strip().isdigit() else None


def _sign(file: int) -> None:
    if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
