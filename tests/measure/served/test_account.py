from __future__ import annotations

import contextlib
import json
import os

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from jsonschema import Draft202012Validator

from leanner.configurations import Configuration
from leanner.measure.served.account import REGROUPED
from leanner.measure.served.account import Service
from leanner.measure.served.account import median_of_rounds
from leanner.measure.served.account import other_batches
from leanner.measure.served.account import same_spans
from leanner.measure.served.account import tree_mb
from leanner.measure.served.tagger import Requests
from leanner.measure.served.tagger import ServedTagger
from leanner.measure.served.target import open_target
from leanner.meters import open_meter
from leanner.report.schema import schema
from leanner.serving.batching import DynamicBatching
from leanner.serving.load.interval import Estimate
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import Serving
from leanner.serving.wire import read_request
from leanner.serving.wire import write_answer
from measure.fakes import options
from measure.served.made import AtOnce
from measure.served.made import Crowded
from measure.served.made import Toy
from measure.served.made import document
from measure.served.made import made_up
from serving.toys import toy


if TYPE_CHECKING:
    from leanner.types import Document


BATCHED = Configuration("made-up", "served", served=Serving(IN_PROCESS, DynamicBatching(4, 50.0)))


@contextlib.contextmanager
def service(documents: list[Document], local: Toy | None = None) -> Iterator[Service]:
    """Serve a toy in this process."""
    tagger, requests = local or Toy(), Requests.of(documents)
    assert BATCHED.served is not None
    with open_target(BATCHED.served, toy(), tagger, requests.bodies) as here:
        yield Service(BATCHED, ServedTagger(tagger, here, requests))


def tag(of: Service, documents: list[Document]) -> None:
    list(of.tagger.tag(documents))


def test_a_service_is_described_as_the_schema_has_it() -> None:
    documents = made_up(32)
    with service(documents) as served:
        tag(served, documents)
        served.begin_rounds()
        for _ in range(10):
            tag(served, documents)
        served.end_rounds()
        with open_meter("off") as meter:
            found = dict(served.describe([2.0, 3.0, 4.0], options(), meter, say=print))

    Draft202012Validator({"$ref": "#/$defs/Served", "$defs": schema()["$defs"]}).validate(
        json.loads(json.dumps(found, allow_nan=False))
    )
    assert found["server"]["name"] == IN_PROCESS
    assert found["batching"] == {"max_batch_size": 4, "max_batch_delay_ms": 50.0, "by_length": False}
    assert found["load"] == {"name": "closed-loop", "in_flight": 32}
    assert found["requests"] == 320
    assert found["single_ms"]["p50"]["value"] == 3.0
    assert found["latency_ms"]["p99"]["value"] >= found["latency_ms"]["p50"]["value"] > 0
    assert (found["start_s"], found["tree_mb"], found["slo"]) == (None, None, None)
    assert found["same_spans"] == {
        "batches": len(served.of_all[0].batches),
        "requests": 32,
        "differ": 0,
        "differ_in_other_batches": 0,
    }
    rate = found["throughput_per_s"]
    assert 0 < rate["low"] <= rate["value"] <= rate["high"]
    side = found["server_side"]
    assert (side["joined"], side["not_joined"]) == (320, 0)
    assert sum(int(size) * number for size, number in side["sizes"].items()) == 320
    assert side["full_share"] > 0


def test_only_what_was_sent_in_the_rounds_counts_as_them() -> None:
    documents = made_up(8)
    with service(documents) as served:
        tag(served, documents)
        tag(served, documents[:2])
        served.begin_rounds()
        tag(served, documents[:5])
        served.end_rounds()
        tag(served, documents[:1])

    assert [len(call.outcomes) for call in served.of_all] == [8, 2]
    assert [len(call.outcomes) for call in served.of_rounds] == [5]


def test_a_planted_difference_is_counted(tmp_path: Path) -> None:
    documents = made_up(5)
    requests = Requests.of(documents)
    tagger = ServedTagger(Toy(), AtOnce(Toy(), requests.bodies, tmp_path), requests)
    list(tagger.tag(documents))
    (call,) = tagger.take()
    assert same_spans(tagger, [call]) == {"batches": 5, "requests": 5, "differ": 0}

    no_spans = write_answer(read_request(requests.bodies[3]), ((),))
    outcomes = [replace(o, body=no_spans) if o.index == 3 else o for o in call.outcomes]
    planted = replace(call, outcomes=outcomes)
    assert same_spans(tagger, [planted]) == {"batches": 5, "requests": 5, "differ": 1}
    assert same_spans(tagger, [planted, call]) == {"batches": 10, "requests": 10, "differ": 1}


def test_what_was_not_answered_is_not_compared(tmp_path: Path) -> None:
    documents = made_up(3)
    requests = Requests.of(documents)
    tagger = ServedTagger(Toy(), AtOnce(Toy(), requests.bodies, tmp_path), requests)
    list(tagger.tag(documents))
    (call,) = tagger.take()
    outcomes = [replace(o, status=None, error="reset", body=None) if o.index == 1 else o for o in call.outcomes]

    assert same_spans(tagger, [replace(call, outcomes=outcomes)]) == {"batches": 3, "requests": 2, "differ": 0}


def test_a_batch_is_tagged_again_as_it_was() -> None:
    """A tagger whose spans depend on what else is in the batch differs nowhere; one by one it would."""
    documents = [*made_up(12), document("TP53 fell", "TP53 fell")]
    with service(documents, Crowded()) as served:
        tag(served, documents)
        (call,) = served.tagger.take()
        found = same_spans(served.tagger, [call])

    assert max(batch.size for batch in call.batches) > 1
    assert found == {"batches": len(call.batches), "requests": 14, "differ": 0}


def test_the_rate_of_rounds_is_their_median_with_order_statistics() -> None:
    rates = [float(rate) for rate in range(10, 0, -1)]

    # The second and the ninth of ten: P(B <= 1) of a fair coin is 1.1 %, P(B <= 2) 5.5 %.
    assert median_of_rounds(rates) == Estimate(5.5, 2.0, 9.0)
    assert median_of_rounds(rates[:5]).low is None
    assert median_of_rounds(rates[:5]).value == 8.0
    assert median_of_rounds([]).value is None


def test_what_depends_on_the_batch_differs_in_other_ones(tmp_path: Path) -> None:
    """Answered one by one, where a crowd would find something."""
    documents = made_up(2 * REGROUPED)
    requests = Requests.of(documents)
    tagger = ServedTagger(Crowded(), AtOnce(Crowded(), requests.bodies, tmp_path), requests)
    list(tagger.tag(documents))
    (call,) = tagger.take()
    assert other_batches(tagger, [call], seed=0) == 2 * REGROUPED

    steady = ServedTagger(Toy(), AtOnce(Toy(), requests.bodies, tmp_path), requests)
    list(steady.tag(documents))
    assert other_batches(steady, steady.take(), seed=0) == 0


def test_memory_of_processes_is_that_of_those_that_live() -> None:
    one = tree_mb(frozenset({os.getpid()}))
    if one is None:
        assert not Path("/proc/self/smaps_rollup").exists()
        return
    resident = psutil.Process().memory_info().rss / 1e6
    assert 0 < one <= 1.5 * resident
    # No process has this id: it is above any that Linux gives.
    assert tree_mb(frozenset({2**22 + 1})) == 0.0
