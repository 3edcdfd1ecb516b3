from __future__ import annotations

import os
import stat

from pathlib import Path
from typing import Any

import pytest

from leanner.atomic import write_atomically


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return [path.name for path in folder.iterdir()]


def test_it_replaces_the_content_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for content in (b"old", b"new and longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content

    assert names(tmp_path) == ["report.json"]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def fail(*_: Any) -> None:  # noqa: ANN401 - whatever it is given
        raise OSError("no space left on device")

    monkeypatch.setattr(f"{'os' if step == 'fsync' else 'pathlib.Path'}.{step}", fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["report.json"]


def test_the_bytes_are_on_the_disk_before_the_name_points_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"{os.fstat(descriptor).st_size} bytes"
        steps.append(f"sync {kind}")
        fsync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_atomically(tmp_path / "a", b"12345")

    assert steps == ["sync 5 bytes", "replace", "sync folder"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "report.json"
    target.write_bytes(b"old")
    (tmp_path / "link.json").symlink_to(target)

    write_atomically(tmp_path / "link.json", b"new")

    assert target.read_bytes() == b"new"
    assert (tmp_path / "link.json").is_symlink()


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    write_atomically(Path(os.devnull), b"gone")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert names(tmp_path) == ["pipe"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "report.json", b"")
