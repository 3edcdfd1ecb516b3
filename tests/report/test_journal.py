"""The journal of a run, torn at every byte, and a process that is killed while it writes one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings

from leanner.report.costs import Time
from leanner.report.journal import Asked
from leanner.report.journal import Journal
from leanner.report.journal import JournalError
from leanner.report.journal import journal_of
from leanner.report.journal import read_journal
from leanner.report.json_lines import OLD
from leanner.report.record import CaseRecord
from report.made_up import dataclass_instances
from report.records import baseline
from report.records import not_run
from report.records import record


ASKED: Final = Asked(
    options={"seed": 0, "corpora": ("mine",), "journal": None},
    environment={"torch": "2", "commit": "f" * 40},
    corpus=record().corpus,
    report="bench.json",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.journal"


def test_it_lies_beside_its_report() -> None:
    assert journal_of(Path("results/bench.json")) == Path("results/bench.journal.jsonl")


@pytest.fixture
def written(path: Path) -> Path:
    """A journal of three cases, the first of them timed."""
    with Journal.begin(path, ASKED) as journal:
        journal.append("b::fp32", baseline(), {"name": "fp32", "stats": {"data": [1.0]}})
        journal.append("b::bf16", record(), None)
        journal.append("b::fp16", not_run(), None)
    return path


def test_what_was_appended_is_read(written: Path) -> None:
    content = read_journal(written)

    assert list(content.cases) == ["b::fp32", "b::bf16", "b::fp16"]
    saved = content.cases["b::fp32"]
    assert saved.record == baseline()
    assert saved.benchmark == {"name": "fp32", "stats": {"data": [1.0]}}
    assert content.cases["b::bf16"].benchmark is None
    assert saved.asked == replace(ASKED, options={**ASKED.options, "corpora": ["mine"]})
    assert saved.time.endswith("+00:00")
    assert (content.torn, content.whole) == (None, written.stat().st_size)


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(dataclass_instances(CaseRecord), dataclass_instances(Asked))
def test_anything_comes_back(tmp_path: Path, made_up: CaseRecord, asked: Asked) -> None:
    path = tmp_path / "any.journal"
    with Journal.begin(path, asked) as journal:
        journal.append("b::x", made_up, None)

    content = read_journal(path)
    assert content.cases["b::x"].record == made_up
    assert content.asked == asked


def test_every_line_is_on_the_disk_when_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    with Journal.begin(path, ASKED) as journal:
        monkeypatch.setattr(os, "fsync", note)
        for number in range(3):
            journal.append(f"b::{number}", record(), None)
            assert synced[-1] == path.stat().st_size
            assert len(synced) == number + 1


def test_a_last_line_torn_at_any_byte_costs_that_case_alone(written: Path) -> None:
    whole = written.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1

    for end in [*range(last + 1, last + 40), *range(last + 40, len(whole), 97), len(whole) - 1]:
        written.write_bytes(whole[:end])
        content = read_journal(written)
        assert list(content.cases) == ["b::fp32", "b::bf16"]
        assert content.torn is not None
        assert content.whole == last
        with Journal.resume(written, ASKED) as journal:
            journal.append("b::int8", record("int8"), None)
        assert list(read_journal(written).cases) == ["b::fp32", "b::bf16", "b::int8"]
        assert read_journal(written).torn is None


@pytest.mark.parametrize("tail", [b'{"nodeid": 1}'[:5], b"\0" * 700, b"\xff\xfe", b'{"nodeid":\n', b"[1]\n", b"\r\n"])
def test_whatever_a_crash_leaves_as_the_last_line_is_cut_off(written: Path, tail: bytes) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole + tail)

    assert len(read_journal(written).cases) == 3
    assert read_journal(written).torn is not None
    Journal.resume(written, ASKED).close()
    assert written.read_bytes() == whole


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (2, b"broken", ':2: expected a line of JSON, found "broken'),
        (1, b"", ":1: expected a line of JSON, found "),
        (3, b"[1]", ":3: expected a line of JSON, found "),
        (2, b"{}", ":2: nodeid: expected this field, found none"),
        (
            3,
            b'{"nodeid":"a","time":"b","record":{},"benchmark":null}',
            ":3: record.schema: expected the schema's version",
        ),
        (
            3,
            b'{"nodeid":"a","time":"b","record":{"schema":2},"benchmark":null}',
            ":3: record.schema: expected at most 1",
        ),
        (
            3,
            b'{"nodeid":"a","time":"b","record":{"schema":1},"benchmark":null,"x":1}',
            ":3: x: expected one of the fields",
        ),
        (1, b'{"journal":2}', ":1: journal: expected 1, found 2; use the leanner that wrote it"),
        (1, b'{"journal":1,"options":{}}', ":1: environment: expected this field, found none"),
        (1, b'{"nodeid":"a"}', ":1: expected what the run was asked to do, found none; is this a journal of leanner?"),
    ],
)
def test_a_broken_line_elsewhere_is_an_error_with_its_place(
    written: Path, number: int, line: bytes, message: str
) -> None:
    lines = written.read_bytes().split(b"\n")
    lines[number - 1] = line
    written.write_bytes(b"\n".join(lines))

    for use in (read_journal, lambda path: Journal.resume(path, ASKED)):
        with pytest.raises(JournalError) as caught:
            use(written)
        assert str(caught.value).startswith(f"{written}{message}")


def test_a_last_line_that_is_whole_and_wrong_is_an_error(written: Path) -> None:
    with written.open("ab") as file:
        file.write(b'{"nodeid":"a"}\n')

    with pytest.raises(JournalError, match=r":5: time: expected this field"):
        read_journal(written)


@pytest.mark.parametrize("content", [b"", b"{"])
def test_what_is_no_journal_is_an_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(JournalError, match=rf"^{path}:1: expected "):
        read_journal(path)
    with pytest.raises(FileNotFoundError):
        read_journal(path.with_name("missing"))


def test_a_case_that_is_measured_again_stands_in_its_latest_place(written: Path) -> None:
    with Journal.resume(written, ASKED) as journal:
        journal.append("b::fp32", baseline(suspect=True, quality=("again",)), None)

    content = read_journal(written)
    assert list(content.cases) == ["b::bf16", "b::fp16", "b::fp32"]
    assert content.cases["b::fp32"].record.suspect


def test_each_case_knows_what_its_own_run_was_asked(written: Path) -> None:
    lines = len(written.read_bytes().splitlines())
    Journal.resume(written, ASKED).close()
    assert len(written.read_bytes().splitlines()) == lines

    other = replace(ASKED, options={"seed": 1})
    with Journal.resume(written, other) as journal:
        journal.append("b::int8", record("int8"), None)

    content = read_journal(written)
    assert content.cases["b::fp32"].asked.options["seed"] == 0
    assert content.cases["b::int8"].asked == content.asked == other


def test_a_new_journal_keeps_the_one_that_was_there(written: Path) -> None:
    before = written.read_bytes()

    Journal.begin(written, ASKED).close()

    assert written.with_name(written.name + OLD).read_bytes() == before
    assert read_journal(written).cases == {}


def test_numpy_scalars_beside_the_record_are_no_obstacle(path: Path) -> None:
    with Journal.begin(path, ASKED) as journal:
        journal.append("b::a", record(), {"extra_info": {"mine": np.float32(0.5)}, "stats": {"iqr": float("nan")}})

    assert read_journal(path).cases["b::a"].benchmark == {"extra_info": {"mine": 0.5}, "stats": {"iqr": None}}


def test_a_record_that_is_none_leaves_the_journal_as_it_was(written: Path) -> None:
    before = written.read_bytes()
    with Journal.resume(written, ASKED) as journal:
        with pytest.raises(ValueError, match="expected a finite number"):
            journal.append("b::x", record(time=Time((float("nan"),), 1.0, 1.0, 1.0, 0.0, 1, 1)), None)
        assert written.read_bytes() == before
    with pytest.raises(ValueError, match="expected an open file, found a closed one"):
        journal.append("b::x", record(), None)
    journal.close()


def test_a_disk_that_is_full_for_a_moment_leaves_no_broken_line(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written.read_bytes()
    write, room = os.write, [150]

    def nearly_full(descriptor: int, content: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        number = write(descriptor, content[: room[0]])
        room[0] -= number
        return number

    with Journal.resume(written, ASKED) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", nearly_full)
            with pytest.raises(OSError, match="No space left"):
                journal.append("b::x", record(), None)
        assert written.read_bytes() == before
        journal.append("b::y", record(), None)

    assert list(read_journal(written).cases) == ["b::fp32", "b::bf16", "b::fp16", "b::y"]


# Appends as fast as it can and says, after each append, how many have returned. The kernel may write less than
# it is given; here it does so always, so that most kills hit a line that is half written.
_WRITER: Final = """
import os
import sys
from pathlib import Path
from leanner.report.journal import Asked
from leanner.report.journal import Journal
from leanner.report.json_lines import OLD
from report.records import record

