"""Fewer samples that say the same: what a long window leaves on disk.

A window is cut into bins. Counters and memory keep the samples that decide what is computed
from them, untouched. Gauges become means over bins, which no device has shown at that
moment: the trace says how long the bins are (``Trace.binned_s``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from leanner.meters import estimate
from leanner.meters import gpu
from leanner.meters import memory
from leanner.meters import nvml
from leanner.meters import rapl
from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import require_dense
from leanner.meters.arithmetic import require_few_gaps
from leanner.meters.binned import flags
from leanner.meters.binned import means
from leanner.meters.binned import means_between
from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import seconds
from leanner.meters.errors import UnmeasurableError
from leanner.meters.sensors import POWER_MEAN_S
from leanner.meters.sensors import POWER_REFRESH_S
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


#: Samples of each source that are kept, about: five minutes at the usual ten a second.
MOST: Final = 3000

#: With fewer, one failed read would weigh more than the gap budget.
LEAST: Final = 100

# A bin of a gauge leaves up to 4 samples (highest, lowest, mean at its begin and end), one of
# a counter too (first, last, both sides of the most watts).
_SAMPLES_A_BIN: Final = 4

# Far below the time in which any counter wraps: a thinned one must not look as if it may have.
_LONGEST_BIN_NS: Final = 20 * NS_PER_S

#: By source, more than its counters can rise in a second: see ``counter_increase``.
_CEILINGS_PER_S: Final[Mapping[str, float]] = {rapl.SOURCE: rapl.CEILING_W * 1e6, nvml.COUNTER: gpu.CEILING_W * 1e3}

_POWER: Final = "power_mw"

#: Channels of bits, and of processes that are there or not.
_FLAGS: Final = ("clock_events", "foreign.")

#: What is kept of a source: from its samples, the trace and the bins' boundaries in nanoseconds.
_Thinner = Callable[[Sequence[Sample], Trace, Sequence[int]], list[Sample]]


def thin(trace: Trace, most: int = MOST) -> Trace:
    """Return a trace with about ``most`` samples of each source, or ``trace`` itself where it has no more.

    What is computed from the result:

    - counters rise by exactly as much, wraps included, and watts from counters peak as high;
    - the integral of a gauge is the same but for rounding (to 7 digits), its highest and lowest value are kept,
      and power near the edges as it was, so that its lag is the same;
    - the peak of memory is the same;
    - clock events are OR-ed by bin, foreign processes are kept where they were seen: the share of
      throttled samples becomes one of bins;
    - of failed reads within the window only the last one of each channel is kept.

    A trace of which something is unknown, since too many reads failed, pauses were too long
    or a counter was reset, stays as it is, for it to stay unknown.

    Args:
        trace: Raw samples.
        most: At least ``LEAST``.

    Raises:
        ValueError: ``most`` is too small.
    """
    if most < LEAST:
        raise ValueError(f"expected {LEAST} samples or more to keep, found {most}")
    rows = {name: list(trace.of(name)) for name in dict.fromkeys(sample.source for sample in trace.samples)}
    long = [name for name, samples in rows.items() if len(samples) > most and name in _THINNERS]
    bins = _bins(trace, most)
    # A bin has room for a nanosecond between its samples, or there is nothing to thin.
    if not long or (bins[-1] - bins[0]) < 1000 * len(bins) or not _known(trace):
        return trace
    for name in long:
        ticks = [sample for sample in rows[name] if sample.moment is Moment.TICK]
        edges = [sample for sample in rows[name] if sample.moment is not Moment.TICK]
        rows[name] = [*edges, *_THINNERS[name](ticks, trace, bins), *_last_failures(ticks)]
    samples = sorted((sample for kept in rows.values() for sample in kept), key=lambda sample: sample.t_ns)
    binned_s = max(seconds(b - a) for a, b in pairwise(bins)) if nvml.GAUGES in long else trace.binned_s
    return replace(trace, samples=tuple(samples), binned_s=binned_s)


def _bins(trace: Trace, most: int) -> list[int]:
    window_ns = trace.end_ns - trace.start_ns
    number = max(most // _SAMPLES_A_BIN, -(-window_ns // _LONGEST_BIN_NS))
    return [trace.start_ns + window_ns * index // number for index in range(number + 1)]


def _known(trace: Trace) -> bool:
    """Return whether no joule is unknown for gaps, pauses or a reset."""
    try:
        for source, channel in dict.fromkeys((s.source, name) for s in trace.samples for name in s.values):
            if source == nvml.GAUGES and channel != _POWER:
                continue
            points, failed = trace.series(source, channel), len(trace.gaps(source, channel))
            if source != memory.SOURCE:
                require_few_gaps(failed, failed + len(points), "")
            if source in _CEILINGS_PER_S:
                for step in pairwise(points):
                    if step[1][1] >= step[0][1]:
                        counter_increase(step, modulus=None, ceiling_per_s=_CEILINGS_PER_S[source])
        if power := trace.series(nvml.GAUGES, _POWER):
            require_dense(power, trace)
    except UnmeasurableError:
        return False
    return True


def _last_failures(ticks: Sequence[Sample]) -> list[Sample]:
    last = {channel: sample for sample in ticks for channel in sample.failures}
    return [
        Sample(sample.source, sample.moment, sample.t_ns, {}, {channel: sample.failures[channel]})
        for channel, sample in last.items()
    ]


def _counters(ticks: Sequence[Sample], trace: Trace, bins: Sequence[int]) -> list[Sample]:
    """Keep the first and last value of each bin, both sides of each fall, and both sides of the most watts in a bin."""
    kept: set[int] = set()
    for channel in dict.fromkeys(channel for sample in ticks for channel in sample.values):
        points = [(row, sample) for row, sample in enumerate(ticks) if channel in sample.values]
        for inside in _by_bin(points, bins):
            kept |= {inside[0][0], inside[-1][0]}
        for (earlier, a), (later, b) in pairwise(points):
            if b.values[channel] < a.values[channel]:
                kept |= {earlier, later}
    # Zones of RAPL that lie in no other have one colon; all of them together have the watts that can peak.
    whole = {channel for sample in ticks for channel in sample.values if channel.count(":") == 1}
    points = [(row, sample) for row, sample in enumerate(ticks) if whole and whole <= sample.values.keys()]
    for inside in _by_bin(points, bins):
        best_w, best = 0.0, set[int]()
        for (earlier, a), (later, b) in pairwise(inside):
            pause_s = seconds(b.t_ns - a.t_ns)
            steps = [b.values[channel] - a.values[channel] for channel in whole]
            if pause_s >= 0.5 * trace.interval_s and min(steps) >= 0 and sum(steps) / pause_s > best_w:
                best_w, best = sum(steps) / pause_s, {earlier, later}
        kept |= best
    return [replace(ticks[row], failures={}) for row in sorted(kept)]


def _memory(ticks: Sequence[Sample], _: Trace, bins: Sequence[int]) -> list[Sample]:
    """Keep each look at what is shared, each change of the tree, and between them the extremes of each bin."""
    kept: list[Sample] = []
    tree: float | None = None
    points = [(row, sample) for row, sample in enumerate(ticks) if "rss_b" in sample.values]
    for inside in ([sample for _, sample in cell] for cell in _by_bin(points, bins)):
        stretch: list[Sample] = []
        for sample in inside:
            if "shared_b" in sample.values or sample.values["tree"] != tree:
                kept += [*_extremes(stretch), sample]
                stretch = []
            else:
                stretch.append(sample)
            tree = sample.values["tree"]
        kept += _extremes(stretch)
    return [replace(sample, failures={}) for sample in kept]


def _extremes(stretch: Sequence[Sample]) -> list[Sample]:
    if not stretch:
        return []
    by_size = sorted(stretch, key=lambda sample: sample.values["rss_b"])
    return [by_size[0]] if len(by_size) == 1 else [by_size[0], by_size[-1]]


def _gauges(ticks: Sequence[Sample], trace: Trace, bins: Sequence[int]) -> list[Sample]:
    """Replace the samples of each bin by means, one of the bins' ends each, and its extremes.

    Power near the edges stays as it is: what its lag does to the joules is told from there.
    """
    rows: dict[int, dict[str, float]] = {}
    for channel in dict.fromkeys(channel for sample in ticks for channel in sample.values):
        points = trace.series(nvml.GAUGES, channel)
        if channel.startswith(_FLAGS):
            kept = flags(points, bins)
        elif channel == _POWER:
            kept = means_between(points, bins, round((POWER_MEAN_S + POWER_REFRESH_S) * NS_PER_S))
        else:
            kept = means(points, bins)
        for t_ns, value in kept:
            rows.setdefault(t_ns, {})[channel] = value
    return [Sample(nvml.GAUGES, Moment.TICK, t_ns, values, {}) for t_ns, values in sorted(rows.items())]


def _by_bin(points: Sequence[tuple[int, Sample]], bins: Sequence[int]) -> Iterator[Sequence[tuple[int, Sample]]]:
    cuts = [bisect_left(points, boundary, key=lambda point: point[1].t_ns) for boundary in bins[:-1]]
    return (points[a:b] for a, b in pairwise([*cuts, len(points)]) if a < b)


_THINNERS: Final[Mapping[str, _Thinner]] = {
    nvml.GAUGES: _gauges,
    nvml.COUNTER: _counters,
    rapl.SOURCE: _counters,
    estimate.SOURCE: _counters,
    memory.SOURCE: _memory,
}
