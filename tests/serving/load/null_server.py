"""A server without a model: answers at once, or does what the body says a bad one would.

In this process (``null_server``), or in one of its own (``null_server_process``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import sys

from collections.abc import AsyncIterator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leanner.serving.server import Address


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#: Answers, by body; what is not here is answered with ``OK``.
ANSWERS = {
    b"empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    b"chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: 1\r\n\r\n",
    b"interim": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"overload": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    b"bad": b"HTTP/1.1 400\r\nContent-Length: 0\r\n\r\n",
    b"goodbye": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"until-end": b"HTTP/1.1 200 OK\r\n\r\nok",
    b"silent-goodbye": OK,
    b"more": OK + b"HTTP/1.1 200 OK\r\n",
    b"cut": OK[:-1],
    b"cut-head": OK[:20],
    b"cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
    b"gone": b"",
    b"reset": b"",
    b"reset-midway": OK[:-1],
    b"garbage": b"\x00\x01 this is no answer",
    b"bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    b"bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
    b"silent": b"",
}
#: Bodies after whose answer the connection ends, of which some by a reset.
ENDS = (b"goodbye", b"until-end", b"silent-goodbye", b"cut", b"cut-head", b"cut-chunk", b"gone")
RESETS = (b"reset", b"reset-midway")
#: The server's process ends.
CRASH = b"crash"


class Null(asyncio.Protocol):
    def __init__(self, server: NullServer) -> None:
        self._server = server
        self._unread = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server.connections += 1
        self._server.open.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._server.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, rest = self._unread.partition(b"\r\n\r\n")
            size = int(head.rpartition(b"Content-Length: ")[2])
            if len(rest) < size:
                return
            body, self._unread = rest[:size], rest[size:]
            self._server.heads.append(head)
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        if body == CRASH:
            os._exit(3)
        self._transport.write(ANSWERS.get(body, OK))
        if body in RESETS:
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        elif body in ENDS:
            self._transport.close()


class NullServer:
    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.open: set[Any] = set()
        self.address = Address(0, "/")


@contextlib.asynccontextmanager
async def null_server() -> AsyncIterator[NullServer]:
    """A server in this loop."""
    null = NullServer()
    server = await asyncio.get_running_loop().create_server(lambda: Null(null), "127.0.0.1", 0, backlog=4096)
    null.address = Address(server.sockets[0].getsockname()[1], "/predictions/tagger", (("Authorization", "Bearer x"),))
    try:
        yield null
    finally:
        server.close()
        while null.open:
            for transport in null.open:
                transport.abort()
            await asyncio.sleep(0)
        await server.wait_closed()


@contextlib.contextmanager
def null_server_process() -> Iterator[Address]:
    """A server in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, str(Path(__file__))], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        try:
            yield Address(int(process.stdout.readline()), "/predictions/tagger")
        finally:
            process.kill()


async def main() -> None:
    async with null_server() as null:
        sys.stdout.write(f"{null.address.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
