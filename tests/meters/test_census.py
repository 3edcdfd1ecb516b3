from __future__ import annotations

from pathlib import Path

import pytest

from leanner.meters.census import Census
from leanner.meters.processes import ProcessTree
from meters.fake_clock import FakeClock
from meters.fake_proc import FakeProc


class CountedTree(Census):
    """Counts its walks; ``cost_ns`` is what each of them takes."""

    def __init__(self, proc: FakeProc, clock: FakeClock) -> None:
        super().__init__(7, proc.root, clock)
        self.walks = 0

    def _descend(self, pid: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as inherited
        self.walks += pid == self.pid
        return super()._descend(pid)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    made = FakeProc(tmp_path)
    made.add(7)
    made.add(8, 7)
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(proc: FakeProc, clock: FakeClock) -> CountedTree:
    return CountedTree(proc, clock)


def test_it_finds_what_the_tree_finds(tree: CountedTree, proc: FakeProc) -> None:
    tree.look()

    assert tree.pids() == ProcessTree(7, proc.root).pids() == {7, 8}


def test_where_no_id_was_given_nobody_has_joined(tree: CountedTree, clock: FakeClock) -> None:
    for _ in range(9):
        tree.look()
        clock.advance(0.1)

    assert tree.walks == 1


def test_who_joins_is_seen_at_the_next_look(tree: CountedTree, proc: FakeProc, clock: FakeClock) -> None:
    tree.look()
    clock.advance(0.1)
    proc.add(9, 8)
    assert tree.pids() == {7, 8}, "nobody has looked"
    tree.look()

    assert tree.pids() == {7, 8, 9}


@pytest.mark.parametrize("waited_for", [True, False])
def test_who_has_ended_is_seen_without_a_walk(
    tree: CountedTree,
    proc: FakeProc,
    clock: FakeClock,
    waited_for: bool,  # noqa: FBT001 - pytest hands it over by name
) -> None:
    tree.look()
    clock.advance(0.1)
    proc.end(8, waited_for=waited_for)
    tree.look()

    assert tree.pids() == {7}
    assert tree.with_ended() == {7, 8}, "one that is gone reads as nothing"
    assert tree.walks == 1


def test_samplers_are_not_among_those_who_have_ended(tree: CountedTree, proc: FakeProc) -> None:
    proc.add(9, 7, command="python -m leanner.meters.sampler")
    tree.look()

    assert tree.with_ended() == tree.pids() == {7, 8}


def test_a_loadavg_that_stands_still_is_not_trusted_for_long(
    tree: CountedTree, proc: FakeProc, clock: FakeClock
) -> None:
    # As in a container that makes up its own.
    tree.look()
    made_up = (proc.root / "loadavg").read_text()
    proc.add(9, 7)
    (proc.root / "loadavg").write_text(made_up)
    clock.advance(0.9)
    tree.look()
    assert tree.pids() == {7, 8}
    clock.advance(0.1)
    tree.look()

    assert tree.pids() == {7, 8, 9}


@pytest.mark.parametrize("text", ["", "0.00 0.00 0.00 0/0 0\n", None])
def test_where_no_id_is_told_every_look_is_a_walk(
    tree: CountedTree, proc: FakeProc, clock: FakeClock, text: str | None
) -> None:
    path = proc.root / "loadavg"
    path.unlink() if text is None else path.write_text(text)
    for _ in range(5):
        tree.look()
        clock.advance(0.1)

    assert tree.walks == 5


def test_walks_keep_to_their_budget(
    tree: CountedTree, proc: FakeProc, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each walk takes 1.5 ms, and somebody forks all the time: every tick would walk.
    spent_ns = iter(range(0, 10**9, 1_500_000))
    monkeypatch.setattr("leanner.meters.census.time.process_time_ns", lambda: next(spent_ns))
    for number in range(100):
        proc.fork_elsewhere(1000 + number)
        tree.look()
        clock.advance(0.1)

    # 0.3 % of 10 s are 30 ms.
    assert 15 <= tree.walks <= 20
