"""A client that asks as many at once as it is told, and says of each request what became of it."""

from __future__ import annotations

import asyncio
import contextlib

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.serving.server import Address


#: Status of a request whose connection was refused or ended before the answer.
LOST = 0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


def ask(address: Address, body: bytes, *headers: tuple[str, str]) -> Reply:
    """Return what a server answers to one request."""
    return ask_all(address, [body], 1, *headers)[0]


def ask_all(address: Address, bodies: Sequence[bytes], in_flight: int, *headers: tuple[str, str]) -> list[Reply]:
    """Return the answers in order of the requests, of which so many are in flight."""
    return asyncio.run(_ask_all(address, bodies, in_flight, headers))


async def _ask_all(
    address: Address, bodies: Sequence[bytes], in_flight: int, headers: Sequence[tuple[str, str]]
) -> list[Reply]:
    replies: dict[int, Reply] = {}
    left = iter(range(len(bodies)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in (*address.headers, *headers))

    async def keep_asking() -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for place in left:
            try:
                if streams is None:
                    streams = await asyncio.open_connection("127.0.0.1", address.port)
                length = f"Content-Length: {len(bodies[place])}\r\n"
                head = f"POST {address.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}{lines}\r\n"
                streams[1].write(head.encode() + bodies[place])
                replies[place], stays = await _read(streams[0])
            except (OSError, asyncio.IncompleteReadError):
                replies[place], stays = Reply(LOST, b""), False
            if streams is not None and not stays:
                await _close(streams[1])
                streams = None
        if streams is not None:
            await _close(streams[1])

    await asyncio.gather(*(keep_asking() for _ in range(in_flight)))
    return [replies[place] for place in range(len(bodies))]


async def _read(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """Return an answer, and whether the connection stays."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Reply(int(first.split()[1]), body), headers.get("connection", "").lower() != "close" and body != b""


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
