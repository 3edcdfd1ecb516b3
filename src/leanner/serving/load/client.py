"""A client that sends one request after the other over each of its connections, as many at once as it is asked to.

asyncio's protocols and no library: where httpx reached 289 requests a second, a server without a model answers
thousands. Nothing is sent twice: what a server has lost would be hidden by it.
"""

from __future__ import annotations

import asyncio
import errno
import select

from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Self

from leanner.serving.load.answer import Answer
from leanner.serving.load.answer import AnswerReader
from leanner.serving.load.answer import MalformedError
from leanner.serving.load.outcome import CLOSED
from leanner.serving.load.outcome import EXHAUSTED
from leanner.serving.load.outcome import MALFORMED
from leanner.serving.load.outcome import REFUSED
from leanner.serving.load.outcome import RESET
from leanner.serving.load.outcome import TIMEOUT
from leanner.serving.load.outcome import SendError


if TYPE_CHECKING:
    from leanner.serving.server import Address


_HOST: Final = "127.0.0.1"
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)


class Client:
    """Sends bodies to a server; use as a context manager.

    Args:
        address: Where to. A ``Content-Type`` of it takes the place of JSON's.
        timeout_s: Seconds until an answer must be whole, connecting included.

    Raises:
        ValueError: The address has a line break, or the timeout is not positive.
    """

    def __init__(self, address: Address, timeout_s: float = 30.0) -> None:
        if not timeout_s > 0:
            raise ValueError(f"expected a timeout of more than 0 s, found {timeout_s}")
        self._port = address.port
        self._head = _head(address)
        self._timeout_s = timeout_s
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()

    async def send(self, body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the answer.

        Raises:
            SendError: There is none.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = self._take() or await self._connect()
                return await self._ask(connection, body)
        except TimeoutError:
            raise SendError(TIMEOUT, f"no whole answer within {self._timeout_s:g} s") from None
        except OSError as error:
            raise SendError(_kind(error), str(error)) from error

    async def close(self) -> None:
        """End all connections."""
        while self._open:
            for connection in self._open:
                connection.abort()
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: _Connection(self._open), _HOST, self._port))[1]

    def _take(self) -> _Connection | None:
        # The one used last comes first: it is the least likely to have been ended by the server.
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    async def _ask(self, connection: _Connection, body: bytes) -> tuple[int, bytes]:
        answer = None
        try:
            answer = await connection.ask(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        finally:
            if answer is not None and answer.keeps_open and connection.is_drained():
                self._idle.append(connection)
            else:
                connection.abort()
        return answer.status, answer.body


class _Connection(asyncio.Protocol):
    """A connection with at most one request under way.

    Args:
        every: Connections that are open, which it puts itself in and out of.
    """

    def __init__(self, every: set[_Connection]) -> None:
        self._every = every
        self._transport: Any = None
        self._arrivals = select.poll()
        self._reader = AnswerReader()
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Return the answer.

        Raises:
            SendError: There is none.
        """
        if self._transport.is_closing():
            raise SendError(CLOSED, "the connection ended before the request was sent")
        self._reader = AnswerReader()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def is_quiet(self) -> bool:
        """Say whether nothing has come since the last answer, neither bytes nor the end, read or not."""
        return not (self._transport.is_closing() or self._arrivals.poll(0))

    def is_drained(self) -> bool:
        """Say whether the whole request has left."""
        return not (self._transport.is_closing() or self._transport.get_write_buffer_size())

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._arrivals.register(transport.get_extra_info("socket"), select.POLLIN)
        self._every.add(self)

    def data_received(self, data: bytes) -> None:
        """Go on with the answer; what nobody has asked for ends the connection."""
        if self._answer is None or self._answer.done():
            self.abort()
            return
        try:
            answer = self._reader.feed(data)
        except MalformedError as error:
            self._answer.set_exception(SendError(MALFORMED, str(error)))
        else:
            if answer is not None:
                self._answer.set_result(answer)

    def eof_received(self) -> None:
        """Take what has come as the answer, if that is what its end is marked by."""
        if self._answer is None or self._answer.done():
            return
        answer = self._reader.end()
        if answer is None:
            self._answer.set_exception(SendError(CLOSED, "the connection ended before the answer did"))
        else:
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._every.discard(self)
        if self._answer is None or self._answer.done():
            return
        kind = _kind(exc) if isinstance(exc, OSError) else CLOSED
        self._answer.set_exception(SendError(kind, str(exc or "the connection ended before the answer did")))


def _head(address: Address) -> bytes:
    """Return what comes ahead of the length of the body."""
    named = {name.lower() for name, _ in address.headers}
    typed = () if "content-type" in named else (("Content-Type", "application/json"),)
    lines = [f"POST {address.path} HTTP/1.1", f"Host: {_HOST}:{address.port}"]
    lines += [f"{name}: {value}" for name, value in (*address.headers, *typed)]
    if any(mark in line for line in lines for mark in "\r\n"):
        raise ValueError(f"expected a path and headers of a line each, found {lines}")
    return "".join(f"{line}\r\n" for line in (*lines, "Content-Length: ")).removesuffix("\r\n").encode("latin-1")


def _kind(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return RESET
    if error.errno in _EXHAUSTED:
        return EXHAUSTED
    return f"os-{errno.errorcode.get(error.errno or 0, 'unknown').lower()}"
