"""Which of the requests that wait are the next batch; it is told the time, so that nothing here waits."""

from __future__ import annotations

from collections import OrderedDict
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from typing import Final
from typing import Generic
from typing import TypeVar


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching


Item = TypeVar("Item")

#: Characters of a request that take as long as one more call: of the bundled tagger in float32, run by Flair on a CPU.
CALL_CHARACTERS: Final = 500


@dataclass(slots=True, eq=False)
class Waiting(Generic[Item]):
    """A request that waits.

    Attributes:
        item: What is asked for.
        place: In the order of arrival.
        due_s: When it has waited long enough.
        length: In characters; 0 where requests are not grouped.
    """

    item: Item
    place: int
    due_s: float
    length: int


class Queue(Generic[Item]):
    """Requests that wait for a tagger that takes one batch at a time.

    When ``max_batch_size`` requests wait, or the oldest has waited ``max_batch_delay_ms``, it is the turn of the oldest
    ones, up to ``max_batch_size``. Without lengths a turn is a batch. With lengths it is split where that saves more
    padding than calls cost (see ``alike``), and its batches come one after the other, before any other request. The
    longest is first: who is answered early, and asks again, waits for what is left of the turn, which is then little.
    What follows:

    - A turn begins when without lengths a batch would, with the same requests waiting, and has the oldest of them.
    - A request behind ``k`` older ones is in the turn that comes ``k // max_batch_size`` after the next one, which is
      where its batch would be without lengths.
    - No request is overtaken by one that does not share its turn.

    Args:
        batching: When a turn begins, and whether it is split by length.
        length: Of an item, in characters; asked for where that decides.

    Raises:
        ValueError: Requests are grouped by length, and none has any.
    """

    def __init__(self, batching: DynamicBatching, length: Callable[[Item], int] | None = None) -> None:
        if batching.by_length and length is None:
            raise ValueError("expected what the length of an item is, to group them by it; found None")
        self._size = batching.max_batch_size
        self._delay_s = batching.max_batch_delay_ms / 1000.0
        self._length = length if batching.by_length else None
        self._waiting: OrderedDict[int, Waiting[Item]] = OrderedDict()
        self._turn: deque[list[Waiting[Item]]] = deque()
        self._arrived = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_ready(self) -> bool:
        """Whether a batch may begin whatever the time: others could not be in it."""
        return bool(self._turn) or len(self._waiting) >= self._size

    @property
    def due_s(self) -> float | None:
        """When the oldest request has waited long enough; ``None`` if none waits."""
        return next(iter(self._waiting.values())).due_s if self._waiting else None

    def add(self, item: Item, now_s: float) -> Waiting[Item]:
        """Have an item wait from now on; times must not go back."""
        length = 0 if self._length is None else self._length(item)
        waiting = Waiting(item, self._arrived, now_s + self._delay_s, length)
        self._waiting[waiting.place] = waiting
        self._arrived += 1
        return waiting

    def discard(self, waiting: Waiting[Item]) -> None:
        """Let it wait no more, if it does."""
        self._waiting.pop(waiting.place, None)

    def take(self, now_s: float, *, at_once: bool = False) -> list[Item]:
        """Return the next batch, in the order of arrival; nothing if none may begin yet.

        Args:
            now_s: The time.
            at_once: Whether nothing is waited for, because nothing more will come.
        """
        while self._turn or self._begin_turn(now_s, at_once=at_once):
            batch = [waiting for waiting in self._turn.popleft() if self._waiting.pop(waiting.place, None)]
            if batch:
                return [waiting.item for waiting in batch]
        return []

    def _begin_turn(self, now_s: float, *, at_once: bool) -> bool:
        due_s = self.due_s
        if due_s is None or (len(self._waiting) < self._size and due_s > now_s and not at_once):
            return False
        turn = list(islice(self._waiting.values(), self._size))
        if self._length is None:
            self._turn.append(turn)
        else:
            parts = alike([waiting.length for waiting in turn])
            self._turn.extend([turn[place] for place in part] for part in parts)
        return True


def alike(lengths: Sequence[int], call: int = CALL_CHARACTERS) -> list[list[int]]:
    """Return places in ``lengths`` in parts that cost the least together, the longest first, each in order.

    A part costs ``call`` and, for each of its members, the longest of them. Parts may be taken as runs of the sorted
    lengths: dealt out in that order, to parts of the same sizes ordered by their longest, no longest grows. So they are
    found by dynamic programming: before the last run of the shortest ``end`` lies a best partition of what is shorter.
    """
    by_length = sorted(range(len(lengths)), key=lambda place: lengths[place])
    least, begin = [0], [0]
    for end in range(1, len(by_length) + 1):
        longest = lengths[by_length[end - 1]]
        cost, first = min((least[first] + call + (end - first) * longest, first) for first in range(end))
        least.append(cost)
        begin.append(first)
    parts: list[list[int]] = []
    end = len(by_length)
    while end:
        parts.append(sorted(by_length[begin[end] : end]))
        end = begin[end]
    return parts
