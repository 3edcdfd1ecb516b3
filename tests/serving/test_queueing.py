from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import field
from itertools import chain
from itertools import repeat

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.serving.batching import DynamicBatching
from leanner.serving.queueing import SLACK
from leanner.serving.queueing import Queue
from leanner.serving.queueing import Waiting
from leanner.serving.queueing import group_of


LENGTHS = st.integers(0, 5_000)
BATCHINGS = st.builds(DynamicBatching, st.integers(1, 5), st.sampled_from([0.0, 1.0, 8.0]), st.booleans())


@dataclass(frozen=True)
class Asked:
    """What waits: which it is, and its length."""

    number: int
    length: int


@dataclass
class Replay:
    """A queue that is driven by a list of numbers, and what an onlooker knows of it."""

    batching: DynamicBatching
    now_ms: int = 0
    arrived: int = 0
    waiting: list[Waiting[Asked]] = field(default_factory=list)
    discarded: list[Asked] = field(default_factory=list)
    batches: list[list[Asked]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue: Queue[Asked] = Queue(self.batching, lambda asked: asked.length)

    def due(self, waiting: Waiting[Asked]) -> bool:
        return waiting.due_s <= self.now_ms / 1000

    def add(self, length: int) -> None:
        self.waiting.append(self.queue.add(Asked(self.arrived, length), self.now_ms / 1000))
        self.arrived += 1

    def discard(self, which: int) -> None:
        if self.waiting:
            gone = self.waiting.pop(which % len(self.waiting))
            self.queue.discard(gone)
            self.discarded.append(gone.item)

    def take(self, *, at_once: bool = False) -> list[Asked]:
        taken = self.queue.take(self.now_ms / 1000, at_once=at_once)
        self.waiting = [each for each in self.waiting if each.item not in taken]
        if taken:
            self.batches.append(taken)
        return taken


#: Arrivals with their length, milliseconds that pass, items that are wanted no more, moments when the tagger is free.
STEPS = st.lists(
    st.tuples(st.just("add"), LENGTHS)
    | st.tuples(st.just("add"), st.sampled_from([50, 3_400]))
    | st.tuples(st.just("pass"), st.integers(0, 10))
    | st.tuples(st.just("discard"), st.integers(0, 99))
    | st.tuples(st.just("take"), st.just(0)),
    max_size=80,
)


@given(BATCHINGS, STEPS)
def test_a_batch_begins_when_it_may_and_has_whom_it_must(
    batching: DynamicBatching, steps: list[tuple[str, int]]
) -> None:
    replay = Replay(batching)
    for step, number in steps:
        if step == "add":
            replay.add(number)
        elif step == "pass":
            replay.now_ms += number
        elif step == "discard":
            replay.discard(number)
        else:
            before = list(replay.waiting)
            taken = replay.take()
            assert bool(taken) == (len(before) >= batching.max_batch_size or any(map(replay.due, before)))
            assert taken == sorted(taken, key=lambda asked: asked.number)
            assert len(taken) <= batching.max_batch_size
            if not taken:
                continue
            if replay.due(before[0]):
                assert before[0].item in taken
            if not batching.by_length:
                assert taken == [each.item for each in before][: batching.max_batch_size]
                continue
            (group,) = {group_of(asked.length) for asked in taken}
            alike = [each.item for each in before if group_of(each.item.length) == group]
            assert taken == alike[: batching.max_batch_size]
            if not replay.due(before[0]):
                most = max(Counter(group_of(each.item.length) for each in before).values())
                assert len(taken) == min(batching.max_batch_size, most)
        assert len(replay.queue) == len(replay.waiting)
        assert replay.queue.due_s == (replay.waiting[0].due_s if replay.waiting else None)


@given(BATCHINGS, STEPS)
def test_everyone_is_in_one_batch_unless_discarded(batching: DynamicBatching, steps: list[tuple[str, int]]) -> None:
    replay = Replay(batching)
    for step, number in steps:
        if step == "add":
            replay.add(number)
        elif step == "pass":
            replay.now_ms += number
        elif step == "discard":
            replay.discard(number)
        else:
            replay.take()
    while replay.take(at_once=True):
        pass
    assert len(replay.queue) == 0
    out = [asked.number for batch in [*replay.batches, replay.discarded] for asked in batch]
    assert sorted(out) == list(range(replay.arrived))


@given(
    BATCHINGS,
    st.lists(st.tuples(st.lists(st.sampled_from([10, 300, 900, 3_400]), max_size=12), st.integers(0, 3)), max_size=25),
)
def test_who_is_due_is_in_one_of_the_next_batches(
    batching: DynamicBatching, turns: list[tuple[list[int], int]]
) -> None:
    """However many come later: ``k // max_batch_size + 1`` batches, and one for each other group that is ahead."""
    replay = Replay(batching)
    last: dict[int, int] = {}
    for lengths, passes in chain(turns, repeat(([], 10))):
        if passes == 10 and not replay.waiting:
            break
        for length in lengths:
            replay.add(length)
        replay.now_ms += passes
        for place, each in enumerate(replay.waiting):
            if replay.due(each) and each.item.number not in last:
                ahead = {group_of(older.item.length) for older in replay.waiting[:place]}
                others = len(ahead - {group_of(each.item.length)}) if batching.by_length else 0
                last[each.item.number] = len(replay.batches) + place // batching.max_batch_size + 1 + others
        for asked in replay.take():
            assert len(replay.batches) <= last.get(asked.number, len(replay.batches))
    assert sum(map(len, replay.batches)) == replay.arrived


@given(LENGTHS, LENGTHS)
def test_lengths_of_a_group_are_alike(one: int, other: int) -> None:
    shorter, longer = sorted([one, other])
    assert group_of(shorter) <= group_of(longer)
    if group_of(shorter) == group_of(longer):
        assert longer - shorter < shorter + SLACK
    if longer - shorter >= shorter + SLACK:
        assert group_of(shorter) < group_of(longer)


def test_groups_are_few() -> None:
    assert [group_of(length) for length in (0, 199, 200, 599, 600, 1_399, 1_400, 2_999, 3_000)] == [
        0, 0, 1, 1, 2, 2, 3, 3, 4,
    ]  # fmt: skip


def test_short_ones_do_not_wait_for_a_batch_of_long_ones() -> None:
    replay = Replay(DynamicBatching(4, 0.0, by_length=True))
    for length in (3_400, 50, 50, 3_400, 50, 50, 50):
        replay.add(length)
    assert [[asked.number for asked in replay.take()] for _ in range(4)] == [[0, 3], [1, 2, 4, 5], [6], []]


def test_the_oldest_is_not_overtaken_for_ever() -> None:
    """A long one among short ones that keep coming faster than they are handled."""
    replay = Replay(DynamicBatching(2, 5.0, by_length=True))
    replay.add(3_400)
    for _ in range(4):
        replay.add(50)
    sizes = []
    for _ in range(6):
        sizes.append([asked.length for asked in replay.take()])
        replay.now_ms += 1
        for _ in range(4):
            replay.add(50)
    assert sizes == [[50, 50]] * 5 + [[3_400]]


def test_lengths_are_needed_where_they_decide() -> None:
    with pytest.raises(ValueError, match="expected what the length of an item is"):
        Queue(DynamicBatching(by_length=True))
