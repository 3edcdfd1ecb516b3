from __future__ import annotations

import json
import os
import socket
import sys
import tempfile

from collections.abc import Iterator
from pathlib import Path

import pytest

from leanner.serving.batching import DynamicBatching
from leanner.serving.server import ServerError
from leanner.serving.torchserve.installed import Installed
from leanner.serving.torchserve.settings import Ports
from leanner.serving.torchserve.settings import Settings
from leanner.serving.torchserve.settings import command
from leanner.serving.torchserve.settings import environment
from leanner.serving.torchserve.settings import free_ports
from leanner.serving.torchserve.settings import read_keys
from serving.toys import toy


PORTS = Ports(1001, 1002, 1003, 1004, 1005)
INSTALLED = Installed(Path("/packages"), Path("/packages/ts/frontend/model-server.jar"), Path("/java"))


def settings(max_request_bytes: int = 1000) -> Settings:
    return Settings(2, 50, max_request_bytes, 30, 120, PORTS)


def properties(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / "config.properties").read_text().splitlines())


@pytest.fixture
def folder() -> Iterator[Path]:
    """Folder with a short path, as the supervisor makes it."""
    with tempfile.TemporaryDirectory(prefix="leanner-") as made:
        yield Path(made)


def test_all_listeners_are_on_loopback(folder: Path) -> None:
    settings().write(folder, toy(), DynamicBatching())
    told = properties(folder)
    assert [told[f"{name}_address"] for name in ("inference", "management", "metrics")] == [
        f"http://127.0.0.1:{port}" for port in (1001, 1002, 1003)
    ]
    assert [told[f"grpc_{name}_port"] for name in ("inference", "management")] == ["1004", "1005"]
    assert [told[f"grpc_{name}_address"] for name in ("inference", "management")] == ["127.0.0.1"] * 2
    assert told["disable_token_authorization"] == "false"


def test_the_model_is_told_how_to_batch(folder: Path) -> None:
    settings().write(folder, toy(call_s=0.5), DynamicBatching(8, 20.0))
    told = json.loads((folder / "store" / "tagger" / "model-config.yaml").read_text())
    assert (told["batchSize"], told["maxBatchDelay"], told["minWorkers"], told["maxWorkers"]) == (8, 20, 2, 2)
    assert told["handler"] == {"source": toy(call_s=0.5).to_json(), "batch_log": str(folder / "batches.jsonl")}


@pytest.mark.parametrize(
    ("request_bytes", "answer_bytes"), [(1000, 6_553_500), (65_536, 33_554_432), (2**30, 2**31 - 1)]
)
def test_the_answers_of_a_batch_have_room(folder: Path, request_bytes: int, answer_bytes: int) -> None:
    settings(request_bytes).write(folder, toy(), DynamicBatching(16, 5))
    assert int(properties(folder)["max_response_size"]) == answer_bytes


def test_a_path_that_is_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    with pytest.raises(ServerError, match=r"a short path, found .*: set TMPDIR to another"):
        settings().write(deep, toy(), DynamicBatching())


def test_a_worker_imports_what_is_imported_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(__file__).parents[2])
    monkeypatch.setattr(sys, "path", [*sys.path, here])
    path = environment(INSTALLED, Path("/folder"))["PYTHONPATH"].split(os.pathsep)
    assert here in path
    assert os.path.dirname(json.__path__[0]) not in path  # noqa: PTH120 - the entry as it stands on the path
    assert not [entry for entry in path if entry.endswith("site-packages")]


def test_files_go_into_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.setenv("TS_BENCHMARK", "true")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    environ = environment(INSTALLED, Path("/folder"))
    assert {name: environ[name] for name in ("TMPDIR", "TEMP", "LOG_LOCATION", "METRICS_LOCATION")} == {
        "TMPDIR": "/folder/tmp",
        "TEMP": "/folder/tmp",
        "LOG_LOCATION": "/folder",
        "METRICS_LOCATION": "/folder",
    }
    assert environ["OMP_NUM_THREADS"] == "3"
    assert not {"TS_BENCHMARK", "LOCAL_RANK"} & set(environ)
    assert command(INSTALLED, Path("/folder"))[0] == "/java/bin/java"


def test_free_ports_are_five() -> None:
    ports = free_ports()
    numbers = [getattr(ports, name) for name in Ports.__slots__]
    assert len(set(numbers)) == 5
    for number in numbers:
        with socket.socket() as each:
            each.bind(("127.0.0.1", number))


@pytest.mark.parametrize("content", [None, b"", b'{"management": {"key": "a"'])
def test_keys_that_are_not_there_yet_are_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key_file.json").write_bytes(content)
    assert read_keys(tmp_path) is None


def test_keys_are_read(tmp_path: Path) -> None:
    members = {kind: {"key": kind[0], "expiration time": "2026"} for kind in ("management", "inference", "API")}
    (tmp_path / "key_file.json").write_text(json.dumps(members))
    assert read_keys(tmp_path) == {"management": "m", "inference": "i", "API": "A"}
