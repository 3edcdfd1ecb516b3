"""What ends a TorchServe, and what keeps it from starting."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from leanner.serving.batching import DynamicBatching
from leanner.serving.server import Address
from leanner.serving.server import Running
from leanner.serving.server import ServerError
from leanner.serving.source import Source
from leanner.serving.torchserve import server
from leanner.serving.torchserve.server import TorchServe
from leanner.serving.torchserve.settings import Ports
from leanner.serving.torchserve.settings import free_ports
from leanner.serving.wire import write_request
from meters.waiting import is_gone
from meters.waiting import wait_until
from serving.torchserve.client import LOST
from serving.torchserve.client import Reply
from serving.torchserve.client import ask
from serving.torchserve.client import ask_all
from serving.torchserve.running import java_pid
from serving.torchserve.running import needs_torchserve
from serving.toys import toy


USER = """
import json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
from leanner.serving.batching import DynamicBatching
from leanner.serving.torchserve.server import TorchServe
from serving.toys import toy
with TorchServe().start(toy(), DynamicBatching()) as running:
    print(json.dumps({"pids": sorted(running.pids()), "folder": str(running.batch_log.parent)}), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder for temporary files that nobody else uses, with a short path, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="own-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody has."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def asking(address: Address, number: int) -> tuple[threading.Thread, list[Reply]]:
    """Ask from a thread, as many at once; the answers are there once it has ended."""
    replies: list[Reply] = []
    asked = [write_request(["PTEN"], place) for place in range(number)]
    thread = threading.Thread(target=lambda: replies.extend(ask_all(address, asked, number)))
    thread.start()
    return thread, replies


@needs_torchserve
def test_a_stop_leaves_nothing_though_requests_wait_and_a_port_was_taken_meanwhile(
    taken: int, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Ports] = []

    def first_taken() -> Ports:
        tries.append(free_ports() if tries else replace(free_ports(), inference=taken))
        return tries[-1]

    monkeypatch.setattr(server, "free_ports", first_taken)
    before = names_in(Path.cwd())
    with TorchServe().start(toy(call_s=2.0), DynamicBatching(16, 5.0)) as running:
        assert len(tries) == 2
        pids = running.pids()
        assert len(pids) == 2
        assert names_in(temporary) == {running.batch_log.parent.name}
        # Java's own, which go to /tmp whatever folder it is given.
        assert not [path for pid in pids for path in Path("/tmp").glob(f"hsperfdata_*/{pid}")]
        thread, replies = asking(running.address, 40)
        wait_until(lambda: waiting(tries[1].inference) >= 40, "40 requests")
    thread.join()
    assert len(replies) == 40
    assert {reply.status for reply in replies} <= {200, 500, 503, LOST}
    assert all(is_gone(pid) for pid in pids)
    for port in astuple(tries[1]):
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its connections may wait for their end
            again.bind(("127.0.0.1", port))
    assert names_in(temporary) == set()
    assert names_in(Path.cwd()) == before


def waiting(port: int) -> int:
    """Return how many connections of this process to a port there are."""
    connections = psutil.Process().net_connections("inet")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.raddr.port == port for each in connections)


@needs_torchserve
def test_a_port_that_stays_taken_is_said(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_TRIES", 1)
    monkeypatch.setattr(server, "free_ports", lambda: replace(free_ports(), management=taken))
    with (
        pytest.raises(ServerError, match=rf"management={taken},.*found one of them taken: start again\nIt said last:"),
        TorchServe().start(toy(), DynamicBatching()),
    ):
        pass


@needs_torchserve
def test_of_a_server_that_is_killed_requests_fail_and_the_rest_is_gone() -> None:
    with TorchServe().start(toy(call_s=2.0), DynamicBatching(16, 5.0)) as running:
        pids = running.pids()
        running.check()
        thread, replies = asking(running.address, 40)
        wait_until(lambda: waiting(running.address.port) >= 40, "40 requests")
        os.kill(java_pid(pids), signal.SIGKILL)
        thread.join()
        assert Counter(reply.status for reply in replies) == {LOST: 40}
        assert ask(running.address, write_request(["PTEN"])).status == LOST
        wait_until(lambda: running.pids() == frozenset(), "the end of the workers")
        wait_until(lambda: ended(running), "word of the end")
        with pytest.raises(
            ServerError, match=r"it has ended: exit status -9\nIt said last:\n(.*\n)*.*Torch worker started"
        ):
            running.check()
        assert running.batch_log.exists()
    assert not running.batch_log.parent.exists()


def ended(running: Running) -> bool:
    try:
        running.check()
    except ServerError:
        return True
    return False


@needs_torchserve
def test_nothing_is_left_when_the_process_that_started_it_is_killed() -> None:
    command = [sys.executable, "-c", USER, json.dumps(sys.path)]
    user = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert user.stdout is not None
    told = json.loads(user.stdout.readline())
    user.kill()
    user.wait()
    user.stdout.close()
    assert len(told["pids"]) == 2
    wait_until(lambda: all(is_gone(pid) for pid in told["pids"]), "the end of the server", 30.0)
    wait_until(lambda: not Path(told["folder"]).exists(), "the end of its folder", 30.0)


@needs_torchserve
def test_a_tagger_that_cannot_be_made_is_said_at_once() -> None:
    with (
        pytest.raises(
            ServerError, match=r"found that it ended\nIt said last:\n(.*\n)*.*no attribute 'no_such_function'"
        ),
        TorchServe(startup_timeout_s=100).start(Source("serving.toys:no_such_function"), DynamicBatching()),
    ):
        pass


@pytest.mark.parametrize(
    ("batching", "found"),
    [(DynamicBatching(16, 0.5), "whole milliseconds, found 0.5"), (DynamicBatching(by_length=True), "found by_length")],
    ids=["half a millisecond", "by length"],
)
def test_what_it_cannot_do_is_said(batching: DynamicBatching, found: str) -> None:
    with pytest.raises(ValueError, match=found), TorchServe().start(toy(), batching):
        pass


def test_it_describes_itself() -> None:
    described = TorchServe(workers=2).describe()
    assert described["name"] == "torchserve"
    assert described["workers"] == 2
    assert json.loads(json.dumps(described)) == described
