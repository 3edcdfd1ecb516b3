from __future__ import annotations

import asyncio

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from leanner.serving.load.outcome import NOT_SENT
from leanner.serving.load.outcome import RESET
from leanner.serving.load.outcome import TIME_LIMIT
from leanner.serving.load.outcome import Outcome
from leanner.serving.load.outcome import SendError
from leanner.serving.load.precise import precise_loop
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.scenarios import Offline
from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.load.scenarios import Scenario
from leanner.serving.load.scenarios import run
from serving.load.virtual import Queue
from serving.load.virtual import clock
from serving.load.virtual import run_virtually


MS = 1_000_000


def drive(
    scenario: Scenario, number: int, service_s: float, stalls: dict[int, float] | None = None, limit_s: float = 1e6
) -> tuple[list[Outcome], Queue]:
    async def driven() -> tuple[list[Outcome], Queue]:
        queue = Queue(service_s, stalls)
        bodies = [str(place).encode() for place in range(number)]
        return await run(scenario, queue.send, bodies, range(number), limit_s=limit_s, clock=clock), queue

    return run_virtually(driven())


def latencies_ms(outcomes: list[Outcome]) -> list[float]:
    assert all(outcome.status == 200 for outcome in outcomes)
    return [(outcome.latency_ns or 0) / MS for outcome in outcomes]


def test_offline_sends_all_at_once() -> None:
    outcomes, queue = drive(Offline(), 10, 0.001)
    assert queue.most_waiting == 10
    assert latencies_ms(outcomes) == pytest.approx(list(range(1, 11)))
    assert {outcome.sent_ns for outcome in outcomes} == {0}


def test_offline_with_a_bound_counts_from_the_beginning_all_the_same() -> None:
    outcomes, queue = drive(Offline(at_most=2), 10, 0.001)
    assert queue.most_waiting == 2
    assert latencies_ms(outcomes) == pytest.approx(list(range(1, 11)))
    assert {outcome.intended_ns for outcome in outcomes} == {0}
    assert [outcome.sent_ns for outcome in outcomes] == [pytest.approx(max(0, place - 1) * MS) for place in range(10)]


def test_a_closed_loop_has_so_many_in_flight_and_counts_from_sending() -> None:
    outcomes, queue = drive(ClosedLoop(3), 12, 0.002)
    assert queue.most_waiting == 3
    assert latencies_ms(outcomes) == pytest.approx([2, 4] + [6] * 10)
    assert all(outcome.intended_ns == outcome.sent_ns for outcome in outcomes)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(10.0, 2_000.0), st.sampled_from([0.0, 0.5]))
def test_an_open_loop_waits_as_lindley_says(seed: int, rate: float, stall_s: float) -> None:
    scenario = OpenLoop(rate, seed)
    outcomes, _ = drive(scenario, 60, 0.001, {20: stall_s})
    arrivals = scenario.arrivals_ns(60)
    assert [outcome.intended_ns for outcome in outcomes] == arrivals
    ended, expected = 0.0, []
    for place, arrival in enumerate(arrivals):
        ended = max(ended, arrival) + MS * (1 + 1000 * stall_s * (place == 20))
        expected.append((ended - arrival) / MS)
    assert latencies_ms(outcomes) == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_arrivals_are_a_poisson_process() -> None:
    arrivals = np.array(OpenLoop(200.0, 3).arrivals_ns(20_000)) / 1e9
    gaps = np.diff(arrivals, prepend=0.0)
    assert stats.kstest(gaps, "expon", args=(0, 1 / 200.0)).pvalue > 0.01
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.03
    counts, _ = np.histogram(arrivals, bins=int(arrivals[-1]), range=(0, int(arrivals[-1])))
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.45)


def test_a_seed_fixes_the_arrivals() -> None:
    assert OpenLoop(9.0, 4).arrivals_ns(50) == OpenLoop(9.0, 4).arrivals_ns(60)[:50]
    assert OpenLoop(9.0, 4).arrivals_ns(50) != OpenLoop(9.0, 5).arrivals_ns(50)


def test_coordinated_omission_cannot_hide() -> None:
    """A server that takes 1 ms stands still once, for a second; the rate is half of what it can do."""
    stall = {1_000: 1.0}
    closed = latencies_ms(drive(ClosedLoop(1), 5_000, 0.001, stall)[0])
    opened = latencies_ms(drive(OpenLoop(500.0, 7), 5_000, 0.001, stall)[0])
    # One client saw one slow answer, and waited for it instead of sending what users would have sent.
    assert np.percentile(closed, 99.9) < 2
    assert sum(latency > 100 for latency in closed) == 1
    # About 500 requests come within that second, and the queue they leave takes another one to vanish.
    assert np.percentile(opened, 99) > 800
    assert sum(latency > 100 for latency in opened) > 500


def test_a_number_in_flight_holds_no_arrival_back() -> None:
    outcomes, queue = drive(OpenLoop(1_000.0), 500, 10.0)
    assert queue.most_waiting == 500
    assert all(outcome.sent_ns == pytest.approx(outcome.intended_ns, abs=10) for outcome in outcomes)


