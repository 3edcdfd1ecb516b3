from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from itertools import chain
from itertools import repeat

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.serving.batching import DynamicBatching
from leanner.serving.queueing import CALL_CHARACTERS
from leanner.serving.queueing import Queue
from leanner.serving.queueing import Waiting
from leanner.serving.queueing import alike


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
def test_a_turn_is_the_batch_that_there_would_be_without_lengths(
    batching: DynamicBatching, steps: list[tuple[str, int]]
) -> None:
    """An onlooker who knows the rule without lengths, in a list, sees its batches come, whole or in parts."""
    replay = Replay(batching)
    turn: list[Asked] = []
    for step, number in steps:
        if step == "add":
            replay.add(number)
        elif step == "pass":
            replay.now_ms += number
        elif step == "discard":
            replay.discard(number)
            turn = [asked for asked in turn if asked not in replay.discarded]
        else:
            before = list(replay.waiting)
            may_begin = len(before) >= batching.max_batch_size or any(map(replay.due, before))
            if not turn and may_begin:
                turn = [each.item for each in before[: batching.max_batch_size]]
            taken = replay.take()
            assert bool(taken) == bool(turn)
            assert set(taken) <= set(turn)
            assert taken == sorted(taken, key=lambda asked: asked.number)
            if taken:
                assert batching.by_length or taken == turn
                assert max(asked.length for asked in turn) in {asked.length for asked in taken}
            turn = [asked for asked in turn if asked not in taken]
        assert len(replay.queue) == len(replay.waiting)
        assert replay.queue.due_s == (replay.waiting[0].due_s if replay.waiting else None)
        assert replay.queue.is_ready >= (len(replay.waiting) >= batching.max_batch_size)


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
    st.integers(1, 5),
    st.lists(st.tuples(st.lists(LENGTHS, max_size=12), st.integers(0, 3)), max_size=25),
)
def test_nobody_waits_for_more_than_the_turns_before_its_own(size: int, rounds: list[tuple[list[int], int]]) -> None:
    """However many come later, and however long they are."""
    replay = Replay(DynamicBatching(size, 1.0, by_length=True))
    allowed: dict[int, int] = {}
    for lengths, passes in chain(rounds, repeat(([], 9))):
        if passes == 9 and not replay.waiting:
            break
        for length in lengths:
            # Those that may go before it: who waits already, and the rest of its own turn.
            older = len(replay.waiting)
            allowed[replay.arrived] = sum(map(len, replay.batches)) + (older // size + 2) * size
            replay.add(length)
        replay.now_ms += passes
        gone = sum(map(len, replay.batches))
        for asked in replay.take():
            assert gone < allowed[asked.number]
    assert sum(map(len, replay.batches)) == replay.arrived


def partitions(places: Sequence[int]) -> Iterator[list[list[int]]]:
    """Yield every way of putting places into parts."""
    if not places:
        yield []
        return
    first, *others = places
    for rest in partitions(others):
        yield [[first], *rest]
        for number, part in enumerate(rest):
            yield [*rest[:number], [first, *part], *rest[number + 1 :]]


def cost(parts: Sequence[Sequence[int]], lengths: Sequence[int], call: int) -> int:
    return sum(call + len(part) * max(lengths[place] for place in part) for part in parts)


@given(st.lists(LENGTHS | st.sampled_from([50, 3_400]), max_size=6), st.sampled_from([0, 50, 500, 20_000]))
def test_no_other_way_of_splitting_costs_less(lengths: list[int], call: int) -> None:
    parts = alike(lengths, call)
    assert sorted(place for part in parts for place in part) == list(range(len(lengths)))
    assert all(part == sorted(part) for part in parts)
    longest = [max(lengths[place] for place in part) for part in parts]
    assert longest == sorted(longest, reverse=True)
    assert cost(parts, lengths, call) == min(cost(each, lengths, call) for each in partitions(range(len(lengths))))


@pytest.mark.parametrize("count", [1, 2, 16])
def test_those_of_one_length_are_one_part(count: int) -> None:
    assert alike([70] * count) == [list(range(count))]
    assert alike([0] * count) == [list(range(count))]


def test_a_part_more_must_save_what_a_call_costs() -> None:
    assert alike([100, 100 + CALL_CHARACTERS - 1]) == [[0, 1]]
    assert alike([100, 100 + CALL_CHARACTERS + 1]) == [[1], [0]]


def test_short_ones_are_not_padded_to_a_long_one() -> None:
    replay = Replay(DynamicBatching(4, 0.0, by_length=True))
    for length in (50, 3_400, 50, 50, 3_400, 50, 50):
        replay.add(length)
    assert [[asked.number for asked in replay.take()] for _ in range(5)] == [[1], [0, 2, 3], [4], [5, 6], []]


def test_a_long_one_has_its_turn_while_short_ones_keep_coming() -> None:
    """They come faster than they are handled, and it is the youngest of the first turn."""
    replay = Replay(DynamicBatching(4, 5.0, by_length=True))
    for length in (50, 50, 50, 3_400):
        replay.add(length)
    seen = []
    for _ in range(3):
        for _ in range(8):
            replay.add(50)
        seen.append([asked.length for asked in replay.take()])
    assert seen == [[3_400], [50, 50, 50], [50, 50, 50, 50]]


def test_lengths_are_needed_where_they_decide() -> None:
    with pytest.raises(ValueError, match="expected what the length of an item is"):
        Queue(DynamicBatching(by_length=True))
