from __future__ import annotations

import hashlib
import http.server
import json
import threading

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from corpora.test_unpack import make_tar
from corpora.test_unpack import make_zip
from leanner.corpora.download import SOURCES
from leanner.corpora.download import RemoteFile
from leanner.corpora.download import fetch
from leanner.corpora.native import CorpusError


class Server:
    """A web server over a folder that remembers what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
                super().__init__(*args, directory=str(folder), **kwargs)

            def do_GET(self) -> None:
                server.asked.append(self.path)
                super().do_GET()

            def log_message(self, *args: object) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/{name}"

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder)
    yield server
    server.close()


def run(server: Server, *files: RemoteFile, name: str = "tmvar") -> Path:
    base = server.folder.parent
    (folder,) = fetch([name], base / "to", sources={name: files}, cache=base / "cache", progress=False)
    return folder


def test_file_is_downloaded_recorded_and_not_asked_for_again(server: Server) -> None:
    (server.folder / "corpus.txt").write_bytes(b"1|t|Mice\n")
    file = RemoteFile(server.url("corpus.txt"), "full/data/corpus.txt")
    folder = run(server, file)
    assert folder == server.folder.parent / "to" / "tmvar"
    assert (folder / "full" / "data" / "corpus.txt").read_bytes() == b"1|t|Mice\n"
    (record,) = (server.folder.parent / "cache").rglob("*corpus.txt.json")
    recorded = json.loads(record.read_text())
    assert recorded["sha256"] == hashlib.sha256(b"1|t|Mice\n").hexdigest()
    assert (recorded["url"], recorded["size_bytes"]) == (file.url, 9)
    assert run(server, file) == folder
    assert server.asked == ["/corpus.txt"]


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archive_is_unpacked(server: Server, make: type) -> None:
    make(server.folder / "a.bin", {"top/data/1.txt": b"1", "top/other": b"2"})
    folder = run(server, RemoteFile(server.url("a.bin"), ".", is_archive=True, inside="data"))
    assert [each.name for each in folder.iterdir() if not each.name.startswith(".")] == ["1.txt"]


def test_several_files_of_the_same_name_are_kept_apart(server: Server) -> None:
    files = []
    for name in ("a", "b"):
        (server.folder / name).mkdir()
        (server.folder / name / "x.txt").write_text(name)
        files.append(RemoteFile(server.url(f"{name}/x.txt"), f"{name}.txt"))
    folder = run(server, *files)
    assert [(folder / name).read_text() for name in ("a.txt", "b.txt")] == ["a", "b"]


def test_damaged_download_is_fetched_again(server: Server) -> None:
    (server.folder / "corpus.txt").write_bytes(b"good")
    file = RemoteFile(server.url("corpus.txt"), "corpus.txt")
    run(server, file)
    (local,) = (server.folder.parent / "cache").rglob("*-corpus.txt")
    local.write_bytes(b"damaged")
    run(server, file)
    assert local.read_bytes() == b"good"
    assert len(server.asked) == 2


def test_release_that_changed_is_refused(server: Server) -> None:
    (server.folder / "corpus.txt").write_bytes(b"first")
    file = RemoteFile(server.url("corpus.txt"), "corpus.txt")
    run(server, file)
    (local,) = (server.folder.parent / "cache").rglob("*-corpus.txt")
    local.unlink()
    (server.folder / "corpus.txt").write_bytes(b"second")
    with pytest.raises(CorpusError, match=r"changed or was tampered with; delete .*json to accept"):
        run(server, file)
    local.with_name(local.name + ".json").unlink()
    assert (run(server, file) / "corpus.txt").read_bytes() == b"second"


def test_known_digest_is_verified_at_the_first_download(server: Server) -> None:
    (server.folder / "corpus.txt").write_bytes(b"x")
    good, wrong = hashlib.sha256(b"x").hexdigest(), "0" * 64
    with pytest.raises(CorpusError, match=f"expected sha256 {wrong} of {server.url('corpus.txt')}"):
        run(server, RemoteFile(server.url("corpus.txt"), "corpus.txt", sha256=wrong))
    assert not (server.folder.parent / "to" / "tmvar").exists()
    assert (run(server, RemoteFile(server.url("corpus.txt"), "corpus.txt", sha256=good)) / "corpus.txt").exists()


def test_missing_file_is_one_error(server: Server) -> None:
    with pytest.raises(CorpusError, match=r"expected to download http://127.* found HTTPError: 404"):
        run(server, RemoteFile(server.url("gone.txt"), "gone.txt"))


def test_server_that_does_not_answer_is_one_error(server: Server) -> None:
    url = server.url("x.txt")
    server.close()
    with pytest.raises(CorpusError, match="ConnectionError"):
        run(server, RemoteFile(url, "x.txt"))


def test_evil_archive_leaves_nothing(server: Server) -> None:
    make_tar(server.folder / "evil.tar.gz", {"good": b"1", "../../evil": b"2"})
    with pytest.raises(CorpusError, match="inside the archive's folder"):
        run(server, RemoteFile(server.url("evil.tar.gz"), ".", is_archive=True))
    base = server.folder.parent
    assert list((base / "to").iterdir()) == []
    assert not list(base.rglob("evil"))


def test_folder_with_other_files_is_left_alone(server: Server) -> None:
    mine = server.folder.parent / "to" / "tmvar"
    mine.mkdir(parents=True)
    (mine / "mine.txt").write_text("precious")
    with pytest.raises(CorpusError, match="files from elsewhere; move it away"):
        run(server, RemoteFile(server.url("x.txt"), "x.txt"))
    assert (mine / "mine.txt").read_text() == "precious"
    assert server.asked == []


def test_unreadable_record_is_one_error(server: Server) -> None:
    (server.folder / "corpus.txt").write_bytes(b"x")
    file = RemoteFile(server.url("corpus.txt"), "corpus.txt")
    run(server, file)
    (record,) = (server.folder.parent / "cache").rglob("*corpus.txt.json")
    record.write_text("{")
    with pytest.raises(CorpusError, match="expected the sha256 of a download"):
        run(server, file)


def test_unknown_corpus_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected corpora of bioid, medmentions, .* found nothing-such"):
        fetch(["nothing-such"])


def test_official_releases_come_over_https_to_places_of_their_own() -> None:
    assert set(SOURCES) == {"bioid", "medmentions", "sourcedata", "tmvar", "variome"}
    for files in SOURCES.values():
        assert len({file.path for file in files}) == len(files)
        for file in files:
            assert urlsplit(file.url).scheme == "https"
            assert not Path(file.path).is_absolute()
            assert ".." not in Path(file.path).parts