path, first = Path(sys.argv[1]), int(sys.argv[2])
asked = Asked({}, {}, None, None)
journal = Journal.resume(path, asked) if path.exists() else Journal.begin(path, asked)
write = os.write
os.write = lambda descriptor, content: write(descriptor, content[:64])
print("ready", flush=True)
number = first
while True:
    journal.append(f"b::{number}", record(quality=("x" * 200_000,)), None)
    number += 1
    print(number, flush=True)
"""


def spin(seconds: float) -> None:
    """Let time pass without giving the processor away: a sleep would be longer than an append."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def environment() -> dict[str, str]:
    """Return an environment in which a process finds what this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_kill_9_at_any_moment_loses_at_most_the_running_case(path: Path) -> None:
    chance = random.Random(3)
    done = torn = 0
    for kill in range(100):
        command = [sys.executable, "-c", _WRITER, str(path), str(done)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            acknowledged = done
            for _ in range(chance.randrange(1, 4)):
                acknowledged = int(process.stdout.readline())
            # Somewhere in the next append, which takes some milliseconds.
            spin(chance.random() * 0.01)
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
        acknowledged = max([acknowledged, *map(int, rest)])

        content = read_journal(path)
        saved = len(content.cases)
        assert saved in (acknowledged, acknowledged + 1)
        assert list(content.cases) == [f"b::{number}" for number in range(saved)]
        done, torn = saved, torn + (content.torn is not None)
        if kill >= 11 and torn >= 2:
            return
    raise AssertionError(f"expected kills that hit a line that was half written, found {torn} in {kill + 1}")
