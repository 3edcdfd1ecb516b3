"""One TorchServe, asked in many ways; what ends it is in ``test_ends``."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from leanner.serving.batch_log import read_batches
from leanner.serving.batching import DynamicBatching
from leanner.serving.handling import BatchHandler
from leanner.serving.server import Address
from leanner.serving.server import Running
from leanner.serving.torchserve.server import TorchServe
from leanner.serving.wire import write_request
from meters.waiting import wait_until
from serving.torchserve.client import Reply
from serving.torchserve.client import ask
from serving.torchserve.client import ask_all
from serving.torchserve.running import needs_torchserve
from serving.torchserve.running import worker_pids
from serving.toys import POISON
from serving.toys import make
from serving.toys import toy


pytestmark = needs_torchserve

QUEUE = 40
FULL = 16

#: What became of a request of a worker that was killed: 507 if TorchServe takes it for a lack of memory, else 500.
WORKER_DIED = {500, 507}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A TorchServe whose tagger takes 40 ms for a batch."""
    with TorchServe(queue_size=QUEUE).start(toy(call_s=0.04), DynamicBatching(FULL, 5.0)) as started:
        yield started


def requests(number: int) -> list[bytes]:
    return [write_request([f"GENE{place} fell", "nothing", f"so did TP{place}"], place) for place in range(number)]


def bodies(replies: list[Reply]) -> list[bytes]:
    return [reply.body for reply in replies]


def local(body: bytes) -> bytes:
    """Return what the same tagger answers in this process."""
    return BatchHandler(make())([body])[0].body


def test_what_is_served_is_what_the_tagger_finds_here(running: Running) -> None:
    asked = [*requests(30), json.dumps({"text": "Loss of PTEN. TP53 rose.", "id": "α"}).encode()]
    replies = ask_all(running.address, asked, 8)
    assert [reply.status for reply in replies] == [200] * 31
    assert bodies(replies) == [local(body) for body in asked]


def test_a_body_is_read_whatever_type_it_is_said_to_have(running: Running) -> None:
    asked = write_request(["PTEN fell"])
    for said in ("application/json", "text/plain; charset=latin-1", "application/octet-stream"):
        assert ask(running.address, asked, ("Content-Type", said)) == Reply(200, local(asked))
    assert ask(running.address, asked, ("Content-Type", "application/x-www-form-urlencoded")).status == 400


def test_what_is_wrong_with_a_request_harms_no_other_of_its_batch(running: Running) -> None:
    good = requests(12)
    wrong = [b"{", b"", b'{"sentences": "a"}', write_request([POISON])]
    _, before = read_batches(running.batch_log)
    replies = ask_all(running.address, [*good, *wrong], 16)
    assert [reply.status for reply in replies] == [200] * 12 + [400, 400, 400, 500]
    assert bodies(replies) == [local(body) for body in (*good, *wrong)]
    batches, _ = read_batches(running.batch_log, before)
    assert max(batch.size for batch in batches) > 1


def test_a_body_that_is_too_long_is_refused(running: Running) -> None:
    empty = len(write_request([""]))
    assert ask(running.address, write_request(["x" * (65_536 - empty)])).status == 200
    assert ask(running.address, write_request(["x" * (65_537 - empty)])).status == 413
    assert ask(running.address, requests(1)[0]).status == 200


def test_a_wrong_token_is_refused(running: Running) -> None:
    _, before = read_batches(running.batch_log)
    for headers in ((), (("Authorization", "Bearer wrong"),)):
        refused = ask(dataclasses.replace(running.address, headers=headers), requests(1)[0])
        assert refused.status == 400
        assert b"Token" in refused.body
    assert read_batches(running.batch_log, before)[0] == []


