from __future__ import annotations

import os
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from leanner.meters.processes import ProcessTree
from meters.fake_proc import HELD_B
from meters.fake_proc import FakeProc


CHILD = """
import subprocess, sys
code = "import sys; block = bytearray(64_000_000); print('ready', flush=True); sys.stdin.read()"
grandchild = subprocess.Popen([sys.executable, "-c", code])
sys.exit(grandchild.wait())
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A child whose own child holds 64 MB until its input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate("")


def test_grandchildren_belong_to_the_tree(child: subprocess.Popen[str]) -> None:
    tree = ProcessTree()
    (grandchild,) = psutil.Process(child.pid).children()

    assert {os.getpid(), child.pid, grandchild.pid} <= tree.pids()
    assert tree.rss_b(tree.pids()) > tree.rss_b(frozenset({os.getpid()})) + 64_000_000


def test_the_slow_way_finds_the_same(child: subprocess.Popen[str], tmp_path: Path) -> None:
    assert child.poll() is None
    slow, fast = ProcessTree(proc=tmp_path), ProcessTree()
    pids = fast.pids()

    assert slow.pids() == pids
    assert slow.rss_b(pids - {os.getpid()}) == fast.rss_b(pids - {os.getpid()})
    assert slow.cpu_s(pids - {os.getpid()}) == pytest.approx(fast.cpu_s(pids - {os.getpid()}), abs=0.02)


def test_processes_that_have_ended_hold_nothing(child: subprocess.Popen[str]) -> None:
    tree = ProcessTree()
    pids = tree.pids() - {os.getpid()}
    child.communicate("")

    assert len(pids) == 2
    assert tree.rss_b(pids) == 0
    assert tree.pss_b(pids) == 0
    assert tree.cpu_s(pids) == 0.0


def test_processes_that_have_ended_hold_nothing_the_slow_way(child: subprocess.Popen[str], tmp_path: Path) -> None:
    tree = ProcessTree(proc=tmp_path)
    pids = tree.pids() - {os.getpid()}
    child.communicate("")

    assert len(pids) == 2
    assert tree.rss_b(pids) == 0
    assert tree.cpu_s(pids) == 0.0
    assert not tree.pids() & pids


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this kernel has no smaps_rollup")
def test_proportional_memory_is_at_most_resident_memory() -> None:
    tree = ProcessTree()
    pids = frozenset({os.getpid()})

    assert 0 < tree.pss_b(pids) <= tree.rss_b(pids) * 1.02


def test_a_file_without_pss_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "smaps_rollup").write_text("Rss: 1 kB\n")

    with pytest.raises(OSError, match="no Pss in smaps_rollup of process 7"):
        ProcessTree(7, tmp_path).pss_b(frozenset({7}))


def test_high_water_is_read_from_status(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Name:\tpython\nVmHWM:\t   13148 kB\nVmRSS:\t 1 kB\n")
    tree = ProcessTree(7, tmp_path)

    assert tree.high_water_b() == 13148 * 1024
    assert tree.reset_high_water()
    assert (tmp_path / "7" / "clear_refs").read_text() == "5"
    assert not ProcessTree(8, tmp_path).reset_high_water()
    assert ProcessTree(8, tmp_path).high_water_b() is None


def test_cpu_seconds_are_those_of_the_process_and_its_finished_children() -> None:
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    times = os.times()

    # The kernel counts in ticks of 10 ms, four figures are rounded.
    assert ProcessTree().cpu_s(frozenset({os.getpid()})) == pytest.approx(sum(times[:4]), abs=0.1)
    assert times.children_user > 0.0


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    made = FakeProc(tmp_path)
    made.add(7, threads=3)
    made.add(20, 7)
    return made


def test_samplers_do_not_belong_to_the_tree(proc: FakeProc) -> None:
    proc.add(30, 7, command="/usr/bin/python3 -P -m leanner.meters.sampler")
    proc.add(31, 20, command="python -m leanner.meters.sampler")
    proc.add(32, 20, command="grep leanner.meters.sampler notes.txt")
    tree = ProcessTree(7, proc.root)

    assert tree.pids() == {7, 20, 32}
    assert tree.with_samplers() == {7, 20, 30, 31, 32}
    assert tree.rss_b(tree.pids()) == 3 * HELD_B


def test_an_id_that_a_sampler_had_may_be_another_processs_later(proc: FakeProc) -> None:
    tree = ProcessTree(7, proc.root)
    proc.add(30, 7, command="python -m leanner.meters.sampler")
    assert tree.pids() == {7, 20}
    proc.end(30)
    assert tree.pids() == {7, 20}
    proc.add(30, 7)

    assert tree.pids() == {7, 20, 30}


def test_a_child_that_nobody_has_waited_for_is_no_longer_there(proc: FakeProc) -> None:
    proc.add(21, 20)
    proc.end(21, waited_for=False)
    proc.add(30, 7, command="python -m leanner.meters.sampler")
    tree = ProcessTree(7, proc.root)

    assert tree.pids() == {7, 20}
    assert tree.with_ended() == {7, 20, 21}
    assert tree.with_samplers() == {7, 20, 21, 30}


def test_what_a_child_computed_counts_once_before_and_after_it_is_waited_for() -> None:
    # Naive: those who live, whose figures have it once they have waited.
    tree, pipe = ProcessTree(), subprocess.PIPE
    before_s = tree.cpu_s(tree.with_ended())
    code = "import time\nwhile time.process_time() < 0.5: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert child.pid not in tree.pids()
        ended_s = tree.cpu_s(tree.with_ended())
    waited_s = tree.cpu_s(tree.with_ended())

    assert 0.45 < ended_s - before_s < 0.8
    assert waited_s == pytest.approx(ended_s, abs=0.1)


def test_figures_stand_behind_the_name_whatever_is_in_it(proc: FakeProc) -> None:
    tree = ProcessTree(7, proc.root)

    # utime, stime, cutime and cstime of two processes, in ticks.
    assert tree.cpu_s(frozenset({7, 20})) == pytest.approx(2 * (100 + 50 + 20 + 10) / os.sysconf("SC_CLK_TCK"))
    assert tree.rss_b(frozenset({7, 20, 999})) == 2 * HELD_B
