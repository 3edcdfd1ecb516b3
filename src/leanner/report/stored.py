"""Files beside a report: where they lie, and whether they are what the report says."""

from __future__ import annotations

import hashlib
import re

from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pathlib import PurePosixPath
from typing import Any
from typing import Final

from leanner.atomic import sync_folder
from leanner.atomic import write_atomically
from leanner.report.problem import Problem


TRACES: Final = ".traces.jsonl.gz"
PREDICTIONS: Final = ".predictions.jsonl.gz"
LATENCIES: Final = ".latencies.json.gz"
SUFFIXES: Final = (TRACES, PREDICTIONS, LATENCIES)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file beside a report.

    Attributes:
        path: Relative to the report's folder, with ``/``.
        sha256: Of its bytes.
    """

    path: str
    sha256: str

    def to_json(self) -> dict[str, str]:
        """Return it as the record's ``files`` has it."""
        return {"path": self.path, "sha256": self.sha256}


def folder_of(report: Path) -> Path:
    """Return the folder for the files of ``report``: ``bench.files`` beside ``bench.json``."""
    return report.with_name(f"{report.stem}.files")


def store(report: Path, name: str, suffix: str, content: bytes) -> StoredFile:
    """Write ``content`` into the report's folder, whole or not at all.

    The begin of its digest stands in its name: files of an earlier report stay until this one takes its place.

    Args:
        report: Path of the report, which need not exist yet.
        name: What is no letter, digit, dot, plus or minus becomes a minus.
        suffix: End of the file's name, one of ``SUFFIXES``.
        content: Its bytes.

    Raises:
        OSError: It cannot be written.
    """
    digest = hashlib.sha256(content).hexdigest()
    return _write(report, f"{name}.{digest[:8]}{suffix}", content)


def remove_unnamed(report: Path, named: Collection[str]) -> None:
    """Remove the files that earlier runs stored for ``report``.

    Args:
        report: The report as it is now.
        named: Paths of the files that it names.

    Raises:
        OSError: One cannot be removed.
    """
    kept = {locate(report, path).name for path in named}
    for path in unnamed(report, kept):
        path.unlink()


def unnamed(report: Path, kept: Collection[str]) -> list[Path]:
    """Return the files beside ``report`` whose names are not in ``kept``; what leanner did not store is left out."""
    folder = folder_of(report)
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and path.name not in kept)


def _write(report: Path, name: str, content: bytes) -> StoredFile:
    folder = folder_of(report)
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    path = folder / re.sub(r"[^\w.+-]+", "-", name)
    write_atomically(path, content)
    return StoredFile(f"{folder.name}/{path.name}", hashlib.sha256(content).hexdigest())


def locate(report: Path, path: str) -> Path:
    """Return where the file of this path lies.

    Raises:
        ValueError: It is no relative path, or leaves the folder of the report.
    """
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise ValueError(f"expected a path relative to the report and below its folder, found {path!r}")
    return report.parent / relative


def stored_files(files: Mapping[str, Any]) -> dict[str, StoredFile]:
    """Return the entries of a record's ``files`` that name a file."""
    return {
        name: StoredFile(entry["path"], entry["sha256"])
        for name, entry in files.items()
        if isinstance(entry, Mapping) and entry.get("path") is not None
    }


def carried(files: Mapping[str, Any], report: Path, to: Path) -> dict[str, Any]:
    """Return a record's ``files`` as they are named beside another report, and copy them there.

    Args:
        files: Of a record.
        report: The report that they lie beside.
        to: The report that they are to lie beside.

    Raises:
        OSError: One cannot be read or written.
        ValueError: A path leaves the folder of its report.
    """
    if folder_of(report).resolve() == folder_of(to).resolve():
        return dict(files)
    copied = {
        name: _write(to, PurePosixPath(entry.path).name, locate(report, entry.path).read_bytes()).to_json()
        for name, entry in stored_files(files).items()
    }
    return {**files, **copied}


def damaged(report: Path, files: Mapping[str, Any]) -> list[Problem]:
    """Return which files of a record's ``files`` are missing or have changed; the places are within the record."""
    problems = []
    for name, entry in stored_files(files).items():
        try:
            found = hashlib.sha256(locate(report, entry.path).read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            problems.append(Problem(f"files.{name}", f"expected the file {entry.path}, found none: {error}"))
        else:
            if found != entry.sha256:
                text = f"expected the sha256 {entry.sha256} of {entry.path}, found {found}: it is another file"
                problems.append(Problem(f"files.{name}.sha256", text))
    return problems