def test_it_listens_on_loopback_only(running: Running) -> None:
    listening = listening_at(running)
    assert {address for address, _ in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(listening) == 5


def test_management_wants_a_token_too(running: Running) -> None:
    told = (running.batch_log.parent / "config.properties").read_text()
    port = int(re.search(r"management_address=http://127.0.0.1:(\d+)", told)[1])  # type: ignore[index] # it is there
    for headers in ((), running.address.headers):
        refused = ask(Address(port, "/models/tagger", headers), b"")
        assert refused.status == 400
        assert b"Token" in refused.body


def listening_at(running: Running) -> set[tuple[str, int]]:
    connections = [each for pid in running.pids() for each in psutil.Process(pid).net_connections("inet")]
    return {(each.laddr.ip, each.laddr.port) for each in connections if each.status == psutil.CONN_LISTEN}


def test_full_batches_form_at_32_in_flight(running: Running) -> None:
    ask_all(running.address, requests(160), 32)  # Java compiles what it runs
    _, before = read_batches(running.batch_log)
    replies = ask_all(running.address, requests(640), 32)
    assert {reply.status for reply in replies} == {200}
    batches, _ = read_batches(running.batch_log, before)
    sizes = Counter(batch.size for batch in batches)
    assert max(sizes) == FULL
    assert sizes[FULL] >= 0.9 * len(batches), sizes


def test_what_the_queue_does_not_hold_is_refused_and_all_else_answered(running: Running) -> None:
    asked = requests(300)
    replies = ask_all(running.address, asked, 300)
    statuses = Counter(reply.status for reply in replies)
    assert set(statuses) == {200, 503}
    assert statuses[200] >= QUEUE
    for body, reply in zip(asked, replies, strict=True):
        if reply.status == 200:
            assert reply.body == local(body)
    assert ask(running.address, asked[0]).status == 200


def test_a_slow_client_keeps_no_other_waiting(running: Running) -> None:
    body = requests(1)[0]
    (name, value), path = running.address.headers[0], running.address.path
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: {value}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", running.address.port), timeout=60.0) for _ in range(8)]
    for each in slow:
        each.sendall(head + body[:10])
    _, before = read_batches(running.batch_log)
    assert {reply.status for reply in ask_all(running.address, requests(64), 16)} == {200}
    assert sum(batch.size for batch in read_batches(running.batch_log, before)[0]) == 64
    for each in slow:
        each.sendall(body[10:])
    for each in slow:
        assert each.recv(65536).startswith(b"HTTP/1.1 200")
        each.close()


def test_workers_have_the_threads_that_this_process_has(running: Running) -> None:
    (worker,) = worker_pids(running.pids())
    environ = dict(line.split("=", 1) for line in Path(f"/proc/{worker}/environ").read_text().split("\0") if line)
    assert environ.get("OMP_NUM_THREADS") == os.environ.get("OMP_NUM_THREADS")


def test_of_a_worker_that_is_killed_each_request_is_answered_or_failed(running: Running) -> None:
    (worker,) = worker_pids(running.pids())
    _, before = read_batches(running.batch_log)
    os.kill(worker, signal.SIGSTOP)
    replies = ask_all_while(running, worker)
    statuses = Counter(reply.status for reply in replies)
    assert set(statuses) <= {200, *WORKER_DIED}, statuses
    assert statuses[200] > 0
    assert 0 < len(replies) - statuses[200] <= 2 * FULL
    batches, _ = read_batches(running.batch_log, before)
    tagged = Counter(name for batch in batches for name in batch.ids)
    answered = [json.loads(reply.body)["id"] for reply in replies if reply.status == 200]
    assert len(set(answered)) == len(answered) == statuses[200]
    assert all(tagged[name] == 1 for name in answered)
    running.check()
    assert worker not in running.pids()
    assert len(worker_pids(running.pids())) == 1


def ask_all_while(running: Running, stopped: int) -> list[Reply]:
    """Ask more than a batch of a worker that is stopped, and kill it once a batch waits for it."""
    import threading

    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.extend(ask_all(running.address, requests(36), 36)))
    thread.start()
    wait_until(lambda: connected(running) >= 36, "36 requests")
    os.kill(stopped, signal.SIGKILL)
    thread.join()
    return replies


def connected(running: Running) -> int:
    """Return how many clients are connected."""
    connections = [each for pid in running.pids() for each in psutil.Process(pid).net_connections("inet")]
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == running.address.port for each in connections
    )
