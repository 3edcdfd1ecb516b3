"""Reads an HTTP/1.1 answer, in whatever parts it comes (RFC 9112, section 6)."""

from __future__ import annotations

import string

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final


#: Bytes of a head, of a chunk's first line, and of a body, at most.
_MOST_HEAD_B: Final = 1 << 16
_MOST_LINE_B: Final = 1 << 12
_MOST_BODY_B: Final = 1 << 26

_BEGINS: Final = b"HTTP/1."
_HEX: Final = frozenset(string.hexdigits.encode())
_WITHOUT_BODY: Final = (204, 304)


class MalformedError(ValueError):
    """What came is no answer; the message says what was expected and found."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: Of HTTP.
        body: Decoded from chunks, if it came in such.
        keeps_open: Whether the connection can take another request.
    """

    status: int
    body: bytes
    keeps_open: bool


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    length: int | None
    chunked: bool
    keeps_open: bool


class AnswerReader:
    """Reads one answer."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._ended = False
        self._reading = self._read()
        next(self._reading)

    def feed(self, data: bytes) -> Answer | None:
        """Take what came next; returns the answer once it is whole.

        Raises:
            MalformedError: It cannot become one.
        """
        self._unread += data
        return self._go_on()

    def end(self) -> Answer | None:
        """Take note that no more will come; returns the answer if that is what its end is marked by.

        Raises:
            MalformedError: It cannot become one.
        """
        self._ended = True
        return self._go_on()

    def _go_on(self) -> Answer | None:
        try:
            next(self._reading)
        except StopIteration as done:
            answer: Answer = done.value
            return answer
        return None

    def _read(self) -> Generator[None, None, Answer]:
        yield
        while True:
            head = _read_head((yield from self._until(b"\r\n\r\n", _MOST_HEAD_B, _BEGINS)))
            if head.status >= 200:  # those below come ahead of the answer
                break
        keeps_open = head.keeps_open
        if head.status in _WITHOUT_BODY:
            body = b""
        elif head.chunked:
            body = yield from self._chunks()
        elif head.length is not None:
            body = yield from self._exactly(head.length)
        else:
            body, keeps_open = (yield from self._rest()), False
        return Answer(head.status, body, keeps_open and not self._unread)

    def _until(self, mark: bytes, most: int, begins: bytes = b"") -> Generator[None, None, bytes]:
        looked = 0
        while (place := self._unread.find(mark, looked)) < 0:
            if not begins.startswith(self._unread[: len(begins)]):
                break
            if len(self._unread) > most:
                raise MalformedError(f"expected {mark!r} within {most} bytes, found {bytes(self._unread[:60])!r}")
            looked = max(0, len(self._unread) - len(mark) + 1)
            yield
        if not self._unread.startswith(begins):
            raise MalformedError(f"expected {begins!r} and a status, found {bytes(self._unread[:60])!r}")
        return self._take(place, len(mark))

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        _check_size(size)
        while len(self._unread) < size:
            yield
        return self._take(size)

    def _rest(self) -> Generator[None, None, bytes]:
        while not self._ended:
            _check_size(len(self._unread))
            yield
        return self._take(len(self._unread))

    def _chunks(self) -> Generator[None, None, bytes]:
        body = bytearray()
        while True:
            line = yield from self._until(b"\r\n", _MOST_LINE_B)
            digits = line.partition(b";")[0].strip()
            if not digits or not _HEX.issuperset(digits):
                raise MalformedError(f"expected the size of a chunk, found {line[:60]!r}")
            size = int(digits, 16)
            if size == 0:
                break
            _check_size(len(body) + size)
            body += yield from self._exactly(size)
            if ends := (yield from self._until(b"\r\n", _MOST_LINE_B)):
                raise MalformedError(f"expected the end of a chunk of {size} bytes, found {ends[:60]!r}")
        while (yield from self._until(b"\r\n", _MOST_LINE_B)):
            pass  # trailers, of which none was asked for
        return bytes(body)

    def _take(self, size: int, mark: int = 0) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[: size + mark]
        return taken


def _read_head(head: bytes) -> _Head:
    first, *lines = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    status = rest[:3]
    if not (len(status) == 3 and status.isdigit() and rest[3:4] in (b"", b" ") and status >= b"100"):
        raise MalformedError(f"expected a status of three digits, found {first[:60]!r}")
    found: dict[bytes, list[bytes]] = {b"content-length": [], b"transfer-encoding": [], b"connection": []}
    for line in lines:
        name, _, value = line.lower().partition(b":")
        if name in found:
            found[name] += [part.strip() for part in value.split(b",")]
    lengths, codings, options = found.values()
    if codings not in ([], [b"chunked"]):
        raise MalformedError(f"expected no transfer coding but chunked, found {b', '.join(codings)!r}")
    if lengths and not (len(set(lengths)) == 1 and lengths[0].isdigit()):
        raise MalformedError(f"expected one content length, found {b', '.join(lengths)!r}")
    keeps_open = b"close" not in options if version == b"HTTP/1.1" else b"keep-alive" in options
    # Both at once may be an answer within another (RFC 9112, section 6.3): nothing behind it is trusted.
    keeps_open = keeps_open and not (codings and lengths)
    return _Head(int(status), int(lengths[0]) if lengths else None, bool(codings), keeps_open)


def _check_size(size: int) -> None:
    if size > _MOST_BODY_B:
        raise MalformedError(f"expected a body of at most {_MOST_BODY_B} bytes, found {size} or more")
