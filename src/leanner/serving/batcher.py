"""Items that are asked for one by one, handled in batches: the batcher in this process."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Final
from typing import Generic
from typing import Self
from typing import TypeVar

from leanner.serving.queueing import Queue


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching


Item = TypeVar("Item")
Result = TypeVar("Result")

#: Items that may wait, unless another number is asked for.
QUEUE_SIZE: Final = 1024


class BatcherError(RuntimeError):
    """An item got no result; the message says why."""


class OverloadedError(BatcherError):
    """As many items wait as may."""


class ClosedError(BatcherError):
    """The batcher is closed."""


class BatchFailedError(BatcherError):
    """What handles batches failed on the item's batch; the cause is what it failed with."""


@dataclass(slots=True, eq=False)
class _Asked(Generic[Item, Result]):
    item: Item
    answer: asyncio.Future[Result]


class Batcher(Generic[Item, Result]):
    """Handles a batch at a time in a thread, while others gather: see ``leanner.serving.queueing.Queue`` for which.

    To be made, used and closed in one event loop. ``async with`` closes it.

    Args:
        handle: Items of a batch in, as many results out, in order. It is called in one thread, never twice at once.
        batching: When a batch begins, and whether items are grouped by their length.
        queue_size: Items that may wait, those in the running batch not counted.
        length: Of an item, in characters; asked for where items are grouped.

    Raises:
        RuntimeError: No event loop runs.
        ValueError: The queue has no room for a batch, or items are grouped by length and none has any.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], Sequence[Result]],
        batching: DynamicBatching,
        *,
        queue_size: int = QUEUE_SIZE,
        length: Callable[[Item], int] | None = None,
    ) -> None:
        if queue_size < batching.max_batch_size:
            raise ValueError(
                f"expected a queue with room for a batch of {batching.max_batch_size} at least, "
                f"found one for {queue_size}"
            )
        self._handle = handle
        self._queue: Queue[_Asked[Item, Result]] = Queue(
            batching, None if length is None else lambda asked: length(asked.item)
        )
        self._queue_size = queue_size
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "leanner-batcher")
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = False
        self._is_closing = False
        self._has_ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def submit(self, item: Item) -> Result:
        """Return the result of an item. If the caller is cancelled before its batch begins, the item is in none.

        Raises:
            OverloadedError: At once, if as many wait as may.
            ClosedError: At once, if the batcher is closed.
            BatchFailedError: What handles batches failed on the item's batch.
        """
        if self._is_closing:
            raise ClosedError("the batcher is closed, and takes no more items")
        if len(self._queue) >= self._queue_size:
            raise OverloadedError(f"{self._queue_size} wait already: ask again later, or make the queue larger")
        asked: _Asked[Item, Result] = _Asked(item, self._loop.create_future())
        waiting = self._queue.add(asked, self._loop.time())
        self._begin()
        try:
            return await asked.answer
        finally:
            self._queue.discard(waiting)

    async def close(self) -> None:
        """Refuse what is asked for from now on, and return when all that waits has its answer."""
        self._is_closing = True
        self._begin()
        await self._has_ended.wait()
        self._thread.shutdown()

    def _begin(self) -> None:
        """Begin a batch if none runs and one may begin, or have this called again when one may."""
        if self._is_busy:
            return
        while taken := self._queue.take(self._loop.time(), at_once=self._is_closing):
            # Who was cancelled in this very turn of the loop has not taken its item from the queue yet.
            batch = [asked for asked in taken if not asked.answer.done()]
            if batch:
                self._is_busy = True
                running = self._loop.run_in_executor(self._thread, self._outcome, [asked.item for asked in batch])
                running.add_done_callback(partial(self._answer, batch))
                return
        if self._is_closing:
            self._stop_timer()
            self._has_ended.set()
        elif self._timer is None and (due_s := self._queue.due_s) is not None:
            # Whoever is the oldest later is due later: a timer that was set before is early then, and is set again.
            self._timer = self._loop.call_at(due_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._begin()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _outcome(self, items: list[Item]) -> list[Result] | BaseException:
        """Return what became of a batch; nothing is raised, since a future cannot hold every exception."""
        try:
            results = list(self._handle(items))
            if len(results) != len(items):
                raise ValueError(f"expected {len(items)} results, one for each item, found {len(results)}")  # noqa: TRY301 - it fails like any other
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            return error
        return results

    def _answer(self, batch: list[_Asked[Item, Result]], running: asyncio.Future[list[Result] | BaseException]) -> None:
        outcome = running.result()
        for place, asked in enumerate(batch):
            if asked.answer.done():
                continue
            if isinstance(outcome, BaseException):
                # One for each: an exception that several tasks raise collects the tracebacks of all of them.
                failure = BatchFailedError(f"a batch of {len(batch)} failed: {type(outcome).__name__}: {outcome}")
                failure.__cause__ = outcome
                asked.answer.set_exception(failure)
            else:
                asked.answer.set_result(outcome[place])
        if self._queue.is_ready:
            self._go_on()
        else:
            # Whoever has an answer now hears of it first: who then asks again at once is in the next batch.
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_busy = False
        self._begin()
