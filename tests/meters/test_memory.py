from __future__ import annotations

import pytest

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


def test_new_processes_are_looked_at_once() -> None:
    tree = FakeTree(memory={100: Memory(500 * MB)})

    def step(number: int) -> None:
        if number == 1:
            # Two forks that share nearly all with their parent.
            tree.memory |= {101: Memory(400 * MB, 390 * MB), 102: Memory(400 * MB, 390 * MB)}
        if number == 4:
            tree.memory = {100: tree.memory[100]}

    reading = Rig(tree=tree).run(6, step)

    assert reading.peak_host_mb == pytest.approx(520.0)
    assert tree.pss_looks == 4


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
