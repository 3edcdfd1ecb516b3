"""What happens when a process of mosec is gone, or all that wanted it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from leanner.serving.batching import DynamicBatching
from leanner.serving.mosec.beat import look
from leanner.serving.mosec.server import Mosec
from leanner.serving.mosec.server import RunningMosec
from leanner.serving.server import ServerError
from leanner.serving.wire import write_request
from meters.waiting import is_gone
from meters.waiting import wait_until
from serving.mosec.client import post
from serving.mosec.client import post_all
from serving.toys import CRASH
from serving.toys import toy


pytest.importorskip("mosec", reason="mosec is not installed: pip install 'leanner[mosec]'")

TESTS = Path(__file__).parents[2]
BATCHING = DynamicBatching(16, 5.0)
TIMEOUT_S = 1.0


@pytest.fixture(scope="module")
def kept() -> Iterator[RunningMosec]:
    with Mosec(timeout_s=TIMEOUT_S, max_restarts=9).start(toy(call_s=0.02), BATCHING) as running:
        yield running


def request(place: int) -> bytes:
    return write_request(["PTEN fell"], place)


def worker(running: RunningMosec) -> int:
    seen = look(running.batch_log.parent)
    assert seen is not None
    return seen.pid


def front(running: RunningMosec) -> int:
    """mosec's server in Rust."""
    return next(pid for pid in running.pids() if psutil.Process(pid).name() == "mosec")


def is_back(running: RunningMosec) -> bool:
    try:
        return post(running.address, request(0)).status == 200
    finally:
        running.check()


@pytest.mark.parametrize("victim", [worker, front])
def test_a_process_that_is_killed_under_load_is_started_again(
    kept: RunningMosec, victim: Callable[[RunningMosec], int]
) -> None:
    before, pid = kept.restarts, victim(kept)

    def kill_at(answers: int) -> None:
        if answers == 100:
            os.kill(pid, signal.SIGKILL)

    got = post_all(kept.address, [request(place) for place in range(400)], 32, kill_at)
    # Each is answered once, or its connection has ended: none waits for ever.
    assert {each.status for each in got} <= {200, 0, 408, 500, 503}
    answered = [place for place, each in enumerate(got) if each.status == 200]
    assert [json.loads(got[place].body)["id"] for place in answered] == answered
    assert len(answered) >= 100
    assert any(each.status != 200 for each in got)
    wait_until(lambda: is_back(kept), "mosec to be back")
    assert kept.restarts == before + 1


def test_a_worker_that_hangs_in_a_batch_is_ended_and_started_again(kept: RunningMosec) -> None:
    before, pid = kept.restarts, worker(kept)

    def stop_at(answers: int) -> None:
        if answers == 50:
            wait_until(lambda: is_stopped_in_a_batch(kept, pid), "the worker to be stopped in a batch")

    got = post_all(kept.address, [request(place) for place in range(100)], 32, stop_at)
    # Requests are over before the worker is.
    assert {each.status for each in got} == {200, 408}
    wait_until(lambda: is_gone(pid), "the worker to be killed")
    wait_until(lambda: is_back(kept), "mosec to be back")
    assert kept.restarts == before + 1


def is_stopped_in_a_batch(running: RunningMosec, pid: int) -> bool:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "the worker to stop")
    if is_busy(running):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def test_a_tagger_that_takes_too_long_costs_its_batch_and_no_more() -> None:
    with Mosec(timeout_s=0.3).start(toy(sentence_s=0.1), BATCHING) as running:
        pid = worker(running)
        assert post(running.address, write_request(["a"] * 20)).status == 408
        wait_until(lambda: is_back(running), "the worker to be free")
        assert worker(running) == pid


def test_what_is_being_answered_at_the_end_is_answered() -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        with Mosec().start(toy(call_s=0.5), BATCHING) as running:
            got = elsewhere.submit(post, running.address, request(7))
            wait_until(lambda: is_busy(running), "a batch to begin")
        assert got.result().status == 200


def is_busy(running: RunningMosec) -> bool:
    seen = look(running.batch_log.parent)
    return seen is not None and seen.busy_s > 0


def test_a_tagger_that_crashes_at_each_start_is_given_up() -> None:
    with Mosec(max_restarts=0).start(toy(), BATCHING) as running:
        assert post(running.address, write_request([CRASH])).status == 0
        wait_until(lambda: not running.pids(), "the supervisor to give up")
        with pytest.raises(ServerError, match="gave up after 0 restarts in a row"):
            running.check()


def test_a_supervisor_that_is_killed_is_seen_and_takes_all_with_it() -> None:
    with Mosec().start(toy(), BATCHING) as running:
        pids = running.pids()
        assert post(running.address, request(0)).status == 200
        supervisor = next(pid for pid in pids if psutil.Process(pid).ppid() == os.getpid())
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: all(map(is_gone, pids)), "mosec to end")
        with pytest.raises(ServerError, match="its supervisor ended with status -9"):
            running.check()


PARENT = """
import json, os, sys, tempfile, time
from leanner.serving.batching import DynamicBatching
from leanner.serving.mosec.server import Mosec
from serving.toys import toy
tempfile.tempdir = sys.argv[1]
with Mosec().start(toy(), DynamicBatching(16, 5.0)) as running:
    if fork := os.fork():
        print(json.dumps([fork, running.address.port, *running.pids()]), flush=True)
    time.sleep(600)
"""


def test_a_parent_that_is_killed_leaves_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    temporary = tmp_path_factory.mktemp("t")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, temporary], stdout=subprocess.PIPE, env=_environment()
    ) as parent:
        assert parent.stdout is not None
        # The fork holds the pipes of its parent, and lives on.
        fork, port, *pids = json.loads(parent.stdout.readline())
        assert list(temporary.iterdir())
        parent.kill()
        try:
            wait_until(lambda: all(map(is_gone, pids)), "mosec to end")
            wait_until(lambda: not list(temporary.iterdir()), "its folder to go")
            assert not is_gone(fork)
        finally:
            os.kill(fork, signal.SIGKILL)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])}
