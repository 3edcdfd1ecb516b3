"""A client that keeps many requests in flight: one thread, so that it is not what the server waits for."""

from __future__ import annotations

import json
import selectors
import socket

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.serving.server import Address


OnAnswer = Callable[[int], None]


@dataclass(frozen=True)
class Got:
    """An answer; ``status`` is 0 where the connection ended without one."""

    status: int
    body: bytes

    @property
    def error(self) -> str:
        text: str = json.loads(self.body)["error"]
        return text


def head(address: Address, size: int) -> bytes:
    lines = [f"POST {address.path} HTTP/1.1", "Host: localhost", f"Content-Length: {size}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in address.headers), "", ""]).encode()


def post(address: Address, body: bytes) -> Got:
    return post_all(address, [body], 1)[0]


def post_all(
    address: Address, bodies: Sequence[bytes], in_flight: int, on_answer: OnAnswer = lambda _: None
) -> list[Got]:
    """Return an answer for each body, in order; ``on_answer`` is told how many there are by now."""
    with selectors.DefaultSelector() as selector:
        run = _Run(address, bodies, on_answer, selector)
        for _ in range(min(in_flight, len(bodies))):
            run.send_next(None)
        while selector.get_map():
            ready = selector.select(60)
            assert ready, f"no answer for 60 s, {len(bodies) - len(run.got)} requests are without one"
            for key, _ in ready:
                run.receive(key)
    return [run.got[place] for place in range(len(bodies))]


class _Run:
    def __init__(
        self, address: Address, bodies: Sequence[bytes], on_answer: OnAnswer, selector: selectors.BaseSelector
    ) -> None:
        self.got: dict[int, Got] = {}
        self._address = address
        self._left = list(enumerate(bodies))[::-1]
        self._on_answer = on_answer
        self._selector = selector

    def send_next(self, connection: socket.socket | None) -> None:
        """Send the next body over a connection that is free, or over a new one."""
        while self._left:
            place, body = self._left.pop()
            try:
                if connection is None:
                    connection = socket.create_connection(("127.0.0.1", self._address.port), timeout=10)
                connection.sendall(head(self._address, len(body)) + body)
            except OSError:
                _close(connection)
                connection = None
                self._answered(place, Got(0, b""))
                continue
            self._selector.register(connection, selectors.EVENT_READ, (place, bytearray()))
            return
        _close(connection)

    def receive(self, key: selectors.SelectorKey) -> None:
        """Take what there is of an answer; if that is all of it, send the next body."""
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        place, part = key.data
        try:
            more = connection.recv(65536)
        except OSError:
            more = b""
        part += more
        whole = _answer(bytes(part))
        if whole is None and more:
            return
        self._selector.unregister(connection)
        self._answered(place, whole or Got(0, b""))
        if whole is None:
            connection.close()
        self.send_next(None if whole is None else connection)

    def _answered(self, place: int, what: Got) -> None:
        assert place not in self.got, "a request was answered twice"
        self.got[place] = what
        self._on_answer(len(self.got))


def _close(connection: socket.socket | None) -> None:
    if connection is not None:
        connection.close()


def _answer(part: bytes) -> Got | None:
    before, end, body = part.partition(b"\r\n\r\n")
    if not end:
        return None
    status, *headers = before.decode().split("\r\n")
    size = next(int(line.partition(":")[2]) for line in headers if line.lower().startswith("content-length:"))
    return Got(int(status.split()[1]), body) if len(body) >= size else None
