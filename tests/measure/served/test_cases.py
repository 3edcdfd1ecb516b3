"""Served cases as a session measures them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import time

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import NoReturn

import pytest

from jsonschema import Draft202012Validator

from leanner.configurations import Configuration
from leanner.configurations import named
from leanner.measure import machine
from leanner.measure import session as module
from leanner.measure.served import account
from leanner.measure.served import target
from leanner.measure.session import Session
from leanner.meters import open_meter
from leanner.report.parse import record_from_json
from leanner.report.record import Verdict
from leanner.report.schema import schema
from leanner.serving.batching import DynamicBatching
from leanner.serving.server import NotInstalledError
from leanner.serving.server import ServerError
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import MOSEC
from leanner.serving.serving import TORCHSERVE
from leanner.serving.serving import Serving
from leanner.serving.serving import make_server
from measure.fakes import FakeStopwatch
from measure.fakes import articles
from measure.fakes import options
from measure.fakes import subject
from measure.served.made import Toy
from meters.waiting import is_gone
from meters.waiting import wait_until
from serving.torchserve.running import needs_torchserve
from serving.toys import toy


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord
    from leanner.serving.server import Running
    from leanner.serving.server import Server
    from leanner.serving.source import Source


BATCHING = DynamicBatching(16, 5.0)


def served_by(server: str) -> Configuration:
    """Return the baseline behind a server."""
    return Configuration(f"made-up-{server}", "served", unbounded="made up", served=Serving(server, BATCHING))


HERE = served_by(IN_PROCESS)


def put_on_a_made_up_machine(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have sessions read ``number`` articles, and find no meter."""
    monkeypatch.setattr(module, "load_subject", lambda _: subject(articles(number)))
    monkeypatch.setattr(machine, "open_meter", partial(open_meter, powercap=folder, sockets=lambda: None))
    # Rounds of microseconds would be repeated thousands of times.
    monkeypatch.setattr(machine, "least_window_s", lambda _: 0.0)


@contextlib.contextmanager
def opened(folder: Path, **changes: Any) -> Iterator[Session]:  # noqa: ANN401 - any option
    """Open a session, and close it."""
    session = Session(options(precision_pct=1e6, **changes), folder, lambda _: None)
    try:
        yield session
    finally:
        session.close()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session with toys, here and behind servers."""
    put_on_a_made_up_machine(tmp_path, monkeypatch, 24)
    monkeypatch.setattr(module, "load_by_name", lambda *_, **__: Toy())
    monkeypatch.setattr(account, "source_of", lambda *_: toy())
    with opened(tmp_path) as with_toys:
        yield with_toys


def run(session: Session, configuration: Configuration, watch: FakeStopwatch | None = None) -> CaseRecord:
    """Measure on the CPU under the configuration's name."""
    return session.measure(configuration, "cpu", configuration.name, watch or FakeStopwatch())


def assert_is_as_the_schema_has_it(record: CaseRecord) -> None:
    content = json.loads(json.dumps(record.to_json(), allow_nan=False))
    Draft202012Validator({"$ref": "#/$defs/CaseRecord", "$defs": schema()["$defs"]}).validate(content)
    assert record_from_json(content) == record


def test_a_case_in_this_process_has_all_of_a_case_and_how_it_was_served(session: Session) -> None:
    record = run(session, HERE, FakeStopwatch(0.25))

    assert record.verdict is Verdict.RECORDED
    assert record.served is not None
    assert record.served["server"]["name"] == IN_PROCESS
    assert record.served["requests"] % 48 == 0
    assert record.served["same_spans"]["differ"] == 0
    assert record.f1_drop is not None
    assert record.f1_drop.points == 0.0
    assert record.time is not None
    assert record.time.sentences_per_s == 48 / 0.25
    # The latency of a served case is that of single requests, not of those under load.
    assert record.latency_ms is not None
    assert record.latency_ms.sentences == 48
    assert record.latency_ms.p50 == pytest.approx(record.served["single_ms"]["p50"]["value"], rel=0.5)
    assert_is_as_the_schema_has_it(record)


def test_a_case_that_is_not_served_says_none_of_it(session: Session) -> None:
    record = run(session, named("fp32"))

    assert record.served is None
    assert_is_as_the_schema_has_it(record)


