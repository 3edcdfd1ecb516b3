from __future__ import annotations

from collections.abc import Callable

import pytest

from leanner.meters.memory import MemorySource
from leanner.meters.memory import looked_at
from leanner.meters.sampling import observe
from leanner.meters.trace import Moment
from meters.fake_clock import FakeClock
from meters.fake_tree import FakeTree
from meters.fake_tree import Memory
from meters.rig import Rig


MB = 1_000_000


def test_the_peak_lies_between_the_edges() -> None:
    tree = FakeTree()

    def step(number: int) -> None:
        tree.memory[100].rss_b = (500, 900, 600)[number] * MB

    assert Rig(tree=tree).run(3, step).peak_host_mb == pytest.approx(900.0)


def test_shared_pages_are_subtracted_and_looked_at_outside_of_the_window_alone() -> None:
    tree = FakeTree(memory={100: Memory(500 * MB, shared_b=120 * MB)})

    def step(number: int) -> None:
        tree.memory[100].rss_b = (500, 900, 600)[number] * MB

    reading = Rig(tree=tree).run(3, step)

    assert reading.peak_host_mb == pytest.approx(780.0)
    assert tree.pss_looks == 2
    assert reading.quality == ()


def test_the_next_window_begins_with_the_look_behind_the_last_one() -> None:
    rig = Rig(tree=FakeTree(memory={100: Memory(500 * MB, shared_b=120 * MB)}))
    with rig.meter() as meter:
        for _ in range(3):
            with meter.window() as window:
                pass
            assert window.reading.peak_host_mb == pytest.approx(380.0)

    assert rig.tree.pss_looks == 4


def test_without_pss_it_is_rss_and_says_so() -> None:
    reading = Rig(tree=FakeTree(pss_readable=False)).run(3)

    assert reading.peak_host_mb == pytest.approx(500.0)
    assert any("RSS, not PSS" in note for note in reading.quality)


def test_new_processes_are_looked_at_while_they_share() -> None:
    tree = FakeTree(memory={100: Memory(500 * MB)})

    def step(number: int) -> None:
        if number == 1:
            # Two forks that share nearly all with their parent.
            tree.memory |= {101: Memory(400 * MB, 390 * MB), 102: Memory(400 * MB, 390 * MB)}
        if number == 4:
            tree.memory = {100: tree.memory[100]}

    reading = Rig(tree=tree).run(6, step)

    assert reading.peak_host_mb == pytest.approx(520.0)
    assert reading.quality == ()
    # At the begin, at three ticks with the forks, without them again, at the end.
    assert tree.pss_looks == 6


def test_a_fork_that_becomes_another_program_while_it_is_looked_at_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: what both had before is held against what they share behind it.
    tree = FakeTree(memory={100: Memory(500 * MB)})
    read = tree.rss_b

    def rss_b(pids: frozenset[int]) -> int:
        found = read(pids)
        if 101 in pids:
            tree.memory[101] = Memory(20 * MB, 5 * MB)
        return found

    def step(number: int) -> None:
        tree.memory = {100: tree.memory[100]} | ({101: Memory(500 * MB, 490 * MB)} if number == 1 else {})

    monkeypatch.setattr(FakeTree, "rss_b", lambda _, pids: rss_b(pids))
    reading = Rig(tree=tree).run(4, step)

    assert reading.peak_host_mb == pytest.approx(515.0)


def test_new_processes_that_share_nothing_are_looked_at_once() -> None:
    tree = FakeTree(memory={100: Memory(500 * MB)})

    def step(_: int) -> None:
        tree.memory[101] = Memory(400 * MB, 3 * MB)

    assert Rig(tree=tree).run(6, step).peak_host_mb == pytest.approx(897.0)
    assert tree.pss_looks == 3


def _fork_that_writes(rig: Rig, *, ends: bool) -> Callable[[int], None]:
    def step(number: int) -> None:
        if number == 2:
            rig.tree.memory[101] = Memory(500 * MB, shared_b=500 * MB)
        if number == 5:
            rig.tree.memory[101].shared_b = 0  # copied on write: resident as before
        if number == 8 and ends:
            del rig.tree.memory[101]

    return step


def test_a_child_that_writes_what_it_shared_has_pages_of_its_own() -> None:
    # Naive: what was shared when it came.
    rig = Rig()
    reading = rig.run(12, _fork_that_writes(rig, ends=True))

    assert reading.peak_host_mb == pytest.approx(1000.0)
    assert reading.quality == ()


def _slow_looks(rig: Rig) -> None:
    look = rig.tree.pss_b

    def slow(pids: frozenset[int]) -> int:
        rig.clock.advance(0.1 if 101 in pids else 0.0)
        return look(pids)

    rig.tree.pss_b = slow  # type: ignore[method-assign]


def test_a_peak_that_no_look_followed_is_an_upper_bound_and_says_so() -> None:
    # 0.1 s for a look at the child: there is one when it comes, and no other before it ends.
    rig = Rig()
    _slow_looks(rig)
    reading = rig.run(12, _fork_that_writes(rig, ends=True))

    assert reading.peak_host_mb == pytest.approx(1000.0)
    (note,) = [note for note in reading.quality if "host peak" in note]
    assert note.startswith("host peak is an upper bound: 500 MB less where processes went on sharing")


