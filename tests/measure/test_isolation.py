from __future__ import annotations

import threading

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.configurations import Configuration
from leanner.configurations import named
from leanner.measure import isolation
from leanner.measure import machine
from leanner.measure import session as sessions
from leanner.measure.isolated import RemoteStopwatch
from leanner.measure.isolated import serve
from leanner.measure.isolation import IsolatedError
from leanner.measure.isolation import Job
from leanner.measure.session import Session
from leanner.passes.protocol import NotRunnable
from leanner.report.record import Verdict
from measure.fakes import Die
from measure.fakes import FakeStopwatch
from measure.fakes import FakeTagger
from measure.fakes import Forget
from measure.fakes import Refuse
from measure.fakes import articles
from measure.fakes import options
from measure.fakes import subject


if TYPE_CHECKING:
    from leanner.measure.finished import Finished


FORGETS = Configuration("forgets", "made-up", (Forget(2),), unbounded="made up")


def job(configuration: Configuration, folder: Path, **changes: Any) -> Job:  # noqa: ANN401 - any option
    given = options(precision_pct=1e6, isolate=True, **changes)
    return Job(configuration, "cpu", given, folder, subject(articles(24)), None)


@contextmanager
def served(wanted: Job) -> Iterator[Connection]:
    """Measure in a thread of this process what another process would measure."""
    ours, theirs = Pipe()
    thread = threading.Thread(target=serve, args=(theirs,))
    thread.start()
    ours.send(wanted)
    try:
        yield ours
    finally:
        thread.join()
        ours.close()
        theirs.close()


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Finished]:
    """Measure a configuration of a made-up tagger over a pipe."""
    monkeypatch.setattr(sessions, "load_by_name", lambda *_, **__: FakeTagger())
    monkeypatch.setattr(machine, "least_window_s", lambda _: 0.0)

    def call(configuration: Configuration, watch: FakeStopwatch, said: list[str] | None = None) -> Finished:
        heard = [] if said is None else said
        with served(job(configuration, tmp_path)) as ours:
            return isolation._converse(ours, watch, heard.append)

    return call


def test_the_rounds_are_timed_at_this_end(measure: Callable[..., Finished]) -> None:
    watch, said = FakeStopwatch(0.25), list[str]()
    finished = measure(FORGETS, watch, said)

    assert watch.calls == ["setup", "target", "teardown"] * 10
    assert finished.record.time is not None
    assert finished.record.time.rounds_s == (0.25,) * 10
    assert finished.record.f1_drop is not None
    assert finished.record.f1_drop.points == pytest.approx(100 / 3)
    assert "leanner: forgets: preparing" in said


def test_disabled_benchmarks_run_one_round(measure: Callable[..., Finished]) -> None:
    finished = measure(FORGETS, FakeStopwatch(disabled=True))

    assert finished.record.f1 is not None
    assert finished.record.unknown["time"] == "pytest-benchmark was disabled: no round was timed"


def test_what_cannot_run_says_so(measure: Callable[..., Finished]) -> None:
    with pytest.raises(NotRunnable, match="no such thing"):
        measure(Configuration("refused", "made-up", (Refuse(NotRunnable("no such thing")),)), FakeStopwatch())


def test_a_bug_is_told_with_its_traceback(measure: Callable[..., Finished]) -> None:
    with pytest.raises(IsolatedError, match=r"Traceback(.|\n)*RuntimeError: a bug"):
        measure(Configuration("broken", "made-up", (Refuse(RuntimeError("a bug")),)), FakeStopwatch())


def test_the_remote_stopwatch_takes_no_other_calls() -> None:
    watch = RemoteStopwatch(connection=None)  # type: ignore[arg-type]  # not reached
    with pytest.raises(ValueError, match="expected no warm-up and one iteration, found 1 and 1"):
        watch.pedantic(print, setup=print, teardown=print, rounds=1, warmup_rounds=1, iterations=1)


def test_another_process_gives_the_same_spans(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "least_window_s", lambda _: 0.0)
    records = []
    for isolate in (False, True):
        given = options(tagger=str(shaped_file), precision_pct=1e6, isolate=isolate)
        session = Session(given, tmp_path, lambda _: None, given=subject(articles(24)))
        records.append(session.measure(named("int8"), "cpu", "int8", FakeStopwatch()))
        session.close()
    here, there = records

    assert there.files["spans_sha256"] == here.files["spans_sha256"]
    assert (there.f1, there.f1_drop, there.verdict, there.tagger) == (here.f1, here.f1_drop, here.verdict, here.tagger)
    assert here.memory is not None
    assert there.memory is not None
    assert (here.memory.isolated, there.memory.isolated) == (False, True)
    # A process that has just begun holds nothing of earlier cases.
    assert there.memory.left_behind_host_mb == pytest.approx(0.0, abs=64.0)


def test_a_killed_case_is_an_error_of_its_own(shaped_file: Path, tmp_path: Path) -> None:
    given = options(tagger=str(shaped_file), isolate=True)
    session = Session(given, tmp_path, lambda _: None, given=subject(articles(24)))
    with pytest.raises(IsolatedError, match="ended with status -9"):
        session.measure(Configuration("killed", "made-up", (Die(),)), "cpu", "killed", FakeStopwatch())
    session.close()

    assert session.records["killed"].verdict is Verdict.ERROR
    assert session.records["killed"].reasons == ("IsolatedError: the process of the case ended with status -9",)
