from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from leanner.serving.server import ServerError
from leanner.serving.torchserve.supervised import Supervised
from meters.waiting import is_gone
from meters.waiting import wait_until


#: A server that has a child which hears no SIGTERM, and writes that child's id once it is there.
STUBBORN = """
import os, signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
process = subprocess.Popen([sys.executable, "-I", "-S", "-c", child], stdout=subprocess.PIPE)
process.stdout.readline()
print("says something", flush=True)
open("child", "w").write(str(process.pid))
time.sleep(600)
"""

#: A process that uses such a server, and has a fork of it which holds its pipes.
USER = """
import json, os, sys, time
from leanner.serving.torchserve.supervised import Supervised
supervised = Supervised()
supervised.start([sys.executable, "-I", "-S", "-c", sys.argv[1]], os.environ)
fork = os.fork()
if fork:
    print(json.dumps({"folder": str(supervised.folder), "fork": fork}), flush=True)
time.sleep(600)
"""


@pytest.fixture
def supervised() -> Iterator[Supervised]:
    """A supervisor that holds nothing yet."""
    made = Supervised()
    yield made
    made.end()


def run(supervised: Supervised, program: str) -> None:
    supervised.start([sys.executable, "-I", "-S", "-c", program], os.environ)


def child_of_stubborn(folder: Path) -> int:
    wait_until(lambda: (folder / "child").exists() and bool((folder / "child").read_text()), "the server's child")
    return int((folder / "child").read_text())


def test_nothing_is_left_of_a_server_that_is_stopped(supervised: Supervised) -> None:
    run(supervised, STUBBORN)
    child = child_of_stubborn(supervised.folder)
    pids = supervised.pids()
    assert child in pids
    assert len(pids) == 2
    assert supervised.ended() is None
    assert supervised.last_words() == "says something"
    supervised.end()
    assert all(is_gone(pid) for pid in pids)
    assert not supervised.folder.exists()
    assert supervised.pids() == frozenset()
    assert supervised.ended() == "it was stopped"
    assert supervised.last_words() == ""


def test_how_a_server_ended_is_told_and_its_children_are_gone(supervised: Supervised) -> None:
    run(supervised, STUBBORN)
    child = child_of_stubborn(supervised.folder)
    (server,) = supervised.pids() - {child}
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: supervised.ended() is not None, "the end of the server")
    assert supervised.ended() == "exit status -9"
    assert is_gone(child)
    assert supervised.last_words() == "says something"


def test_a_command_that_cannot_be_started_is_said(supervised: Supervised, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"no-such-command cannot be started: .*No such file"):
        supervised.start([str(tmp_path / "no-such-command")], os.environ)


def test_a_supervisor_that_is_killed_takes_the_server_with_it() -> None:
    supervised = Supervised()
    run(supervised, STUBBORN)
    child = child_of_stubborn(supervised.folder)
    (server,) = supervised.pids() - {child}
    supervisor = psutil.Process(server).parent()
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(server), "the end of the server")
    assert supervised.ended() == "its supervisor is gone"
    supervised.end()
    assert not supervised.folder.exists()
    os.kill(child, signal.SIGKILL)  # its parent is gone before anybody could have seen it


def test_a_supervisor_that_is_asked_to_end_ends_the_server(supervised: Supervised) -> None:
    run(supervised, STUBBORN)
    pids = {child_of_stubborn(supervised.folder), *supervised.pids()}
    (server,) = supervised.pids() - {child_of_stubborn(supervised.folder)}
    supervisor = psutil.Process(server).parent()
    assert supervisor is not None
    supervisor.terminate()
    wait_until(lambda: all(is_gone(pid) for pid in pids), "the end of the server")
    wait_until(lambda: not supervised.folder.exists(), "the end of its folder")


def test_nothing_is_left_when_the_process_that_uses_it_is_killed() -> None:
    user = subprocess.Popen([sys.executable, "-c", USER, STUBBORN], stdout=subprocess.PIPE, text=True)
    assert user.stdout is not None
    told = json.loads(user.stdout.readline())
    folder = Path(told["folder"])
    child = child_of_stubborn(folder)
    server = psutil.Process(child).ppid()
    try:
        user.kill()
        user.wait()
        wait_until(lambda: is_gone(server) and is_gone(child), "the end of the server", 30.0)
        wait_until(lambda: not folder.exists(), "the end of its folder", 30.0)
    finally:
        os.kill(told["fork"], signal.SIGKILL)
        user.stdout.close()