def test_what_the_root_shares_with_strangers_is_no_childs_to_take() -> None:
    # Naive: a short child, not looked at again, makes the peak higher by all that its parent shares with strangers.
    rig = Rig(tree=FakeTree(memory={100: Memory(900 * MB, shared_b=150 * MB)}))
    _slow_looks(rig)

    def step(number: int) -> None:
        if number == 2:
            rig.tree.memory[101] = Memory(10 * MB, 4 * MB)
        if number == 5:
            del rig.tree.memory[101]

    reading = rig.run(12, step)

    assert reading.peak_host_mb == pytest.approx(760.0)
    assert not any("host peak" in note for note in reading.quality)


def test_a_look_behind_the_window_tells_that_sharing_has_ended() -> None:
    rig = Rig()
    _slow_looks(rig)
    reading = rig.run(12, _fork_that_writes(rig, ends=False))

    assert reading.peak_host_mb == pytest.approx(1000.0)


def test_sharing_that_ends_between_two_windows_is_not_subtracted() -> None:
    # Naive: the next window begins with what the last look found.
    rig = Rig(tree=FakeTree(memory={100: Memory(500 * MB), 101: Memory(500 * MB, 500 * MB)}))
    with rig.meter() as meter:
        with meter.window() as window:
            pass
        assert window.reading.peak_host_mb == pytest.approx(500.0)
        rig.tree.memory[101].shared_b = 0
        meter.start()
        del rig.tree.memory[101]
        reading = meter.stop()

    assert reading.peak_host_mb == pytest.approx(1000.0)
    assert any("upper bound: 500 MB less" in note for note in reading.quality)


def test_sharing_that_goes_on_is_subtracted_between_two_looks() -> None:
    rig = Rig(tree=FakeTree(memory={100: Memory(500 * MB), 101: Memory(500 * MB, 500 * MB)}))
    _slow_looks(rig)
    reading = rig.run(12)

    assert reading.peak_host_mb == pytest.approx(500.0)
    assert reading.quality == ()


def test_looks_within_a_window_keep_to_their_budget() -> None:
    tree = FakeTree()
    rig = Rig(tree=tree)
    costly = tree.pss_b

    def slow(pids: frozenset[int]) -> int:
        rig.clock.advance(0.05)
        return costly(pids)

    tree.pss_b = slow  # type: ignore[method-assign]

    def step(number: int) -> None:
        tree.memory[200 + number] = Memory(10 * MB, shared_b=9 * MB)

    reading = rig.run(20, step)

    # 50 ms a look, and 1 % of two seconds: the look at the begin has spent it all.
    assert tree.pss_looks == 2
    assert any("RSS in 20 samples" in note for note in reading.quality)
    assert reading.peak_host_mb == pytest.approx(700.0)


def test_the_kernels_high_water_catches_what_lies_between_two_samples() -> None:
    tree = FakeTree(memory={100: Memory(500 * MB, shared_b=100 * MB)}, high_water=1500 * MB)

    assert Rig(tree=tree).run(3).peak_host_mb == pytest.approx(1400.0)


def test_memory_that_cannot_be_read_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: FakeTree, pids: frozenset[int]) -> int:
        raise PermissionError(f"process {min(pids)} does not show its figures")

    monkeypatch.setattr(FakeTree, "rss_b", denied)
    reading = Rig().run(3)

    assert reading.peak_host_mb is None
    assert reading.reasons["peak_host_mb"] == "process 100 does not show its figures"


def test_a_tree_has_the_same_name_in_every_process_that_looks_at_it() -> None:
    tree = FakeTree(memory={100: Memory(MB), 101: Memory(MB)})
    names = [MemorySource(tree).sample(Moment.TICK).values["tree"] for _ in range(2)]
    tree.memory[102] = tree.memory.pop(101)
    names.append(MemorySource(tree).sample(Moment.TICK).values["tree"])

    assert names[0] == names[1] != names[2]
    assert all(float(name) == name for name in names)


def test_what_the_edge_has_looked_at_is_told_to_the_process_that_ticks() -> None:
    clock = FakeClock()
    tree = FakeTree(pss_readable=False)
    source = MemorySource(tree, clock)
    samples = [observe(source, Moment.START, clock)]
    assert looked_at(samples) is None
    tree.pss_readable = True
    samples.append(observe(source, Moment.STOP, clock))

    assert looked_at(samples) == samples[-1].values["tree"]


def test_who_joins_between_edge_and_tick_is_looked_at() -> None:
    clock = FakeClock()
    tree = FakeTree()
    edge, ticks = MemorySource(tree, clock), MemorySource(tree, clock)
    ticks.follow(looked_at([observe(edge, Moment.START, clock)]))
    assert "shared_b" not in ticks.sample(Moment.TICK).values
    tree.memory[101] = Memory(400 * MB, 390 * MB)

    assert ticks.sample(Moment.TICK).values["shared_b"] == 390 * MB
