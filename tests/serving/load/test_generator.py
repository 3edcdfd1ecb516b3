from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from collections.abc import Iterator

import pytest

from leanner.serving.load.generator import LoadError
from leanner.serving.load.generator import LoadGenerator
from leanner.serving.load.outcome import CLOSED
from leanner.serving.load.outcome import REFUSED
from leanner.serving.load.outcome import RESET
from leanner.serving.load.outcome import TIME_LIMIT
from leanner.serving.load.outcome import TIMEOUT
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.scenarios import Offline
from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.server import Address
from meters.waiting import is_gone
from meters.waiting import wait_until
from serving.load.null_server import null_server_process


BODIES = [b"ok", b"chunked", b"overload", b"silent", b"crash"]
OK, CHUNKED, OVERLOAD, SILENT, CRASH = range(5)


@pytest.fixture(scope="module")
def generator() -> Iterator[LoadGenerator]:
    with LoadGenerator(BODIES) as opened:
        yield opened


def test_several_runs_over_the_same_bodies(generator: LoadGenerator) -> None:
    with null_server_process() as address:
        first = generator.run(address, Offline(), [OK, CHUNKED, OVERLOAD, OK], limit_s=60)
        second = generator.run(address, OpenLoop(2_000.0), [OK] * 200, limit_s=60)
    assert [outcome.status for outcome in first.outcomes] == [200, 200, 503, 200]
    assert [outcome.index for outcome in first.outcomes] == [OK, CHUNKED, OVERLOAD, OK]
    assert {outcome.body for outcome in second.outcomes} == {b"ok"}
    assert first.ended_ns <= second.began_ns <= (second.outcomes[0].sent_ns or 0)
    assert second.outcomes[-1].ended_ns <= second.ended_ns
    assert second.cpu_s > 0


def test_a_server_that_dies_gives_outcomes(generator: LoadGenerator) -> None:
    with null_server_process() as address:
        driven = generator.run(address, ClosedLoop(4), [OK] * 40 + [CRASH] + [OK] * 40, limit_s=60)
    kinds = [outcome.failure for outcome in driven.outcomes]
    assert len(kinds) == 81
    assert kinds[:36] == [None] * 36
    assert kinds[40] in (CLOSED, RESET)
    assert set(kinds[36:45]) <= {None, CLOSED, RESET, REFUSED}
    assert set(kinds[45:]) <= {RESET, REFUSED}
    assert kinds[-1] == REFUSED


def test_a_server_that_is_silent_gives_outcomes(generator: LoadGenerator) -> None:
    with null_server_process() as address:
        patient = generator.run(address, ClosedLoop(2), [SILENT] * 3, limit_s=0.3)
        brisk = generator.run(address, Offline(), [SILENT] * 3, limit_s=60, timeout_s=0.1)
    assert [outcome.failure for outcome in patient.outcomes] == [TIME_LIMIT] * 3
    assert [outcome.failure for outcome in brisk.outcomes] == [TIMEOUT] * 3


def test_what_cannot_be_run_is_refused_and_the_process_goes_on(generator: LoadGenerator) -> None:
    address = Address(1, "/")
    with pytest.raises(ValueError, match="expected indices of 5 bodies, found 0 to 5"):
        generator.run(address, Offline(), [0, 5], limit_s=60)
    with pytest.raises(ValueError, match="found limit_s=0"):
        generator.run(address, Offline(), limit_s=0)
    assert generator.run(address, Offline(), [], limit_s=60).outcomes == ()


def test_a_failure_over_there_is_told_with_its_traceback() -> None:
    with LoadGenerator(BODIES) as generator:
        with pytest.raises(LoadError, match=r"Traceback(.|\n)*expected a path and headers of a line each"):
            generator.run(Address(1, "/\n"), Offline(), limit_s=60)
        with pytest.raises(LoadError, match="found none: enter the context first"):
            generator.run(Address(1, "/"), Offline(), limit_s=60)


def test_a_process_that_is_killed_is_an_error_that_says_so() -> None:
    with null_server_process() as address, LoadGenerator(BODIES) as generator:
        pid = generator.pid
        assert pid is not None
        killer = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(LoadError, match="the process that sends ended with status -9"):
            generator.run(address, Offline(), [SILENT], limit_s=60)
        assert generator.pid is None


def test_an_interpreter_that_ends_at_once_is_an_error_that_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(LoadError, match="ended with status 1"), LoadGenerator(BODIES):
        pass


def test_it_ends_with_its_context() -> None:
    with LoadGenerator(BODIES) as generator:
        pid = generator.pid
        assert pid is not None
        assert not is_gone(pid)
    assert is_gone(pid)
    assert generator.pid is None


#: A run that drives a load and is killed meanwhile; a fork of it, which holds its pipe, waits.
RUN = """
import os, signal, sys, threading
from leanner.serving.load.generator import LoadGenerator
from leanner.serving.load.scenarios import Offline
from leanner.serving.server import Address

with LoadGenerator([b"silent"]) as generator:
    fork = os.fork()
    if fork == 0:
        while True:
            signal.pause()
    print(generator.pid, fork, flush=True)
    if sys.argv[2] == "within":
        generator.run(Address(int(sys.argv[1]), "/"), Offline(), limit_s=600, timeout_s=600)
    signal.pause()
"""


@pytest.mark.parametrize("moment", ["within", "between"])
def test_it_ends_with_its_parent_even_if_that_is_killed(moment: str) -> None:
    with (
        null_server_process() as address,
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(address.port), moment], stdout=subprocess.PIPE, text=True
        ) as parent,
    ):
        assert parent.stdout is not None
        pid, fork = map(int, parent.stdout.readline().split())
        try:
            assert not is_gone(pid)
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
            wait_until(lambda: is_gone(pid), "the end of the process that sends")
            assert not is_gone(fork), "the fork was to outlive it"
        finally:
            os.kill(fork, signal.SIGKILL)


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, leanner.serving.load.__main__, leanner.serving.load.job, leanner.serving.server\n"
        "heavy = {'torch', 'numpy', 'scipy', 'flair', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
