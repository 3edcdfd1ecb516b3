"""Throughput and latency over batch size and delay: ``pytest benchmarks -m sweep -rP``, some minutes.

The batcher of this process serves one configuration in batches of 1 to 32 that wait for 0 to 20 ms, with 4 and with
32 requests in flight. Cells are measured in an order drawn once, so that what drifts lies in no row. A batch of one is
full at once: its cells differ by chance alone, and show how much that is. ``leanner-results/sweep.json`` has all cells,
for a heat map; the table that is printed has less.
"""

from __future__ import annotations

import itertools
import json
import random

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.atomic import write_atomically
from leanner.configurations import BASELINE
from leanner.configurations import named
from leanner.corpora.load import load_corpus
from leanner.measure.served.tagger import Requests
from leanner.measure.served.target import open_target
from leanner.measure.served.worker import source_of
from leanner.serving.batch_log import read_batches
from leanner.serving.batching import DynamicBatching
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.summary import server_side
from leanner.serving.load.summary import summarise
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import Serving


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.measure.session import Session
    from leanner.serving.source import Source
    from leanner.taggers.protocol import Tagger


pytestmark = pytest.mark.sweep

SIZES: Final = (1, 4, 8, 16, 32)
DELAYS_MS: Final = (0.0, 1.0, 5.0, 20.0)
IN_FLIGHT: Final = (4, 32)
#: Of a cell: as few as have an interval.
REQUESTS: Final = 200
WARM_UP: Final = 32
LIMIT_S: Final = 300.0


@pytest.fixture(scope="module")
def cells(request: pytest.FixtureRequest) -> Iterator[list[dict[str, Any]]]:
    """The cells of all configurations, which are written at the end."""
    found: list[dict[str, Any]] = []
    yield found
    path = request.config.rootpath / "leanner-results" / "sweep.json"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, json.dumps({"server": IN_PROCESS, "cells": found}, indent=1, allow_nan=False).encode())


def measure(
    tagger: Tagger, source: Source, batching: DynamicBatching, in_flight: int, requests: Requests
) -> dict[str, Any]:
    """Return what was seen of one cell."""
    indices = [place % len(requests.texts) for place in range(REQUESTS)]
    with open_target(Serving(IN_PROCESS, batching), source, tagger, requests.bodies) as target:
        target.drive(ClosedLoop(in_flight), indices[:WARM_UP], limit_s=LIMIT_S)
        _, offset = read_batches(target.batch_log)
        driven = target.drive(ClosedLoop(in_flight), indices, limit_s=LIMIT_S)
        batches, _ = read_batches(target.batch_log, offset)
    assert max(batch.size for batch in batches) <= batching.max_batch_size
    client = summarise(driven)
    assert client.answered == REQUESTS
    server = server_side(driven.outcomes, range(len(requests.texts)), batches, batching.max_batch_size)
    assert server.not_joined == 0
    return {
        "in_flight": in_flight,
        "batching": batching.describe(),
        "throughput_per_s": client.throughput_per_s.to_json(),
        "latency_ms": {name: client.latency_ms[name].to_json() for name in ("p50", "p99")},
        "mean_batch": REQUESTS / server.batches,
        "full_share": server.full_share,
    }


def shown(found: Sequence[dict[str, Any]], in_flight: int) -> str:
    """Return throughput and latency of each cell: a row for each size, a column for each delay."""
    by_place = {
        (cell["batching"]["max_batch_size"], cell["batching"]["max_batch_delay_ms"]): cell
        for cell in found
        if cell["in_flight"] == in_flight
    }
    lines = [
        f"{in_flight} in flight: requests/s, p50/p99 ms",
        f"{'batch':>8}" + "".join(f"{f'{delay_ms:g} ms':>24}" for delay_ms in DELAYS_MS),
    ]
    for size in SIZES:
        texts = []
        for delay_ms in DELAYS_MS:
            cell = by_place[size, delay_ms]
            p50, p99 = (cell["latency_ms"][name]["value"] for name in ("p50", "p99"))
            texts.append(f"{cell['throughput_per_s']['value']:.1f}, {p50:.0f}/{p99:.0f}")
        lines.append(f"{size:>8}" + "".join(f"{text:>24}" for text in texts))
    return "\n".join(lines)


@pytest.mark.parametrize("name", [BASELINE, "lean-int8-static-prefix-ffn-ls-50"])
def test_over_batch_size_and_delay(
    name: str,
    cells: list[dict[str, Any]],
    leanner_session: Session,
    benchmark: Any,  # noqa: ANN401 - untyped
) -> None:
    """Every request of every cell is answered, and no batch is larger than it may be."""
    tagger = leanner_session.tagger("cpu")
    configuration = named(name)
    for step in configuration.passes:
        tagger = step(tagger)
    source = source_of(configuration, leanner_session.options, "cpu")
    requests = Requests.of(itertools.islice(load_corpus(["bundled"]), 100))
    places = list(itertools.product(IN_FLIGHT, SIZES, DELAYS_MS))
    random.Random(0).shuffle(places)  # noqa: S311 - nothing is kept secret

    def sweep() -> list[dict[str, Any]]:
        return [
            {"configuration": name, **measure(tagger, source, DynamicBatching(size, delay_ms), in_flight, requests)}
            for in_flight, size, delay_ms in places
        ]

    found = benchmark.pedantic(sweep, rounds=1, iterations=1)
    cells.extend(found)
    print(name, *(shown(found, in_flight) for in_flight in IN_FLIGHT), sep="\n")  # noqa: T201 - shown with -rP
    assert len(found) == len(places)
