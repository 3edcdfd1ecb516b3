"""Unpacking archives from strangers: nothing outside the folder, no links, no bombs."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zipfile
import zlib

from dataclasses import dataclass
from pathlib import Path
from pathlib import PurePosixPath
from pathlib import PureWindowsPath
from typing import IO
from typing import Final
from typing import TypeVar

from leanner.corpora.native import CorpusError


#: What damaged archives raise while they are read.
_DAMAGE: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
_LINK_MODE: Final = 0o120000
_FILE_TYPE: Final = 0o170000

_Info = TypeVar("_Info")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may unpack to.

    Attributes:
        size_bytes: Bytes of all files together.
        files: Number of files and folders.
    """

    size_bytes: int = 4_000_000_000
    files: int = 200_000


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size_bytes: int
    is_folder: bool
    is_file: bool


def unpack(archive: Path, folder: Path, *, inside: str = "", limits: Limits | None = None) -> None:
    """Unpack a tar (compressed or not) or zip archive into ``folder``.

    All members are looked at before the first one is written. Python's own ``data``
    filter is not enough here: it lets links through, which a corpus never needs.

    Args:
        archive: The archive; its kind is found by its content.
        folder: Where to write; made if missing.
        inside: Only the members below this folder of the archive, its first folder not
            counted (``name-branch/`` in GitHub's archives); that prefix is cut off.
        limits: How much it may unpack to.

    Raises:
        CorpusError: A member would land outside ``folder``, is a link or device, or is
            encrypted; the archive is over the limits, damaged, no archive, or has nothing ``inside``.
    """
    allowed = limits or Limits()
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder, inside, allowed)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, folder, inside, allowed)
        else:
            raise CorpusError(
                archive,
                None,
                expected="a zip or tar archive",
                found=f"{archive.stat().st_size} bytes of something else",
                advice="delete the file and fetch it again",
            )
    except _DAMAGE as error:
        raise CorpusError(
            archive,
            None,
            expected="an archive that unpacks",
            found=f"{type(error).__name__}: {error}",
            advice="if the disk is not full, delete the file and fetch it again",
        ) from error


def _unpack_zip(archive: Path, folder: Path, inside: str, limits: Limits) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        checked = _Checked(archive, limits)
        for info in members:
            is_link = (info.external_attr >> 16) & _FILE_TYPE == _LINK_MODE
            checked.add(_Member(info.filename, info.file_size, info.is_dir(), not is_link and not info.is_dir()))
        wanted = [(info, _target(info.filename, inside)) for info in members if not info.is_dir()]
        # ZipExtFile stops at the declared size and checks the CRC, so the sum above holds.
        for info, target in _present(wanted, archive, inside):
            with opened.open(info) as source:
                _write(source, folder / target)


def _unpack_tar(archive: Path, folder: Path, inside: str, limits: Limits) -> None:
    checked = _Checked(archive, limits)
    with tarfile.open(archive) as opened:
        members: list[tarfile.TarInfo] = []
        for info in opened:  # one by one: a bomb is refused before the rest of it is read
            checked.add(_Member(info.name, info.size, info.isdir(), info.isreg()))
            members.append(info)
        wanted = [(info, _target(info.name, inside)) for info in members if info.isreg()]
        for info, target in _present(wanted, archive, inside):
            source = opened.extractfile(info)
            assert source is not None, "regular files have content"
            with source:
                _write(source, folder / target)


class _Checked:
    """Refuses members one by one."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._size_bytes = 0
        self._files = 0

    def add(self, member: _Member) -> None:
        path = PurePosixPath(member.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(member.name).drive or "\0" in member.name:
            raise self._refused("members inside the archive's folder", repr(member.name))
        if not member.is_folder and not member.is_file:
            raise self._refused("files and folders only", f"a link or device, {member.name!r}")
        self._size_bytes += member.size_bytes
        self._files += 1
        if self._size_bytes > self._limits.size_bytes:
            raise self._refused(f"at most {self._limits.size_bytes} bytes", f"{self._size_bytes} or more")
        if self._files > self._limits.files:
            raise self._refused(f"at most {self._limits.files} members", f"{self._files} or more")

    def _refused(self, expected: str, found: str) -> CorpusError:
        return CorpusError(
            self._archive,
            None,
            expected=expected,
            found=found,
            advice="nothing was unpacked; do not use this archive unless you trust its source",
        )


def _target(name: str, inside: str) -> PurePosixPath | None:
    """Return where a member goes, or ``None`` if it is not wanted."""
    path = PurePosixPath(name)
    if not inside:
        return path
    below = PurePosixPath(*path.parts[1:])
    return below.relative_to(inside) if below.is_relative_to(inside) else None


def _present(wanted: list[tuple[_Info, PurePosixPath | None]], archive: Path, inside: str) -> list[tuple[_Info, Path]]:
    present = [(info, Path(target)) for info, target in wanted if target is not None]
    if not present:
        raise CorpusError(
            archive,
            None,
            expected=f"files below {inside!r}" if inside else "files",
            found="none",
            advice="delete the archive and fetch it again; if that does not help, its layout has changed",
        )
    return present


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as written:
        shutil.copyfileobj(source, written, 1 << 20)
