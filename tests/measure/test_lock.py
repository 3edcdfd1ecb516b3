from __future__ import annotations

import os
import signal
import subprocess
import sys

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leanner.measure.errors import SetupError
from leanner.measure.lock import device_lock


HOLD = """
import sys
from pathlib import Path
from leanner.measure.lock import device_lock
with device_lock("cpu", "wait", lambda text: print(text, flush=True), Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that asks for the lock and, once it has it, holds it until its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def never_said(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def lock(tmp_path: Path) -> Callable[..., None]:
    def take(mode: str = "fail", device: str = "cpu", say: Callable[[str], None] = never_said) -> None:
        with device_lock(device, mode, say, tmp_path):
            pass

    return take


def test_a_second_run_fails_with_the_holders_pid(tmp_path: Path, lock: Callable[..., None]) -> None:
    with other_process(tmp_path) as holder:
        assert line(holder) == "held"
        with pytest.raises(SetupError, match=rf"process {holder.pid} measures on cpu .*--leanner-lock=wait"):
            lock()


def test_a_second_run_waits_and_says_for_whom(tmp_path: Path) -> None:
    with device_lock("cpu", "fail", never_said, tmp_path), other_process(tmp_path) as second:
        waiting = line(second)
        assert waiting == f"leanner: waiting for process {os.getpid()}, which measures on cpu"
    # Given up here, held there; that it was read at all shows that the wait ended.


def test_the_one_that_waited_gets_it(tmp_path: Path) -> None:
    with other_process(tmp_path) as first:
        assert line(first) == "held"
        with other_process(tmp_path) as second:
            assert "waiting" in line(second)
            assert first.stdin is not None
            first.stdin.close()
            assert line(second) == "held"


def test_f21_a_killed_holder_leaves_no_lock_behind(tmp_path: Path, lock: Callable[..., None]) -> None:
    with other_process(tmp_path) as holder:
        assert line(holder) == "held"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        lock()


def test_devices_are_locked_each_for_itself(tmp_path: Path, lock: Callable[..., None]) -> None:
    with other_process(tmp_path) as holder:
        assert line(holder) == "held"
        lock(device="GPU-1")


def test_off_asks_for_none(tmp_path: Path, lock: Callable[..., None]) -> None:
    lock(mode="off")
    assert not list(tmp_path.iterdir())


def test_it_is_given_up_after_an_error(tmp_path: Path, lock: Callable[..., None]) -> None:
    with pytest.raises(RuntimeError, match="a bug"), device_lock("cpu", "fail", never_said, tmp_path):
        raise RuntimeError("a bug")
    lock()


def test_a_folder_that_cannot_be_used_is_said_with_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(SetupError, match="set TMPDIR to a folder that can be written"),
        device_lock("cpu", "wait", never_said, tmp_path / "missing"),
    ):
        pass


def test_another_users_file_is_locked_by_reading_it(
    tmp_path: Path, lock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leanner-cpu.lock").write_text("77\n")
    real = os.open

    def sticky(path: Path, flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", sticky)
    lock()
    assert (tmp_path / "leanner-cpu.lock").read_text() == "77\n"