def test_what_the_time_limit_leaves_has_an_outcome() -> None:
    outcomes, _ = drive(ClosedLoop(2), 10, 1.0, limit_s=3.5)
    assert [outcome.status for outcome in outcomes] == [200] * 3 + [None] * 7
    assert [outcome.error for outcome in outcomes] == [None] * 3 + [TIME_LIMIT] * 7
    # Two were under way, and five were never sent.
    assert [outcome.sent_ns is None for outcome in outcomes] == [False] * 5 + [True] * 5
    assert {outcome.latency_ns for outcome in outcomes[5:]} == {None}
    assert [outcome.ended_ns for outcome in outcomes[3:]] == [pytest.approx(3_500 * MS)] * 7


@pytest.mark.parametrize("status", [503, None])
def test_a_closed_loop_may_end_with_the_first_failure(status: int | None) -> None:
    """Naive: a server that hangs has each of 1,000 requests wait its minute, 32 at a time."""

    async def send(body: bytes) -> tuple[int, bytes]:
        await asyncio.sleep(1.0)
        if body != b"4":
            return 200, body
        await asyncio.sleep(59.0)
        if status is None:
            raise SendError(RESET)
        return status, b""

    async def driven(scenario: ClosedLoop) -> list[Outcome]:
        bodies = [str(place).encode() for place in range(1_000)]
        return await run(scenario, send, bodies, range(1_000), limit_s=1e6, clock=clock)

    outcomes = run_virtually(driven(ClosedLoop(2, until_failure=True)))

    assert outcomes[4].failure == ("http-503" if status else RESET)
    # The other client has sent one a second meanwhile, and ends with the one that it had under way.
    sent = [outcome.sent_ns is not None for outcome in outcomes]
    assert sent == [True] * sum(sent) + [False] * (1_000 - sum(sent))
    assert 60 <= sum(sent) <= 66
    assert {outcome.failure for outcome in outcomes[sum(sent) :]} == {NOT_SENT}
    assert {outcome.failure for place, outcome in enumerate(outcomes[: sum(sent)]) if place != 4} == {None}
    assert len(run_virtually(driven(ClosedLoop(2)))) == 1_000


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 6))
def test_a_body_may_be_sent_again(indices: list[int], in_flight: int) -> None:
    async def driven() -> list[Outcome]:
        queue = Queue(0.001)
        bodies = [str(place).encode() for place in range(5)]
        return await run(ClosedLoop(in_flight), queue.send, bodies, indices, limit_s=1e6, clock=clock)

    outcomes = run_virtually(driven())
    assert [outcome.index for outcome in outcomes] == indices
    assert [outcome.body for outcome in outcomes] == [str(index).encode() for index in indices]


@given(st.lists(st.booleans(), max_size=20), st.sampled_from([Offline(), ClosedLoop(2), OpenLoop(100.0)]))
def test_one_that_fails_keeps_no_other_from_being_sent(fails: list[bool], scenario: Scenario) -> None:
    async def send(body: bytes) -> tuple[int, bytes]:
        await asyncio.sleep(0.01)
        if body == b"fail":
            raise SendError(RESET)
        return 200, b""

    async def driven() -> list[Outcome]:
        bodies = [b"fail" if fail else b"" for fail in fails]
        return await run(scenario, send, bodies, range(len(bodies)), limit_s=1e6, clock=clock)

    outcomes = run_virtually(driven())
    assert [outcome.failure for outcome in outcomes] == [RESET if fail else None for fail in fails]


@pytest.mark.parametrize("scenario", [Offline(), ClosedLoop(2), OpenLoop(100.0)], ids=["offline", "closed", "open"])
def test_a_bug_of_the_client_is_no_outcome(scenario: Scenario) -> None:
    async def send(_: bytes) -> tuple[int, bytes]:
        raise TimeoutError("a bug")

    with pytest.raises(ExceptionGroup) as failed:
        run_virtually(run(scenario, send, [b""] * 3, range(3), limit_s=1e6, clock=clock))
    assert failed.group_contains(TimeoutError, match="a bug")


@pytest.mark.parametrize(
    ("status", "failure"), [(200, None), (204, None), (301, "http-301"), (404, "http-404"), (503, "http-503")]
)
def test_only_a_good_status_is_an_answer(status: int, failure: str | None) -> None:
    assert Outcome(0, 0, 0, 1, status).failure == failure


def test_scenarios_say_what_they_are() -> None:
    assert [scenario.describe() for scenario in (Offline(), ClosedLoop(32), OpenLoop(50.0, 1))] == [
        {"name": "offline", "at_most": None},
        {"name": "closed-loop", "in_flight": 32, "until_failure": False},
        {"name": "open-loop", "rate_per_s": 50.0, "seed": 1},
    ]


@pytest.mark.parametrize("number", [0, -1])
def test_some_requests_are_in_flight(number: int) -> None:
    for scenario in (Offline, ClosedLoop):
        with pytest.raises(ValueError, match=f"at least one of requests in flight, found {number}"):
            scenario(number)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_is_positive_and_has_an_end(rate: float) -> None:
    with pytest.raises(ValueError, match="a finite rate"):
        OpenLoop(rate)


def test_the_loads_loop_does_not_round_to_milliseconds() -> None:
    async def naps() -> float:
        loop = asyncio.get_running_loop()
        lengths = []
        for _ in range(40):
            began = loop.time()
            await asyncio.sleep(0.0001)
            lengths.append(loop.time() - began)
        return min(lengths)

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        # asyncio's own takes 1 ms or more for each; the best of forty is no matter of load.
        assert 0.0001 <= runner.run(naps()) < 0.0009
