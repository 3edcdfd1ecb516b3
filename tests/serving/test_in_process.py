from __future__ import annotations

import asyncio
import json
import os

from collections.abc import Coroutine
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from leanner.serving.batch_log import BatchLog
from leanner.serving.batch_log import read_batches
from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.handling import Answer
from leanner.serving.handling import BatchHandler
from leanner.serving.in_process import InProcess
from leanner.serving.source import Source
from leanner.serving.wire import read_answer
from leanner.serving.wire import write_request
from leanner.types import Label
from leanner.types import Span
from serving.toys import POISON
from serving.toys import make
from serving.toys import toy


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def test_it_answers_as_servers_do_and_logs_its_batches(tmp_path: Path) -> None:
    path = tmp_path / "batches.jsonl"

    async def test() -> None:
        with BatchLog(path) as log:
            async with InProcess().open(BatchHandler(make(), log), DynamicBatching(4, 5_000.0)) as send:
                bodies = [write_request(["PTEN fell"], 0), b"{", write_request([POISON], 2), write_request([], 3)]
                found = await asyncio.gather(*map(send, bodies))
        assert [status for status, _ in found] == [200, 400, 500, 200]
        assert read_answer(found[0][1]) == ((Span(0, 4, Label.GENE),),)

    run(test())
    (batch,), _ = read_batches(path)
    assert (batch.size, batch.ids) == (4, (0, 2, 3))


def test_overload_is_answered_503() -> None:
    async def test() -> None:
        async with InProcess(queue_size=3).open(BatchHandler(make(call_s=0.05)), ONE_BY_ONE) as send:
            found = await asyncio.gather(*(send(write_request(["PTEN fell"])) for _ in range(9)))
        assert sorted(status for status, _ in found) == [200] * 4 + [503] * 5
        refused = next(body for status, body in found if status == 503)
        assert json.loads(refused)["error"].startswith("3 wait already")

    run(test())


def test_a_handler_that_fails_is_answered_500() -> None:
    def fail(bodies: Sequence[bytes]) -> list[Answer]:
        raise RuntimeError(f"no memory for {len(bodies)}")

    async def test() -> None:
        async with InProcess().open(fail, DynamicBatching(2, 5_000.0)) as send:
            found = await asyncio.gather(send(b"1"), send(b"2"))
        assert [status for status, _ in found] == [500, 500]
        assert json.loads(found[0][1])["error"] == "a batch of 2 failed: RuntimeError: no memory for 2"

    run(test())


def test_it_is_started_from_a_source_and_leaves_nothing() -> None:
    async def test() -> None:
        async with InProcess().start(toy(), DynamicBatching(2, 5_000.0)) as running:
            running.check()
            assert running.pids() == {os.getpid()}
            assert running.start_s > 0
            found = await asyncio.gather(*(running.send(write_request(["PTEN fell"], name)) for name in "ab"))
            assert [status for status, _ in found] == [200, 200]
            (batch,), _ = read_batches(running.batch_log)
            assert batch.ids == ("a", "b")
        assert not running.batch_log.parent.exists()

    run(test())


def test_a_source_that_cannot_be_loaded_is_the_callers_error() -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="expected module:function"):
            async with InProcess().start(Source("json"), ONE_BY_ONE):
                raise AssertionError

    run(test())


def test_it_says_what_it_is() -> None:
    assert {"name": "in-process", "queue_size": 100}.items() <= InProcess().describe().items()
