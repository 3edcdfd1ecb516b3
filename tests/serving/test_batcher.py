"""Batches are held up by an event where their order matters, so that nothing here depends on how fast a machine is."""

from __future__ import annotations

import asyncio
import threading

from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Sequence
from typing import Any

import pytest

from leanner.serving.batcher import Batcher
from leanner.serving.batcher import BatchFailedError
from leanner.serving.batcher import ClosedError
from leanner.serving.batcher import OverloadedError
from leanner.serving.batching import DynamicBatching


#: A batch that is not full does not begin while a test runs.
NEVER_MS = 3_600_000.0
#: It begins at once.
AT_ONCE = DynamicBatching(16, 0.0)


class Model:
    """Gives ten times each number; it begins no batch while it is held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()
        self.running = 0

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.running += 1
        assert self.running == 1
        self.batches.append(list(numbers))
        assert self.free.wait(20)
        self.running -= 1
        return [10 * number for number in numbers]


@pytest.fixture
def model() -> Model:
    return Model()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


async def turns(count: int = 5) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


def ask(batcher: Batcher[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(batcher.submit(number)) for number in numbers]


def test_a_full_batch_begins_at_once(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, DynamicBatching(4, NEVER_MS)) as batcher:
            assert await asyncio.gather(*ask(batcher, range(8))) == [10 * number for number in range(8)]
        assert model.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]

    run(test)


def test_the_first_one_waits_no_longer_than_it_must_and_no_shorter(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, DynamicBatching(4, 30.0)) as batcher:
            loop = asyncio.get_running_loop()
            for _ in range(3):
                began_s = loop.time()
                assert await asyncio.gather(*ask(batcher, [1, 2])) == [10, 20]
                assert loop.time() - began_s >= 0.0299
        assert model.batches == [[1, 2]] * 3

    run(test)


def test_it_sleeps_while_it_waits(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with Batcher(model, DynamicBatching(4, 30.0)) as batcher:
            looked = 0
            take = batcher._queue.take

            def counted(now_s: float, *, at_once: bool = False) -> list[Any]:
                nonlocal looked
                looked += 1
                return take(now_s, at_once=at_once)

            monkeypatch.setattr(batcher._queue, "take", counted)
            await batcher.submit(1)
            await turns(100)
            assert looked <= 5

    run(test)


def test_what_comes_while_a_batch_runs_gathers(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, AT_ONCE) as batcher:
            model.free.clear()
            asked = ask(batcher, range(41))
            await turns()
            model.free.set()
            assert await asyncio.gather(*asked) == [10 * number for number in range(41)]
        assert model.batches == [[0], list(range(1, 17)), list(range(17, 33)), list(range(33, 41))]

    run(test)


def test_who_asks_again_at_once_is_in_the_next_batch(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, AT_ONCE) as batcher:

            async def client(number: int) -> None:
                for _ in range(20):
                    assert await batcher.submit(number) == 10 * number

            await asyncio.gather(*(client(number) for number in range(24)))
        sizes = [len(batch) for batch in model.batches]
        assert sum(sizes) == 24 * 20
        # The first does not wait; at the end fewer and fewer clients are left.
        assert set(sizes[1:-4]) == {16}

    run(test)


def test_alike_ones_are_together(model: Model) -> None:
    async def test() -> None:
        batching = DynamicBatching(3, 0.0, by_length=True)
        async with Batcher(model, batching, length=lambda number: number) as batcher:
            model.free.clear()
            asked = ask(batcher, [0, 4_000, 1, 2, 4_001, 3, 4])
            await turns()
            model.free.set()
            await asyncio.gather(*asked)
        assert model.batches == [[0], [4_000], [1, 2], [4_001], [3, 4]]

    run(test)


def test_who_is_cancelled_while_waiting_is_in_no_batch(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, AT_ONCE) as batcher:
            model.free.clear()
            asked = ask(batcher, range(6))
            await turns()
            asked[3].cancel()
            await turns()
            model.free.set()
            found = await asyncio.gather(*asked, return_exceptions=True)
        assert model.batches == [[0], [1, 2, 4, 5]]
        assert [number for number, each in enumerate(found) if isinstance(each, asyncio.CancelledError)] == [3]

    run(test)


def test_who_is_cancelled_in_the_turn_that_begins_the_batch_is_in_none(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, AT_ONCE) as batcher:
            model.free.clear()
            others: list[asyncio.Task[int]] = []

            async def first() -> None:
                await batcher.submit(0)
                others[0].cancel()

            task = asyncio.create_task(first())
            await turns()
            others += ask(batcher, [1])
            await turns()
            model.free.set()
            await task
            with pytest.raises(asyncio.CancelledError):
                await others[0]
            assert await batcher.submit(2) == 20
        assert model.batches == [[0], [2]]

    run(test)


def test_who_is_cancelled_in_a_batch_harms_no_other(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, DynamicBatching(3, NEVER_MS)) as batcher:
            model.free.clear()
            asked = ask(batcher, range(3))
            await turns()
            asked[1].cancel()
            await turns()
            model.free.set()
            assert (await asked[0], await asked[2]) == (0, 20)
            assert await asyncio.gather(*ask(batcher, range(3))) == [0, 10, 20]

    run(test)


def test_overload_is_refused_at_once_and_who_was_accepted_is_answered(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, DynamicBatching(2, 0.0), queue_size=3) as batcher:
            model.free.clear()
            asked = ask(batcher, range(4))
            await turns()
            with pytest.raises(OverloadedError, match="3 wait already"):
                await batcher.submit(4)
            asked[2].cancel()
            await turns()
            asked += ask(batcher, [5])
            await turns()
            with pytest.raises(OverloadedError):
                await batcher.submit(6)
            model.free.set()
            assert [await asked[place] for place in (0, 1, 3, 4)] == [0, 10, 30, 50]

    run(test)


def test_closing_answers_who_was_accepted_and_refuses_who_comes(model: Model) -> None:
    async def test() -> None:
        batcher = Batcher(model, DynamicBatching(4, NEVER_MS))
        model.free.clear()
        asked = ask(batcher, range(7))
        await turns()
        closing = [asyncio.create_task(batcher.close()) for _ in range(2)]
        await turns()
        with pytest.raises(ClosedError):
            await batcher.submit(8)
        assert not any(task.done() for task in closing)
        model.free.set()
        await asyncio.gather(*closing)
        assert [task.result() for task in asked] == [10 * number for number in range(7)]
        assert model.batches == [[0, 1, 2, 3], [4, 5, 6]]
        await batcher.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("leanner-batcher")]

    run(test)


def test_one_that_was_never_used_closes(model: Model) -> None:
    async def test() -> None:
        async with Batcher(model, AT_ONCE):
            pass
        assert model.batches == []

    run(test)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (RuntimeError("poisoned"), "RuntimeError: poisoned"),
        (StopIteration("over"), "StopIteration: over"),
        (SystemExit(3), "SystemExit: 3"),
        (None, "ValueError: expected 3 results, one for each item, found 1"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_failure_is_that_of_its_own_batch(failure: BaseException | None, message: str) -> None:
    def handle(numbers: Sequence[int]) -> list[int]:
        if 1 in numbers:
            if failure is None:
                return [7]
            raise failure
        return list(numbers)

    async def test() -> None:
        async with Batcher(handle, DynamicBatching(3, NEVER_MS)) as batcher:
            found = await asyncio.gather(*ask(batcher, range(9)), return_exceptions=True)
        assert found[3:] == list(range(3, 9))
        failed = [each for each in found[:3] if isinstance(each, BatchFailedError)]
        assert [str(each) for each in failed] == [f"a batch of 3 failed: {message}"] * 3
        # Each is its own, so that tracebacks do not mix, and says what it comes from.
        assert len({id(each) for each in failed}) == 3
        assert failure is None or all(each.__cause__ is failure for each in failed)

    run(test)


def test_a_length_that_cannot_be_told_is_the_callers_own(model: Model) -> None:
    def length(number: int) -> int:
        if number == 1:
            raise TypeError("no length")
        return number

    async def test() -> None:
        async with Batcher(model, DynamicBatching(2, NEVER_MS, by_length=True), length=length) as batcher:
            found = await asyncio.gather(*ask(batcher, range(3)), return_exceptions=True)
        assert found[0] == 0
        assert isinstance(found[1], TypeError)
        assert found[2] == 20

    run(test)


def test_a_queue_has_room_for_a_batch(model: Model) -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="expected a queue with room for a batch of 16 at least, found one for 15"):
            Batcher(model, AT_ONCE, queue_size=15)

    run(test)
