from __future__ import annotations

import io
import tarfile
import zipfile

from pathlib import Path

import pytest

from leanner.corpora.native import CorpusError
from leanner.corpora.unpack import Limits
from leanner.corpora.unpack import unpack


CLIMBING = ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt", "C:evil.txt"]


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS = [make_zip, make_tar]


def written(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize("make", MAKERS)
def test_files_arrive_as_they_are(tmp_path: Path, make: type) -> None:
    members = {"BioID/annotations.csv": b"a,b\n", "BioID/caption_bioc/1.xml": bytes(range(256)), "empty": b""}
    unpack(make(tmp_path / "archive", members), tmp_path / "out")
    assert written(tmp_path / "out") == members


@pytest.mark.parametrize("mode", ["w", "w:bz2", "w:xz"])
def test_other_compressions_unpack(tmp_path: Path, mode: str) -> None:
    unpack(make_tar(tmp_path / "archive", {"a/b": b"x"}, mode), tmp_path / "out")
    assert written(tmp_path / "out") == {"a/b": b"x"}


@pytest.mark.parametrize("make", MAKERS)
def test_part_of_an_archive_loses_its_prefix(tmp_path: Path, make: type) -> None:
    members = {"repo-master/README": b"r", "repo-master/a/b/data/1.txt": b"1", "repo-master/a/bc/2.txt": b"2"}
    unpack(make(tmp_path / "archive", members), tmp_path / "out", inside="a/b")
    assert written(tmp_path / "out") == {"data/1.txt": b"1"}


@pytest.mark.parametrize("make", MAKERS)
def test_missing_part_is_refused(tmp_path: Path, make: type) -> None:
    with pytest.raises(CorpusError, match=r"files below 'a/c', found none"):
        unpack(make(tmp_path / "archive", {"repo/a/b": b""}), tmp_path / "out", inside="a/c")


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("make", MAKERS)
def test_archive_that_climbs_out_writes_nothing(tmp_path: Path, make: type, name: str) -> None:
    archive = make(tmp_path / "archive", {"good.txt": b"good", name: b"evil"})
    out = tmp_path / "below" / "out"
    with pytest.raises(CorpusError, match="expected members inside the archive's folder") as caught:
        unpack(archive, out)
    assert repr(name) in str(caught.value)
    assert str(archive) in str(caught.value)
    assert written(tmp_path) == {"archive": archive.read_bytes()}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused_in_tar(tmp_path: Path, kind: bytes) -> None:
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as opened:
        info = tarfile.TarInfo("link")
        info.type = kind
        info.linkname = "../../outside"
        opened.addfile(info)
    with pytest.raises(CorpusError, match="a link or device, 'link'"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_are_refused_in_zip(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        info = zipfile.ZipInfo("link")
        info.create_system = 3
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "../../outside")
    with pytest.raises(CorpusError, match="a link or device, 'link'"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", MAKERS)
def test_bomb_is_refused_before_it_is_written(tmp_path: Path, make: type) -> None:
    archive = make(tmp_path / "archive", {"small": b"1", "bomb": bytes(2_000_000)})
    assert archive.stat().st_size < 10_000
    with pytest.raises(CorpusError, match="expected at most 1000000 bytes, found 2000001 or more"):
        unpack(archive, tmp_path / "out", limits=Limits(size_bytes=1_000_000))
    with pytest.raises(CorpusError, match="expected at most 1 members, found 2"):
        unpack(archive, tmp_path / "out", limits=Limits(files=1))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", MAKERS)
def test_truncated_archive_is_one_error(tmp_path: Path, make: type) -> None:
    archive = make(tmp_path / "archive", {str(n): bytes([n % 251]) * 5_000 + str(n).encode() for n in range(200)})
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorpusError, match="archive"):
        unpack(archive, tmp_path / "out")


def test_damaged_member_is_one_error(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive", {"a": b"some content " * 50})
    content = bytearray(archive.read_bytes())
    content[40] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(CorpusError, match="expected an archive that unpacks"):
        unpack(archive, tmp_path / "out")


def test_something_else_is_no_archive(tmp_path: Path) -> None:
    page = tmp_path / "archive.zip"
    page.write_text("<html>404</html>")
    with pytest.raises(CorpusError, match=r"expected a zip or tar archive, found 16 bytes of something else"):
        unpack(page, tmp_path / "out")
