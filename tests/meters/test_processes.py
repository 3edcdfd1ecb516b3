from __future__ import annotations

import os
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from leanner.meters.processes import ProcessTree


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
    assert ProcessTree(proc=tmp_path).pids() == ProcessTree().pids()


def test_processes_that_have_ended_hold_nothing(child: subprocess.Popen[str]) -> None:
    tree = ProcessTree()
    pids = tree.pids() - {os.getpid()}
    child.communicate("")

    assert tree.rss_b(pids) == 0
    assert tree.pss_b(pids) == 0
    assert tree.cpu_s(pids) == 0.0


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
