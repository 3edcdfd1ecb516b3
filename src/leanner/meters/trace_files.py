"""How the files of a recording are named: by device and case."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote
from urllib.parse import unquote


SUFFIX: Final = ".jsonl.gz"


def trace_file(folder: Path, device: str, case: str | None) -> Path:
    """Return the file of a case: ``cuda%3A0.int8.jsonl.gz``; that of the whole session is ``cuda%3A0.jsonl.gz``."""
    parts = [device] if case is None else [device, case]
    # A torch device has no dot, so that the first one divides.
    return folder / (".".join(quote(part, safe="") for part in parts) + SUFFIX)


def find_trace_files(folder: Path) -> dict[tuple[str, str | None], Path]:
    """Return the files of a recording by device and case."""
    found: dict[tuple[str, str | None], Path] = {}
    for path in sorted(folder.glob(f"[!.]*{SUFFIX}")):
        device, dot, case = path.name.removesuffix(SUFFIX).partition(".")
        found[unquote(device), unquote(case) if dot else None] = path
    return found
