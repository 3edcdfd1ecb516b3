"""Which of the requests that wait are the next batch: told the time, so that nothing here waits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import Generic
from typing import TypeVar


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching


Item = TypeVar("Item")

#: Characters by which lengths may always differ within a group. One more call of the bundled tagger takes a CPU as
#: long as about 500 characters of a request; a call is shared by a few.
SLACK: Final = 200


@dataclass(slots=True, eq=False)
class Waiting(Generic[Item]):
    """A request that waits.

    Attributes:
        item: What is asked for.
        place: In the order of arrival.
        due_s: When it has waited long enough.
        group: Those of about its length.
    """

    item: Item
    place: int
    due_s: float
    group: int


class Queue(Generic[Item]):
    """Requests that wait for a tagger that takes one batch at a time.

    A batch may begin when ``max_batch_size`` requests wait, or when the oldest has waited ``max_batch_delay_ms``.
    Without lengths it has the oldest ones. With lengths requests wait in groups (see ``group_of``), each in the order
    of arrival, and a batch is the head of one group: that of the oldest request once this is due, else the one with
    the most requests. What follows:

    - A batch may begin no later than without groups, when the same requests wait.
    - A request that is due and waits behind ``k`` older ones is in one of the next ``k // max_batch_size + 1 + g``
      batches, where ``g`` is how many groups other than its own have older requests. Without groups that is
      ``k // max_batch_size + 1``. For each batch before its own begins with an older request, and has either
      ``max_batch_size`` older ones or the last older one of its group.
    - A request is never overtaken by one of its own group.

    Args:
        batching: When a batch begins, and whether requests are grouped.
        length: Of an item, in characters; asked for where requests are grouped.

    Raises:
        ValueError: Requests are grouped by length, and none has any.
    """

    def __init__(self, batching: DynamicBatching, length: Callable[[Item], int] | None = None) -> None:
        if batching.by_length and length is None:
            raise ValueError("expected what the length of an item is, to group them by it; found None")
        self._size = batching.max_batch_size
        self._delay_s = batching.max_batch_delay_ms / 1000.0
        self._length = length if batching.by_length else None
        self._groups: dict[int, OrderedDict[int, Waiting[Item]]] = {}
        self._arrived = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def is_full(self) -> bool:
        """Whether as many wait as a batch can have."""
        return self._waiting >= self._size

    @property
    def due_s(self) -> float | None:
        """When the oldest request has waited long enough; ``None`` if none waits."""
        return _head(self._oldest()).due_s if self._waiting else None

    def add(self, item: Item, now_s: float) -> Waiting[Item]:
        """Have an item wait from now on; times must not go back."""
        group = 0 if self._length is None else group_of(self._length(item))
        waiting = Waiting(item, self._arrived, now_s + self._delay_s, group)
        self._groups.setdefault(group, OrderedDict())[waiting.place] = waiting
        self._arrived += 1
        self._waiting += 1
        return waiting

    def discard(self, waiting: Waiting[Item]) -> None:
        """Let it wait no more, if it does."""
        group = self._groups.get(waiting.group)
        if group is not None and group.pop(waiting.place, None) is not None:
            self._left(waiting.group, 1)

    def take(self, now_s: float, *, at_once: bool = False) -> list[Item]:
        """Return the next batch, in the order of arrival; nothing if none may begin yet.

        Args:
            now_s: The time.
            at_once: Whether nothing is waited for, because nothing more will come.
        """
        if not self._waiting:
            return []
        group = self._oldest()
        if _head(group).due_s > now_s and not at_once:
            if not self.is_full:
                return []
            group = max(self._groups.values(), key=lambda each: (min(len(each), self._size), -_head(each).place))
        number = _head(group).group
        taken = [group.popitem(last=False)[1].item for _ in range(min(len(group), self._size))]
        self._left(number, len(taken))
        return taken

    def _oldest(self) -> OrderedDict[int, Waiting[Item]]:
        return min(self._groups.values(), key=lambda each: _head(each).place)

    def _left(self, group: int, count: int) -> None:
        self._waiting -= count
        if not self._groups[group]:
            del self._groups[group]


def group_of(characters: int) -> int:
    """Return the group of a length: under 200 characters, under 600, 1,400, 3,000, 6,200, and so on.

    Lengths of a group differ by less than the shortest of them and ``SLACK`` together.
    """
    return (characters // SLACK + 1).bit_length() - 1


def _head(group: OrderedDict[int, Waiting[Item]]) -> Waiting[Item]:
    return next(iter(group.values()))
