"""The highest rate whose p99 stays under a bound, and the watts at every rate that was tried on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from leanner.meters import MeterError
from leanner.meters import total_interval
from leanner.serving.load.interval import Estimate
from leanner.serving.load.interval import quantile
from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.load.slo import LEAST_REQUESTS
from leanner.serving.load.slo import SHARE
from leanner.serving.load.slo import Found
from leanner.serving.load.slo import Search
from leanner.serving.load.summary import latencies_ms


if TYPE_CHECKING:
    from leanner.measure.served.tagger import ServedTagger
    from leanner.meters import Meter
    from leanner.meters import Reading
    from leanner.options import Options


def look_for_rate(
    tagger: ServedTagger,
    throughput_per_s: float,
    single_ms: Sequence[float],
    options: Options,
    meter: Meter,
    *,
    say: Callable[[str], None],
) -> Mapping[str, Any]:
    """Return the record's ``served.slo``.

    Args:
        tagger: Whose server is asked.
        throughput_per_s: Requests a second of a closed loop: the search begins at a quarter of it.
        single_ms: What requests took with no other in flight.
        options: With the bound of the p99 in milliseconds, and the seed of the arrivals.
        meter: Of the power at each rate.
        say: Tells who waits what is tried: it takes minutes.
    """
    assert options.slo_ms is not None
    alone_ms = quantile(single_ms, SHARE).value
    if alone_ms is not None and alone_ms > options.slo_ms:
        # 3,000 requests at a low rate take long, and each would be as slow.
        reason = f"with no other request in flight the p99 is {alone_ms:.0f} ms already: no rate was tried"
        return Found(options.slo_ms, None, None, reason, ()).to_json()
    number = len(tagger.requests.texts)
    indices = [place % number for place in range(LEAST_REQUESTS)]
    power: list[Estimate] = []
    failures: list[Mapping[str, int]] = []

    def load(rate_per_s: float, seed: int) -> Sequence[float]:
        say(f"{len(indices)} requests at {rate_per_s:.1f} a second")
        limit_s = 4.0 * len(indices) / rate_per_s
        scenario = OpenLoop(rate_per_s, seed)
        try:
            with meter.window("rate", sentences=len(indices)) as window:
                driven = tagger.target.drive(scenario, indices, limit_s=limit_s)
        except MeterError as error:
            # A recording of another run has no such window; the rate is what was asked for.
            power.append(Estimate(None, None, None, str(error)))
            driven = tagger.target.drive(scenario, indices, limit_s=limit_s)
        else:
            power.append(power_w(window.reading))
        failures.append(Counter(o.failure for o in driven.outcomes if o.failure is not None))
        return latencies_ms(driven.outcomes)

    start_per_s = max(throughput_per_s / 4.0, 1.0)
    search = Search(options.slo_ms, start_per_s=start_per_s, lowest_per_s=start_per_s / 8.0, seed=options.seed)
    found = search.run(load).to_json()
    tagger.take()
    trials = [
        trial | {"power_w": watts.to_json(), "failures": dict(failed)}
        for trial, watts, failed in zip(found["trials"], power, failures, strict=True)
    ]
    return found | {"trials": trials}


def power_w(reading: Reading) -> Estimate:
    """Return the mean watts of all domains over a window: joules over seconds, idle power not subtracted."""
    interval, reason = total_interval([reading])
    if reading.total_j is None:
        return Estimate(None, None, None, reading.total_reason)
    seconds = reading.window_s
    if interval is None:
        return Estimate(reading.total_j / seconds, None, None, reason)
    return Estimate(reading.total_j / seconds, interval.low_j / seconds, interval.high_j / seconds)
