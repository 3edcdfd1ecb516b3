from __future__ import annotations

import json
import math

from collections.abc import Sequence

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.load.slo import LEAST_REQUESTS
from leanner.serving.load.slo import Load
from leanner.serving.load.slo import Search


def threshold(highest: float) -> Load:
    """A server that answers in 1 ms up to a rate, and in a second beyond it."""
    return lambda rate, _: [1.0 if rate <= highest else 1_000.0] * LEAST_REQUESTS


@given(st.floats(0.05, 4_000.0), st.floats(0.01, 0.3))
@settings(max_examples=60, deadline=None)
def test_a_known_rate_is_found_to_the_precision(highest: float, precision: float) -> None:
    found = Search(100.0, precision=precision, most_trials=40, lowest_per_s=0.01).run(threshold(highest))
    assert found.reason is None
    assert found.best is not None
    assert found.fails_at_per_s is not None
    assert found.best.rate_per_s <= highest < found.fails_at_per_s <= found.best.rate_per_s * (1 + precision)
    assert [trial.seed for trial in found.trials] == list(range(len(found.trials)))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.floats(0.05, 4_000.0))
def test_the_search_has_an_end(most: int, highest: float) -> None:
    found = Search(100.0, most_trials=most, precision=1e-9, lowest_per_s=0.01).run(threshold(highest))
    assert len(found.trials) == most
    held = [trial.rate_per_s for trial in found.trials if trial.holds]
    assert (found.best.rate_per_s if found.best else None) == max(held, default=None)
    assert found.reason is not None


def test_a_server_that_never_holds_has_no_rate() -> None:
    found = Search(100.0, most_trials=4).run(threshold(0.0))
    assert found.best is None
    assert [trial.rate_per_s for trial in found.trials] == [10.0, 5.0, 2.5, 1.25]
    assert found.reason == "no rate from 1.25 requests a second on holds"


def test_a_server_that_always_holds_has_the_highest_rate_that_was_tried() -> None:
    found = Search(100.0, highest_per_s=70.0).run(threshold(math.inf))
    assert [trial.rate_per_s for trial in found.trials] == [10.0, 20.0, 40.0, 70.0]
    assert found.best == found.trials[-1]
    assert found.fails_at_per_s is None
    assert found.reason == "no rate up to 70 requests a second fails"


def test_requests_that_fail_do_not_hold() -> None:
    def refuse(rate: float, _: int) -> Sequence[float]:
        return [math.inf if rate > 30 and place % 50 == 0 else 1.0 for place in range(2_000)]

    found = Search(100.0).run(refuse)
    assert found.best is not None
    assert 28 < found.best.rate_per_s <= 30
    text = json.dumps(found.to_json(), allow_nan=False)
    assert "more than 0.01 of the requests failed" in text


def test_too_few_requests_do_not_hold() -> None:
    found = Search(100.0, most_trials=1).run(lambda *_: [1.0] * 100)
    assert found.best is None
    assert found.trials[0].p99_ms.reason == "100 requests; an interval takes 200"


@pytest.mark.parametrize(
    "wrong",
    [{"bound_ms": 0.0}, {"bound_ms": math.nan}, {"start_per_s": 6_000.0}, {"precision": 0.0}, {"most_trials": 0}],
)
def test_a_search_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a positive bound"):
        Search(**{"bound_ms": 100.0, **wrong})  # type: ignore[arg-type] # one of them is wrong


def md1_p99_s(rate: float, service_s: float) -> float:
    """Return the p99 of the time in an M/D/1 queue, waiting and service (Erlang 1909, by its sum of exponentials)."""

    def waits_at_most(seconds: float) -> float:
        steps = range(int(seconds / service_s) + 1)
        terms = [rate * (step * service_s - seconds) for step in steps]
        return (1 - rate * service_s) * math.fsum(
            term**step / math.factorial(step) * math.exp(-term) for step, term in zip(steps, terms, strict=True)
        )

    return service_s + float(brentq(lambda seconds: waits_at_most(seconds) - 0.99, 0.0, 25 * service_s))


def md1(service_s: float, number: int) -> Load:
    def load(rate: float, seed: int) -> Sequence[float]:
        ended, latencies = 0.0, []
        for arrival_ns in OpenLoop(rate, seed).arrivals_ns(number):
            ended = max(ended, arrival_ns / 1e9) + service_s
            latencies.append(1000 * ended - arrival_ns / 1e6)
        return latencies

    return load


@pytest.mark.parametrize("seed", [0, 100, 200, 300])
def test_the_rate_of_an_md1_queue_is_that_of_the_formula(seed: int) -> None:
    service_s, bound_ms = 0.010, 50.0
    truth = float(brentq(lambda rate: 1000 * md1_p99_s(rate, service_s) - bound_ms, 20.0, 85.0))
    found = Search(bound_ms, precision=0.02, seed=seed).run(md1(service_s, 10_000))
    assert found.best is not None
    assert 0.88 * truth < found.best.rate_per_s < 1.05 * truth


def test_a_seed_fixes_what_is_found() -> None:
    search = Search(50.0, seed=3)
    assert search.run(md1(0.01, 1_000)) == search.run(md1(0.01, 1_000))


def test_where_no_rate_holds_the_search_comes_to_an_end() -> None:
    tried: list[float] = []

    def hopeless(rate_per_s: float, _: int) -> list[float]:
        tried.append(rate_per_s)
        return [500.0] * 1_000

    found = Search(100.0, 10.0, lowest_per_s=1.0).run(hopeless)
    assert tried == [10.0, 5.0, 2.5, 1.25, 1.0]
    assert found.best is None
    assert found.reason == "no rate from 1 requests a second on holds"