@pytest.mark.parametrize("server", [TORCHSERVE, MOSEC])
def test_without_the_server_the_case_is_not_run(session: Session, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def start(self, *_: object) -> NoReturn:
            raise NotInstalledError("expected a package, found none")

    monkeypatch.setattr(target, "make_server", lambda *_: Missing())
    record = run(session, served_by(server))

    assert record.verdict is Verdict.NOT_RUN
    assert record.reasons == served_by(server).served.refusals()  # type: ignore[union-attr] # it is served
    assert record.served is None
    assert_is_as_the_schema_has_it(record)


@dataclass
class Interrupted(FakeStopwatch):
    """Does something behind the first round."""

    what: Callable[[], None] = lambda: None

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
        iterations: int,
    ) -> None:
        """Run two rounds, and between them what is to happen."""
        del rounds, warmup_rounds, iterations
        for step in (setup, target, teardown, self.what, setup, target):
            step()


@dataclass
class Watched:
    """A server that tells what runs, and what was sent a signal."""

    server: Server
    running: list[Running] = field(default_factory=list)
    hit: frozenset[int] = frozenset()

    def describe(self) -> dict[str, Any]:
        """Return what the server says."""
        return self.server.describe()

    @contextlib.contextmanager
    def start(self, source: Source, batching: DynamicBatching) -> Iterator[Running]:
        """Start the server."""
        with self.server.start(source, batching) as running:
            self.running.append(running)
            yield running

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes, as the kernel does when memory runs out."""
        self.hit = self.running[-1].pids()
        for pid in self.hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill it, and wait until its supervisor knows."""
        self.send(signal.SIGKILL)
        wait_until(self._is_missed, "the supervisor's word that the server is gone")

    def _is_missed(self) -> bool:
        try:
            self.running[-1].check()
        except ServerError:
            return True
        return False


needs_mosec = pytest.mark.skipif(
    importlib.util.find_spec("mosec") is None, reason="mosec is not installed: pip install 'leanner[mosec]'"
)
GONE = {
    MOSEC: "mosec is gone, its supervisor ended with status -9: ",
    TORCHSERVE: "expected a running TorchServe, found that it has ended: ",
}


def assert_ended_in_error(session: Session, case: Configuration, server: Watched, reason: str) -> None:
    record = session.records[case.name]
    assert record.verdict is Verdict.ERROR
    assert record.reasons[0].startswith(reason)
    assert_is_as_the_schema_has_it(record)
    assert len(server.hit) > 1
    wait_until(lambda: all(map(is_gone, server.hit)), "the end of the server's processes")
    (running,) = server.running
    assert not running.batch_log.exists()
    assert run(session, HERE).verdict is Verdict.RECORDED


@pytest.mark.parametrize(
    "name", [pytest.param(TORCHSERVE, marks=needs_torchserve), pytest.param(MOSEC, marks=needs_mosec)]
)
def test_a_server_that_is_killed_is_an_error_of_its_case_and_the_session_goes_on(
    session: Session, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Watched(make_server(name, 120.0))
    monkeypatch.setattr(target, "make_server", lambda *_: server)
    case = served_by(name)
    with pytest.raises(ServerError, match=GONE[name]):
        run(session, case, Interrupted(what=server.kill))

    assert_ended_in_error(session, case, server, f"ServerError: {GONE[name]}")


@needs_torchserve
def test_a_server_that_hangs_is_an_error_of_its_case_within_the_limit_of_one_request(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Watched(make_server(TORCHSERVE, 120.0))
    monkeypatch.setattr(target, "make_server", lambda *_: server)
    monkeypatch.setattr(target, "TIMEOUT_S", 2.0)
    case = served_by(TORCHSERVE)
    began_s = time.monotonic()
    with pytest.raises(ServerError, match="timeout"):
        run(session, case, Interrupted(what=partial(server.send, signal.SIGSTOP)))

    # The start, the calls before, and the patience with a server that does not end.
    assert time.monotonic() - began_s < 60.0
    assert_ended_in_error(session, case, server, "ServerError: ")


@needs_torchserve
def test_a_real_tagger_behind_torchserve_from_the_table(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_a_made_up_machine(tmp_path, monkeypatch, 4)
    with opened(tmp_path, tagger=str(shaped_file)) as session:
        record = run(session, named("torchserve-fp32-b16"))

    served = record.served
    assert served is not None
    assert served["server"]["name"] == TORCHSERVE
    assert served["batching"]["max_batch_size"] == 16
    assert served["same_spans"]["differ"] == 0
    assert served["same_spans"]["requests"] == 8
    assert served["start_s"] > 0
    assert served["tree_mb"] is None or served["tree_mb"] > 50
    side = served["server_side"]
    assert side["joined"] == served["requests"] > 0
    assert side["not_joined"] == 0
    assert sum(int(size) * number for size, number in side["sizes"].items()) == served["requests"]
    assert max(map(int, side["sizes"])) > 1
    assert_is_as_the_schema_has_it(record)
