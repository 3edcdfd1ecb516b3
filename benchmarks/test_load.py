"""Whether the load is what limits: ``pytest benchmarks/test_load.py -m load -rP``.

A server without a model, in a process of its own, is sent seventeen times what the fastest tagger does behind a server
here: about 300 requests a second. Both are Python and share the machine, so that what is seen is the least that the
load can do.
"""

from __future__ import annotations

import json

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.serving.load.generator import LoadGenerator
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.load.summary import summarise
from leanner.serving.wire import write_request
from serving.load.null_server import null_server_process


if TYPE_CHECKING:
    from leanner.serving.server import Address


pytestmark = pytest.mark.load

#: Seventeen times the requests a second of the fastest tagger behind TorchServe.
LEAST_PER_S: Final = 5_000.0

#: Requests: 20 s at that rate.
REQUESTS: Final = 100_000

BODIES: Final = [
    write_request([f"Loss of BRCA{number} is common in mice of this line, {number} of 20."], number)
    for number in range(1_000)
]


@pytest.fixture(scope="module")
def generator() -> Iterator[LoadGenerator]:
    """The process that sends."""
    with LoadGenerator(BODIES) as opened:
        yield opened


@pytest.fixture
def null() -> Iterator[Address]:
    """The server without a model."""
    with null_server_process() as address:
        yield address


def test_closed_loop(benchmark: Any, generator: LoadGenerator, null: Address) -> None:  # noqa: ANN401 - untyped
    """32 in flight: the lower end of the throughput's interval is ten times a model's."""
    indices = [number % len(BODIES) for number in range(REQUESTS)]
    driven = benchmark.pedantic(
        lambda: generator.run(null, ClosedLoop(32), indices, limit_s=120), rounds=1, iterations=1
    )
    summary = summarise(driven)
    benchmark.extra_info["load"] = summary.to_json()
    print(json.dumps(summary.to_json(), indent=1))  # noqa: T201 - shown with -rP
    assert summary.answered == REQUESTS
    assert summary.throughput_per_s.low is not None
    assert summary.throughput_per_s.low >= LEAST_PER_S


def test_open_loop(benchmark: Any, generator: LoadGenerator, null: Address) -> None:  # noqa: ANN401 - untyped
    """At ten times a model's rate every request is answered, and sent when it was due: half of them within 1 ms."""
    indices = [number % len(BODIES) for number in range(REQUESTS)]
    driven = benchmark.pedantic(
        lambda: generator.run(null, OpenLoop(LEAST_PER_S), indices, limit_s=120), rounds=1, iterations=1
    )
    summary = summarise(driven)
    benchmark.extra_info["load"] = summary.to_json()
    print(json.dumps(summary.to_json(), indent=1))  # noqa: T201 - shown with -rP
    assert summary.answered == REQUESTS
    assert summary.late_ms["p50"].high is not None
    assert summary.late_ms["p50"].high < 1.0
