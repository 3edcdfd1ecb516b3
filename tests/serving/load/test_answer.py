from __future__ import annotations

import http.client
import io

from itertools import pairwise

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.serving.load.answer import Answer
from leanner.serving.load.answer import AnswerReader
from leanner.serving.load.answer import MalformedError
from serving.load.null_server import ANSWERS


class Stream:
    """What the standard library reads an answer from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def oracle(data: bytes) -> tuple[int, bytes]:
    answer = http.client.HTTPResponse(Stream(data), method="POST")  # type: ignore[arg-type] # it only makes a file of it
    answer.begin()
    return answer.status, answer.read()


def read(data: bytes, cuts: list[int]) -> Answer | None:
    """Feed an answer in parts; whole at the last one at the earliest."""
    reader = AnswerReader()
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    for begin, end in pairwise(edges):
        answer = reader.feed(data[begin:end])
        if answer is not None:
            assert end == len(data)
            return answer
    return reader.end()


def chunked(parts: list[bytes], upper: bool) -> bytes:  # noqa: FBT001 - drawn
    sizes = [f"{len(part):{'X' if upper else 'x'}}".encode() for part in parts if part]
    whole = b"".join(b"%b\r\n%b\r\n" % pair for pair in zip(sizes, filter(None, parts), strict=True))
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n" + whole + b"0\r\n\r\n"


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(st.binary(max_size=80), st.sampled_from([200, 400, 413, 503]), CUTS)
def test_a_body_of_known_length_arrives_in_whatever_parts(body: bytes, status: int, cuts: list[int]) -> None:
    data = b"HTTP/1.1 %d Some Reason\r\nServer: x\r\nCONTENT-LENGTH:%d \r\n\r\n%b" % (status, len(body), body)
    assert read(data, cuts) == Answer(status, body, keeps_open=True)
    assert oracle(data) == (status, body)


@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans(), CUTS)
def test_chunks_arrive_in_whatever_parts(parts: list[bytes], upper: bool, cuts: list[int]) -> None:  # noqa: FBT001
    data = chunked(parts, upper)
    assert read(data, cuts) == Answer(200, b"".join(parts), keeps_open=True)
    assert oracle(data) == (200, b"".join(parts))


@given(st.binary(max_size=80), CUTS)
def test_a_body_until_the_end_arrives_in_whatever_parts(body: bytes, cuts: list[int]) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n" + body
    assert read(data, cuts) == Answer(200, body, keeps_open=False)
    assert oracle(data) == (200, body)


@given(st.binary(max_size=60), CUTS)
def test_whatever_comes_is_an_answer_or_malformed_or_not_whole(data: bytes, cuts: list[int]) -> None:
    for beginning in (b"", b"HTTP/1.1 ", b"HTTP/1.1 200\r\n", b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"):
        reader = AnswerReader()
        try:
            for place in sorted(cut % 60 for cut in cuts):
                reader.feed((beginning + data)[place : place + 20])
            reader.end()
        except MalformedError as error:
            assert str(error).startswith("expected")  # noqa: PT017 - nothing else may be raised


@pytest.mark.parametrize(
    ("head", "keeps_open"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: upgrade, Close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 204 No Content", True),
    ],
)
def test_a_connection_is_kept_as_the_answer_says(head: bytes, keeps_open: bool) -> None:  # noqa: FBT001 - a parameter
    assert AnswerReader().feed(head + b"\r\n\r\n") == Answer(int(head[9:12]), b"", keeps_open)


def test_both_ways_to_say_the_length_are_not_trusted_twice() -> None:
    data = ANSWERS[b"chunked"].replace(b"Transfer", b"Content-Length: 3\r\nTransfer")
    assert AnswerReader().feed(data) == Answer(200, b"ok", keeps_open=False)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"SSH-2.0", "found b'SSH-2.0'"),
        (b"HTTP/1.1 2\r\n\r\n", "a status of three digits"),
        (b"HTTP/1.1 2000\r\n\r\n", "a status of three digits"),
        (b"HTTP/1.1 099\r\n\r\n", "a status of three digits"),
        (b"HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n", "one content length, found b'-1'"),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "one content length, found b'1, 2'"),
        (b"HTTP/1.1 200\r\nContent-Length: 99999999999\r\n\r\n", "a body of at most"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "no transfer coding but chunked"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", "the size of a chunk, found b'0x1'"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "the size of a chunk, found b''"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n", "a body of at most"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "the end of a chunk of 1 bytes, found b'b'"),
        (b"HTTP/1.1 200\r\n" + b"x" * 70_000, "within 65536 bytes"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(data: bytes, found: str) -> None:
    with pytest.raises(MalformedError, match=found):
        AnswerReader().feed(data)


@pytest.mark.parametrize("body", [b"cut", b"cut-head", b"cut-chunk", b"gone"])
def test_an_answer_that_is_cut_off_is_none(body: bytes) -> None:
    reader = AnswerReader()
    assert reader.feed(ANSWERS[body]) is None
    assert reader.end() is None
