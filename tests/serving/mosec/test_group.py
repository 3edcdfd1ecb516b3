from __future__ import annotations

import os
import socket

from collections.abc import Iterator

import pytest

from leanner.serving.mosec.group import listens


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def port_of(made: socket.socket) -> int:
    port: int = made.getsockname()[1]
    return port


def test_a_process_of_the_session_listens(listener: socket.socket) -> None:
    assert listens(os.getsid(0), port_of(listener))


def test_a_port_that_nobody_has_is_not_listened_on(listener: socket.socket) -> None:
    port = port_of(listener)
    listener.close()

    assert not listens(os.getsid(0), port)


def test_the_listener_of_another_session_does_not_count(listener: socket.socket) -> None:
    # Naive: whoever accepts a connection on the port is taken for the server.
    assert not listens(1 if os.getsid(0) != 1 else 2, port_of(listener))
