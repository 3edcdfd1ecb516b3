"""Files that are whole or not there: whatever ends the process, a reader sees the old content or the new."""

from __future__ import annotations

import os
import secrets

from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``.

    The bytes are on the disk before the name points to them, and the name before this returns.
    A link is followed. What is no regular file (``/dev/stdout``) cannot be replaced and is written to.

    Raises:
        OSError: It cannot be written; ``path`` is as it was, and nothing is left beside it.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    # Beside the target: a rename is atomic within one file system only.
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        # The mode is what the umask leaves; tempfile's would keep others from reading it.
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
