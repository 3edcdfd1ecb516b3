"""What a client of mosec sees, and what is left behind."""

from __future__ import annotations

import json
import socket

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from leanner.corpora.texts import document_of
from leanner.serving.batch_log import read_batches
from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.mosec.server import Mosec
from leanner.serving.mosec.server import PortTakenError
from leanner.serving.mosec.server import RunningMosec
from leanner.serving.server import ServerError
from leanner.serving.source import Source
from leanner.serving.wire import read_answer
from leanner.serving.wire import write_request
from serving.mosec.client import head
from serving.mosec.client import post
from serving.mosec.client import post_all
from serving.toys import POISON
from serving.toys import make
from serving.toys import toy


pytest.importorskip("mosec", reason="mosec is not installed: pip install 'leanner[mosec]'")

QUEUE = 40
MAX_BODY_BYTES = 20_000


@pytest.fixture(scope="module")
def server() -> Iterator[RunningMosec]:
    mosec = Mosec(queue=QUEUE, max_body_bytes=MAX_BODY_BYTES)
    with mosec.start(toy(call_s=0.02), DynamicBatching(16, 5.0)) as running:
        yield running
        running.check()
        assert running.restarts == 0


def request(place: int, text: str = "PTEN fell") -> bytes:
    return write_request([text], place)


def test_spans_are_those_of_the_tagger(server: RunningMosec) -> None:
    texts = ["Loss of PTEN", "“TP53” is naïve, and 😀 IL6", ""]
    got = post(server.address, write_request(texts, "é"))
    assert got.status == 200
    assert json.loads(got.body)["id"] == "é"
    (local,) = make().tag([document_of(texts[0])])
    assert read_answer(got.body)[0] == local[0]
    assert [[(span.start, span.end) for span in found] for found in read_answer(got.body)] == [
        [(8, 12)],
        [(1, 5), (23, 26)],
        [],
    ]


def test_it_started_and_says_which_processes_it_has(server: RunningMosec) -> None:
    assert server.start_s > 0
    # supervisor, mosec's program, its server in Rust, two workers, what cleans up
    assert len(server.pids()) == 6


def test_bad_requests_of_a_batch_harm_no_other(server: RunningMosec) -> None:
    _, behind = read_batches(server.batch_log)
    bodies = [request(place, f"GENE{place}") for place in range(48)]
    wrong = {5: b"{", 11: b'{"text": 3}', 20: b"\xff\xfe", 33: b'{"id": [], "text": "a"}', 40: b"[" * 10_000}
    for place, body in wrong.items():
        bodies[place] = body
    bodies[27] = request(27, POISON)
    got = post_all(server.address, bodies, 32)
    assert [(place, each.status) for place, each in enumerate(got) if each.status != 200] == [
        *((place, 400) for place in (5, 11, 20)),
        (27, 500),
        *((place, 400) for place in (33, 40)),
    ]
    assert got[11].error == 'expected text as "text", found 3'
    assert got[27].error == "the tagger failed: RuntimeError: poisoned"
    for place in set(range(48)) - {27, *wrong}:
        assert json.loads(got[place].body)["id"] == place
        assert [span.end for span in read_answer(got[place].body)[0]] == [len(f"GENE{place}")]
    # They were in batches with others, and not by themselves.
    batches, _ = read_batches(server.batch_log, behind)
    assert sum(batch.size - len(batch.ids) for batch in batches if batch.ids) >= 3


def test_an_empty_body_is_no_request_to_mosec(server: RunningMosec) -> None:
    # a deviation: docs/mosec.md
    got = post(server.address, b"")
    assert (got.status, got.body) == (200, b"no data provided")


def test_a_body_over_the_limit_is_refused(server: RunningMosec) -> None:
    fits = request(0, "a" * (MAX_BODY_BYTES - len(request(0, ""))))
    assert len(fits) == MAX_BODY_BYTES
    assert post(server.address, fits).status == 200
    assert post(server.address, fits + b" ").status == 413


def test_of_more_than_the_queue_holds_some_are_refused_and_the_others_answered(server: RunningMosec) -> None:
    number = 4 * QUEUE
    got = post_all(server.address, [request(place) for place in range(number)], number)
    kinds = Counter(each.status for each in got)
    assert set(kinds) == {200, 429}
    assert kinds[200] >= QUEUE
    assert [json.loads(each.body)["id"] for each in got if each.status == 200] == [
        place for place, each in enumerate(got) if each.status == 200
    ]


def test_slow_clients_keep_nobody_waiting(server: RunningMosec) -> None:
    body = request(1)
    slow = [socket.create_connection(("127.0.0.1", server.address.port)) for _ in range(2 * QUEUE)]
    with ExitStack() as stack:
        for connection in slow:
            stack.enter_context(connection)
            connection.sendall(head(server.address, len(body)) + body[:5])
        assert {each.status for each in post_all(server.address, [body] * 32, 16)} == {200}
        # And each is answered when it has come to its end.
        slow[0].sendall(body[5:])
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 200")


def test_with_32_in_flight_batches_are_full(server: RunningMosec) -> None:
    _, behind = read_batches(server.batch_log)
    got = post_all(server.address, [request(place) for place in range(1600)], 32)
    assert {each.status for each in got} == {200}
    batches, _ = read_batches(server.batch_log, behind)
    assert sum(batch.size for batch in batches) == 1600
    assert max(batch.size for batch in batches) == 16
    assert sum(batch.size == 16 for batch in batches) >= 0.9 * len(batches)


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of this test, with a name that leaves room for those of sockets."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_batches_of_one_and_nothing_is_left_at_the_end(temporary: Path) -> None:
    with Mosec().start(toy(), ONE_BY_ONE) as running:
        assert len(list(temporary.iterdir())) == 1
        got = post_all(running.address, [request(0), b"{", request(2)] * 8, 8)
        assert [each.status for each in got] == [200, 400, 200] * 8
        batches, _ = read_batches(running.batch_log)
        assert [batch.size for batch in batches] == [1] * 24
        pids = running.pids()
    assert running.pids() == frozenset()
    assert pids
    assert list(temporary.iterdir()) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", running.address.port)) != 0


def test_a_port_that_is_taken_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTakenError, match=f"found {port} taken"),
            Mosec(port=port).start(toy(), ONE_BY_ONE),
        ):
            pass


def test_a_tagger_that_cannot_be_made_is_told_with_its_reason(temporary: Path) -> None:
    with (
        pytest.raises(ServerError, match="unexpected keyword argument 'colour'"),
        Mosec().start(Source("serving.toys:make", {"colour": "red"}), ONE_BY_ONE),
    ):
        pass
    assert list(temporary.iterdir()) == []
