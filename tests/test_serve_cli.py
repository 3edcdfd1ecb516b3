from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from leanner.cli import main
from leanner.export.lean import Lean
from leanner.passes.runtime import LeanRuntime
from leanner.serving.batching import DynamicBatching
from leanner.serving.server import Address
from leanner.serving.server import ServerError
from leanner.serving.source import Source


class FakeMosec:
    """A server that lives until it is looked at; what is asked of it is kept."""

    asked: list[dict[str, Any]]

    def __init__(self, folder: Path, at_check: Any) -> None:  # noqa: ANN401 - called without arguments
        self.asked = []
        self.address = Address(8081, "/tag")
        self.start_s = 1.25
        self.log = folder / "log"
        self.check = at_check

    def __call__(self, port: int, **parameters: object) -> FakeMosec:
        self.asked.append({"port": port, **parameters})
        return self

    @contextlib.contextmanager
    def start(self, source: Source, batching: DynamicBatching) -> Iterator[FakeMosec]:
        self.asked.append({"source": source, "batching": batching})
        self.log.write_text("a word from the worker\n")
        yield self


def serve(*arguments: object) -> int:
    return main(["serve", *map(str, arguments)])


@pytest.fixture
def _interrupts() -> Iterator[None]:
    """Ctrl-C interrupts: a shell that starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_serves_as_asked_until_a_signal(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeMosec(tmp_path, lambda: os.kill(os.getpid(), signal.Signals[name]))
    monkeypatch.setattr("leanner.serving.mosec.server.Mosec", fake)
    handler = signal.getsignal(signal.SIGTERM)
    options = ["--port", 8081, "--max-batch-size", 4, "--max-batch-delay-ms", 0, "--queue", 7, "--timeout", 2.5]

    assert serve(tmp_path, *options, "--max-body-bytes", 99, "--device", "cuda") == 0

    assert fake.asked == [
        {"port": 8081, "queue": 7, "timeout_s": 2.5, "max_body_bytes": 99, "log_batches": False},
        {
            "source": Source("leanner.serve_cli:load", {"folder": str(tmp_path), "device": "cuda"}),
            "batching": DynamicBatching(4, 0.0),
        },
    ]
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{tmp_path}: served at http://127.0.0.1:8081/tag, ready after 1.2 s; Ctrl-C ends it",
        """curl -s http://127.0.0.1:8081/tag -d '{"text": "Loss of PTEN is common in glioma."}'""",
    ]
    assert said.err == "a word from the worker\n"
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_server_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone() -> None:
        raise ServerError("mosec is gone")

    monkeypatch.setattr("leanner.serving.mosec.server.Mosec", FakeMosec(tmp_path, gone))
    assert serve(tmp_path) == 2
    assert capsys.readouterr().err.endswith("leanner serve: mosec is gone\n")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(tmp_path / "none") == 2
    assert f"found none at {tmp_path / 'none'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [["--port", "65536"], ["--port", "0"], ["--timeout", "0"], ["--timeout", "inf"], ["--queue", "x"]],
    ids=" ".join,
)
def test_options_that_cannot_be_are_refused(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        serve(tmp_path, *option)
    assert f"argument {option[0]}: expected" in capsys.readouterr().err


def test_an_exported_tagger_is_served_and_the_example_works(
    shaped_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from export.made import exported
    from export.made import shaped

    pytest.importorskip("mosec", reason="mosec is not installed: pip install 'leanner[mosec]'")
    folder = tmp_path_factory.mktemp("export")
    exported(shaped(shaped_file), folder / "out", LeanRuntime())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A relative path: the worker is to find it too.
    command = [sys.executable, "-m", "leanner.cli", "serve", "out", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert f"out: served at http://127.0.0.1:{port}/tag" in server.stdout.readline()
            curl, silent, url, data, body = shlex.split(server.stdout.readline())
            assert (curl, silent, data) == ("curl", "-s", "-d")
            with urlopen(url, body.encode(), timeout=30) as answer:
                spans = json.load(answer)["spans"]
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    (local,) = Lean.load(folder / "out").tag_texts([json.loads(body)["text"]])
    assert spans == [{"start": span.start, "end": span.end, "label": span.label} for span in local]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
