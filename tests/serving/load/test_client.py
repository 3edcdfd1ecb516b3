from __future__ import annotations

import asyncio
import socket

from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.serving.load import client as clients
from leanner.serving.load.client import Client
from leanner.serving.load.outcome import CLOSED
from leanner.serving.load.outcome import EXHAUSTED
from leanner.serving.load.outcome import MALFORMED
from leanner.serving.load.outcome import REFUSED
from leanner.serving.load.outcome import RESET
from leanner.serving.load.outcome import TIME_LIMIT
from leanner.serving.load.outcome import TIMEOUT
from leanner.serving.load.outcome import Outcome
from leanner.serving.load.outcome import SendError
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.scenarios import Offline
from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.load.scenarios import Scenario
from leanner.serving.load.scenarios import run
from leanner.serving.server import Address
from serving.load.null_server import ANSWERS
from serving.load.null_server import NullServer
from serving.load.null_server import null_server


#: What becomes of a request with each body.
BECOMES: dict[bytes, int | str] = {
    b"ok": 200,
    b"empty": 204,
    b"chunked": 200,
    b"interim": 200,
    b"overload": 503,
    b"bad": 400,
    b"goodbye": 200,
    b"until-end": 200,
    b"silent-goodbye": 200,
    b"more": 200,
    b"cut": CLOSED,
    b"cut-head": CLOSED,
    b"cut-chunk": CLOSED,
    b"gone": CLOSED,
    b"reset": RESET,
    b"reset-midway": RESET,
    b"garbage": MALFORMED,
    b"bad-length": MALFORMED,
    b"bad-chunk": MALFORMED,
}
SCENARIOS: tuple[Scenario, ...] = (Offline(), Offline(3), ClosedLoop(1), ClosedLoop(4), OpenLoop(5_000.0, 1))


def drive(
    bodies: Sequence[bytes], scenario: Scenario, limit_s: float = 60.0, timeout_s: float = 60.0
) -> tuple[list[Outcome], NullServer]:
    async def driven() -> tuple[list[Outcome], NullServer]:
        async with null_server() as server, Client(server.address, timeout_s) as client:
            return await run(scenario, client.send, bodies, range(len(bodies)), limit_s=limit_s), server

    return asyncio.run(driven())


def asked(ask: Callable[[Client, NullServer], Awaitable[None]], timeout_s: float = 60.0) -> NullServer:
    async def asking() -> NullServer:
        async with null_server() as server, Client(server.address, timeout_s) as client:
            await ask(client, server)
            return server

    return asyncio.run(asking())


def test_each_answer_is_known() -> None:
    assert set(ANSWERS) | {b"ok"} == set(BECOMES) | {b"silent"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(list(BECOMES)), max_size=24), st.sampled_from(SCENARIOS))
def test_every_request_has_the_one_outcome_that_it_should(bodies: list[bytes], scenario: Scenario) -> None:
    outcomes, server = drive(bodies, scenario)
    assert [outcome.index for outcome in outcomes] == list(range(len(bodies)))
    assert [outcome.error or outcome.status for outcome in outcomes] == [BECOMES[body] for body in bodies]
    assert len(server.heads) == len(bodies), "each is sent once, and none twice"
    for outcome in outcomes:
        assert outcome.intended_ns is not None
        assert outcome.sent_ns is not None
        assert outcome.intended_ns <= outcome.sent_ns <= outcome.ended_ns
        assert (outcome.status is None) == (outcome.body is None) == (outcome.error is not None)


def test_a_connection_takes_the_next_request() -> None:
    _, server = drive([b"ok", b"chunked", b"overload", b"empty", b"interim"] * 4, ClosedLoop(1))
    assert server.connections == 1


@pytest.mark.parametrize("body", [b"goodbye", b"until-end", b"silent-goodbye", b"more"])
def test_a_connection_that_has_ended_takes_no_other(body: bytes) -> None:
    outcomes, server = drive([body, b"ok"] * 4, ClosedLoop(1))
    assert [outcome.status for outcome in outcomes] == [200] * 8
    assert server.connections == 5


def test_a_request_is_a_post_with_the_servers_headers() -> None:
    _, server = drive([b"ok"], Offline())
    first, *headers = server.heads[0].decode().split("\r\n")
    assert first == "POST /predictions/tagger HTTP/1.1"
    assert headers == [
        f"Host: 127.0.0.1:{server.address.port}",
        "Authorization: Bearer x",
        "Content-Type: application/json",
        "Content-Length: 2",
    ]


def test_the_address_may_say_another_type() -> None:
    async def ask(_: Client, server: NullServer) -> None:
        typed = replace(server.address, headers=(("content-type", "text/plain"),))
        async with Client(typed) as client:
            assert await client.send(b"ok") == (200, b"ok")

    assert asked(ask).heads[0].lower().count(b"content-type") == 1


@pytest.mark.parametrize("address", [Address(1, "/x\r\nHost: y"), Address(1, "/", (("X", "1\n2"),))])
def test_an_address_breaks_no_line(address: Address) -> None:
    with pytest.raises(ValueError, match="headers of a line each"):
        Client(address)


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        async def driven() -> list[Outcome]:
            async with Client(Address(taken.getsockname()[1], "/")) as client:
                return await run(Offline(), client.send, [b"ok"] * 3, range(3), limit_s=60.0)

        outcomes = asyncio.run(driven())
    assert [outcome.error for outcome in outcomes] == [REFUSED] * 3


def test_an_answer_that_does_not_come_is_a_timeout_and_its_connection_is_not_used_again() -> None:
    async def ask(client: Client, _: NullServer) -> None:
        with pytest.raises(SendError) as failed:
            await client.send(b"silent")
        assert failed.value.kind == TIMEOUT
        assert str(failed.value) == "timeout: no whole answer within 0.05 s"

    assert asked(ask, timeout_s=0.05).connections == 1


def test_a_server_that_is_silent_ends_with_the_run() -> None:
    outcomes, _ = drive([b"silent"] * 5, ClosedLoop(2), limit_s=0.2)
    assert [outcome.error for outcome in outcomes] == [TIME_LIMIT] * 5
    assert [outcome.sent_ns is None for outcome in outcomes] == [False, False, True, True, True]


def test_descriptors_that_run_out_are_the_loads_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object) -> None:
        raise OSError(24, "Too many open files")

    async def ask(client: Client, _: NullServer) -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", none)
        with pytest.raises(SendError) as failed:
            await client.send(b"ok")
        assert failed.value.kind == EXHAUSTED

    asked(ask)


def test_another_error_of_the_system_has_its_name() -> None:
    assert clients._kind(OSError(113, "No route to host")) == "os-ehostunreach"


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_timeout_is_positive(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="a timeout of more than 0 s"):
        Client(Address(1, "/"), timeout_s)


def test_a_large_body_arrives() -> None:
    outcomes, server = drive([b"x" * 3_000_000] * 2, ClosedLoop(1))
    assert [outcome.status for outcome in outcomes] == [200, 200]
    assert server.heads[0].endswith(b"Content-Length: 3000000")
