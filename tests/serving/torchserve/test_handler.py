from __future__ import annotations

import json
import logging

from collections.abc import Iterator
from pathlib import Path

import pytest

from leanner.serving.batch_log import read_batches
from leanner.serving.torchserve.handler import TaggingHandler
from leanner.serving.wire import write_request
from serving.toys import POISON
from serving.toys import toy


class Context:
    """What TorchServe hands to a handler, as far as that looks at it."""

    def __init__(self, log: Path) -> None:
        self.model_yaml_config = {"handler": {"source": toy().to_json(), "batch_log": str(log)}}
        self.statuses: dict[int, int] = {}
        self.types: dict[int, str] = {}

    def set_response_status(self, code: int, *, idx: int) -> None:
        self.statuses[idx] = code

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.types[idx] = value


@pytest.fixture
def root_level() -> Iterator[None]:
    """The level of the root logger is put back: a worker's process is its handler's own."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.mark.usefixtures("root_level")
def test_each_request_has_its_own_status(tmp_path: Path) -> None:
    context = Context(tmp_path / "batches.jsonl")
    handler = TaggingHandler()
    handler.initialize(context)
    rows: list[dict[str, bytes | bytearray]] = [
        {"body": bytearray(write_request(["PTEN fell"], "a"))},
        {"body": bytearray(b"{")},
        {"data": b"a form"},
        {"body": write_request([POISON], "b")},
    ]
    bodies = handler.handle(rows, context)
    handler._log.close()
    assert context.statuses == {0: 200, 1: 400, 2: 400, 3: 500}
    assert set(context.types.values()) == {"application/json"}
    assert json.loads(bodies[0])["sentences"] == [[{"start": 0, "end": 4, "label": "GENE"}]]
    assert all(json.loads(body)["error"] for body in bodies[1:])
    (batch,), _ = read_batches(tmp_path / "batches.jsonl")
    assert (batch.size, batch.ids) == (4, ("a", "b"))


def test_torchserve_finds_one_class_in_the_module() -> None:
    from leanner.serving.torchserve import handler

    own = [each for each in vars(handler).values() if isinstance(each, type) and each.__module__ == handler.__name__]
    assert own == [TaggingHandler]
