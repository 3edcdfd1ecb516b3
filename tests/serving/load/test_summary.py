from __future__ import annotations

import json
import random

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.serving.batch_log import Batch
from leanner.serving.load.job import Driven
from leanner.serving.load.outcome import REFUSED
from leanner.serving.load.outcome import TIME_LIMIT
from leanner.serving.load.outcome import Outcome
from leanner.serving.load.summary import join
from leanner.serving.load.summary import latencies_ms
from leanner.serving.load.summary import server_side
from leanner.serving.load.summary import summarise


MS = 1_000_000


def answered(index: int, intended: float, sent: float, ended: float, status: int = 200) -> Outcome:
    """All times in milliseconds."""
    return Outcome(index, round(intended * MS), round(sent * MS), round(ended * MS), status, body=b"")


def batch(began: float, ended: float, *ids: str | int, more: int = 0) -> Batch:
    return Batch(len(ids) + more, ids, round(began * MS), round(ended * MS))


def strict(value: object) -> object:
    return json.loads(json.dumps(value, allow_nan=False))


def test_a_run_as_the_client_saw_it() -> None:
    outcomes = [answered(place, 10 + place, 11 + place, 15 + 2 * place) for place in range(300)]
    outcomes[7] = Outcome(7, 17 * MS, 17 * MS, 20 * MS, error=REFUSED)
    outcomes[8] = answered(8, 18, 18, 20, status=503)
    outcomes[9] = Outcome(9, None, None, 700 * MS, error=TIME_LIMIT)
    summary = summarise(Driven(tuple(outcomes), 0, 1_000 * MS, 0.25))

    assert (summary.requests, summary.answered) == (300, 297)
    assert summary.failures == {"http-503": 1, "refused": 1, "time-limit": 1}
    assert summary.seconds == pytest.approx(0.690)
    assert summary.throughput_per_s.value == pytest.approx(297 / 0.690)
    kept = [5 + place for place in range(300) if place not in (7, 8, 9)]
    for name, share in (("p50", 50), ("p95", 95), ("p99", 99), ("p99.9", 99.9)):
        assert summary.latency_ms[name].value == np.percentile(kept, share, method="inverted_cdf")
    assert summary.late_ms["p50"].value == 1.0
    assert summary.cpu_share == 0.25
    assert strict(summary.to_json()) == summary.to_json()


def test_a_run_of_nothing_is_known_to_be_one() -> None:
    summary = summarise(Driven((), 0, 1, 0.0))
    assert summary.throughput_per_s.reason == "no time passed"
    assert summary.latency_ms["p99"].value is None
    assert strict(summary.to_json()) == summary.to_json()
    side = server_side([], [], [], 16)
    assert side.full_share is None
    assert strict(side.to_json()) == side.to_json()


def test_one_that_failed_took_for_ever() -> None:
    outcomes = [answered(0, 0, 0, 2), answered(1, 0, 0, 1, status=429), Outcome(2, None, None, 5, error=TIME_LIMIT)]
    assert latencies_ms(outcomes) == [2.0, float("inf"), float("inf")]


def test_time_in_the_queue_is_told_from_time_in_the_model() -> None:
    outcomes = [answered(0, 0, 1, 12), answered(1, 0, 3, 13), answered(2, 5, 5, 30), answered(3, 0, 0, 40, status=500)]
    batches = [batch(4, 10, "a", "b", more=1), batch(10, 28, "c")]
    side = server_side(outcomes, ["a", "b", "c", "d"], batches, max_batch_size=3)

    assert (side.batches, side.sizes, side.full_share) == (2, {1: 1, 3: 1}, 0.5)
    assert (side.joined, side.not_joined) == (3, 0)
    assert (side.queue_ms["p50"].value, side.queue_ms["p99"].value) == (3.0, 5.0)
    assert (side.model_ms["p50"].value, side.model_ms["p99"].value) == (6.0, 18.0)
    assert (side.return_ms["p50"].value, side.return_ms["p99"].value) == (2.0, 3.0)
    assert strict(side.to_json()) == side.to_json()


def test_an_answer_that_no_batch_has_is_counted() -> None:
    side = server_side([answered(0, 0, 0, 2), answered(1, 0, 0, 2)], [0, 1], [batch(0, 1, 1)], 2)
    assert (side.joined, side.not_joined) == (1, 1)


def test_a_batch_from_before_the_request_is_another_requests() -> None:
    outcomes = [answered(0, 10, 10, 20)]
    assert list(join(outcomes, [7], [batch(1, 5, 7), batch(15, 25, 7)])) == []


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 5))
def test_bodies_that_are_sent_again_are_joined_with_their_own_batches(seed: int, number: int, names: int) -> None:
    """Requests one after the other by body; the batches they were in are known."""
    draw = random.Random(seed)
    free = [0.0] * names
    outcomes, expected = [], []
    for _ in range(number):
        index = draw.randrange(names)
        sent = free[index] + draw.random()
        began = sent + draw.random()
        ended = began + 0.1 + draw.random()
        free[index] = ended + draw.random()
        outcomes.append(answered(index, sent, sent, free[index]))
        expected.append(batch(began, ended, index))
    batches = draw.sample(expected, number)
    assert list(join(outcomes, range(names), batches)) == list(zip(outcomes, expected, strict=True))


def test_the_same_body_twice_at_once_is_two_requests() -> None:
    outcomes = [answered(0, 0, 0, 10), answered(0, 1, 1, 9)]
    side = server_side(outcomes, [5], [batch(2, 8, 5, 5)], 2)
    assert (side.joined, side.not_joined) == (2, 0)
    assert side.queue_ms["p50"].value == 1.0
    assert side.queue_ms["p99"].value == 2.0
