from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading

from collections.abc import Iterator

import pytest

from leanner.meters.sampler import EndedError
from leanner.meters.sampler import Parent


@pytest.fixture
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Ends of two pipes: the sampler reads the first and writes the second."""
    commands, sender = os.pipe()
    receiver, answers = os.pipe()
    ends = (commands, answers, sender, receiver)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def test_commands_come_whole_and_one_at_a_time(pipes: tuple[int, int, int, int]) -> None:
    commands, answers, sender, _ = pipes
    parent = Parent(commands, answers)
    os.write(sender, b'{"do": 1}\n{"do": 2}\n{"d')

    assert parent.command(10.0) == {"do": 1}
    assert parent.command(10.0) == {"do": 2}
    assert parent.command(0.0) is None
    os.write(sender, b'o": 3}\n')
    assert parent.command(10.0) == {"do": 3}


def test_the_end_of_the_pipe_is_the_end(pipes: tuple[int, int, int, int]) -> None:
    commands, answers, sender, receiver = pipes
    parent = Parent(commands, answers)
    os.close(sender)
    os.close(receiver)

    with pytest.raises(EndedError):
        parent.command(10.0)
    with pytest.raises(EndedError):
        parent.answer({"window": 1})


def test_a_pipe_that_somebody_else_holds_open_is_the_end_too(pipes: tuple[int, int, int, int]) -> None:
    commands, answers, sender, _ = pipes
    parent = Parent(commands, answers)
    parent.is_process(os.getpid())
    os.write(sender, b'{"do": 1}\n')

    with pytest.raises(EndedError):
        parent.command(10.0)
    with pytest.raises(EndedError):
        parent.answer({"window": 1})


def test_an_answer_may_be_longer_than_a_pipe_holds(pipes: tuple[int, int, int, int]) -> None:
    commands, answers, _, receiver = pipes
    assert fcntl.fcntl(answers, fcntl.F_GETPIPE_SZ) < 1_000_000
    message = {"samples": list(range(200_000))}
    received: list[bytes] = []

    def read() -> None:
        while not received or not received[-1].endswith(b"\n"):
            received.append(os.read(receiver, 65536))

    reader = threading.Thread(target=read)
    reader.start()
    Parent(commands, answers).answer(message)
    reader.join(60.0)

    assert json.loads(b"".join(received)) == message


def test_an_answer_that_nobody_reads_does_not_keep_it(
    pipes: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The parent is killed when the pipe is full, and a fork of it holds the other end.
    commands, answers, _, _ = pipes
    parent = Parent(commands, answers)
    lives = iter([True] * 3)
    known = os.getppid()
    monkeypatch.setattr(os, "getppid", lambda: known if next(lives, False) else 1)

    with pytest.raises(EndedError):
        parent.answer({"samples": list(range(200_000))})


def test_at_a_terminal_it_says_that_it_is_not_meant_for_hands() -> None:
    controller, terminal = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "leanner.meters.sampler"],
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(controller)

    assert done.returncode == 2
    assert "found a terminal" in done.stderr


def test_importing_it_takes_nothing_heavy() -> None:
    code = (
        "import sys, leanner.meters.sampler\n"
        "print(sorted({'torch', 'numpy', 'pytest', 'flair', 'psutil', 'pynvml', 'pyRAPL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
