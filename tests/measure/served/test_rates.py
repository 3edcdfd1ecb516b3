from __future__ import annotations

import contextlib
import json
import os

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.measure.served import rates
from leanner.measure.served import target
from leanner.measure.served.rates import look_for_rate
from leanner.measure.served.rates import power_w
from leanner.measure.served.tagger import Requests
from leanner.measure.served.tagger import ServedTagger
from leanner.measure.served.target import open_target
from leanner.meters import EnergyDomain
from leanner.meters import MeterError
from leanner.meters import ReplayMeter
from leanner.meters import Uncertainty
from leanner.meters import open_meter
from leanner.meters.reading import DOMAINS
from leanner.serving.batching import DynamicBatching
from leanner.serving.load.slo import Search
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import Serving
from measure.fakes import options
from measure.readings import reading
from measure.served.made import Toy
from measure.served.made import made_up
from serving.toys import toy


if TYPE_CHECKING:
    from leanner.types import Document


WATTS_PER_CORE = 40.0


@contextlib.contextmanager
def served(documents: list[Document], call_s: float = 0.0) -> Iterator[ServedTagger]:
    """Serve a toy in this process."""
    tagger, requests = Toy(call_s=call_s), Requests.of(documents)
    with open_target(Serving(IN_PROCESS, DynamicBatching(4, 50.0)), toy(), tagger, requests.bodies) as here:
        yield ServedTagger(tagger, here, requests)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trials of 400 requests each."""
    monkeypatch.setattr(rates, "LEAST_REQUESTS", 400)
    monkeypatch.setattr(rates, "Search", partial(Search, most_trials=2))
    # However long this process is held up, no request is refused.
    monkeypatch.setattr(target, "_QUEUE", 10_000)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("bound_ms", "holds"), [(60_000.0, True), (1e-6, False)])
def test_the_highest_rate_under_a_bound_is_looked_for(bound_ms: float, *, holds: bool, tmp_path: Path) -> None:
    said: list[str] = []
    with served(made_up(7)) as tagger, open_meter("off", powercap=tmp_path) as meter:
        slo: Any = look_for_rate(tagger, 1600.0, [1e-7], options(slo_ms=bound_ms, seed=3), meter, say=said.append)
        left = tagger.take()

    assert slo["bound_ms"] == bound_ms
    assert said == [f"400 requests at {trial['rate_per_s']:.1f} a second" for trial in slo["trials"]]
    assert [trial["requests"] for trial in slo["trials"]] == [400, 400]
    assert [trial["seed"] for trial in slo["trials"]] == [3, 4]
    assert slo["trials"][0]["rate_per_s"] == 400.0
    assert (slo["best"] is not None) == holds
    assert not left
    for trial in slo["trials"]:
        assert trial["power_w"]["value"] is None
        assert trial["power_w"]["reason"]
    json.dumps(slo, allow_nan=False)


@pytest.mark.usefixtures("few")
def test_each_rate_has_its_watts(tmp_path: Path) -> None:
    """CPU time times watts per core, which no interval bounds."""
    estimating = open_meter(
        "estimate", interval_s=0.02, watts_per_core=WATTS_PER_CORE, powercap=tmp_path, sockets=lambda: 1
    )
    with served(made_up(7)) as tagger, estimating as meter:
        slo: Any = look_for_rate(tagger, 1600.0, [1e-7], options(slo_ms=60_000.0), meter, say=print)

    for trial in slo["trials"]:
        watts = trial["power_w"]
        assert 0.0 < watts["value"] <= 1.1 * WATTS_PER_CORE * (os.cpu_count() or 1)
        assert (watts["low"], watts["high"]) == (None, None)
        assert watts["reason"]


def test_watts_have_the_interval_of_their_joules() -> None:
    uncertainty = Uncertainty(5.0, 0.0)
    energy = {name: EnergyDomain.unknown("no such zone", expected=False) for name in DOMAINS}
    energy["cpu_package"] = EnergyDomain(100.0, "rapl", uncertainty=uncertainty)

    watts = power_w(replace(reading(), window_s=4.0, energy=energy))

    assert watts.value == 25.0
    assert watts.low is not None
    assert watts.high is not None
    assert watts.high - 25.0 == pytest.approx(25.0 - watts.low)
    assert 0.9 * 1.25 <= watts.high - 25.0 <= 1.25


def test_no_rate_is_looked_for_where_a_single_request_is_too_slow(tmp_path: Path) -> None:
    with served(made_up(3)) as tagger, open_meter("off", powercap=tmp_path) as meter:
        slo: Any = look_for_rate(tagger, 100.0, [70.0] * 3, options(slo_ms=60.0), meter, say=print)

    assert (slo["best"], slo["trials"]) == (None, [])
    assert slo["reason"] == "with no other request in flight the p99 is 70 ms already: no rate was tried"


@pytest.mark.usefixtures("few")
def test_one_slow_request_in_two_hundred_is_allowed(tmp_path: Path) -> None:
    # Naive: the slowest, where the bound is one of a p99.
    with served(made_up(7)) as tagger, open_meter("off", powercap=tmp_path) as meter:
        slo: Any = look_for_rate(tagger, 1600.0, [1.0] * 199 + [1e6], options(slo_ms=60_000.0), meter, say=print)

    assert slo["best"] is not None


@pytest.mark.usefixtures("few")
def test_a_trial_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_QUEUE", 1)
    # A batch of four takes as long as 50 requests take to come, and one may wait.
    with served(made_up(7), call_s=0.02) as tagger, open_meter("off", powercap=tmp_path) as meter:
        slo: Any = look_for_rate(tagger, 1e4, [1e-7], options(slo_ms=60_000.0), meter, say=print)

    assert slo["best"] is None
    assert slo["trials"][0]["failures"]["http-503"] > 4


@pytest.mark.usefixtures("few")
def test_a_rate_is_found_where_a_recording_has_no_such_window() -> None:
    class Recorded(ReplayMeter):
        def __init__(self) -> None: ...

        def start(self, *_: object, **__: object) -> None:
            raise MeterError("the recording has no window of this kind")

    with served(made_up(7)) as tagger:
        slo: Any = look_for_rate(tagger, 1600.0, [1e-7], options(slo_ms=60_000.0), Recorded(), say=print)

    assert slo["best"] is not None
    for trial in slo["trials"]:
        assert trial["power_w"]["reason"] == "the recording has no window of this kind"
