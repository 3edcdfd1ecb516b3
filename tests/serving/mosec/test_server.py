"""What needs no mosec."""

from __future__ import annotations

import importlib.metadata

from pathlib import Path

import pytest

from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.mosec.server import Mosec
from leanner.serving.server import NotInstalledError
from leanner.serving.server import ServerError
from serving.toys import toy


def _missing(_: str) -> str:
    raise importlib.metadata.PackageNotFoundError


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", _missing)
    assert Mosec().describe()["version"] is None
    with pytest.raises(NotInstalledError, match=r"pip install 'leanner\[mosec\]'"), Mosec().start(toy(), ONE_BY_ONE):
        pass


def test_it_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.9.8")
    assert Mosec(queue=7).describe() == {
        "name": "mosec",
        "version": "0.9.8",
        "port": None,
        "queue": 7,
        "timeout_s": 30.0,
        "max_body_bytes": 1 << 20,
        "max_restarts": 5,
        "start_timeout_s": 120.0,
        "log_batches": True,
    }


def test_batches_by_length_are_refused() -> None:
    batching = DynamicBatching(by_length=True)
    with pytest.raises(ValueError, match="found by_length"), Mosec().start(toy(), batching):
        pass


def test_a_folder_too_deep_for_sockets_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.9.8")
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(ServerError, match="set TMPDIR"), Mosec().start(toy(), ONE_BY_ONE):
        pass
    assert list(deep.iterdir()) == []
