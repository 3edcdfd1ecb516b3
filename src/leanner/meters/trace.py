"""Raw samples of a window: all that the arithmetic needs, so that a stored trace can be computed again."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum

from leanner.meters.clock import seconds


#: One channel over time: monotonic nanoseconds and value.
Series = list[tuple[int, float]]


class Moment(StrEnum):
    """When a sample is taken: at one of the window's edges, outside of it, or within."""

    START = "start"
    TICK = "tick"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a source saw: a value per channel, and why the others have none (a gap, never a zero)."""

    values: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One observation of one source.

    Attributes:
        source: Name of the source.
        moment: Edge or tick.
        t_ns: Middle of the read, on the monotonic clock.
        values: By channel; counters are integers.
        failures: By channel, why it has no value.
    """

    source: str
    moment: Moment
    t_ns: int
    values: Mapping[str, float]
    failures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Health:
    """How the sampler itself fared.

    Attributes:
        ticks: Samples taken within the window.
        longest_gap_s: Longest time without one, edges included.
        period_p99_s: 99th percentile of the time between two; ``None`` without ticks.
        cpu_s: CPU seconds of the sampler's process; ``None`` if it has none of its own, or has not told.
        failure: Why it did not see the window to its end, its ticks lost; ``None`` if it did.
    """

    ticks: int
    longest_gap_s: float
    period_p99_s: float | None
    cpu_s: float | None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All samples of one window, in the order of time.

    The first sample of every source was taken at or before ``start_ns``, the last one
    at or after ``end_ns``.

    Attributes:
        start_ns: Begin of the window, on the monotonic clock.
        end_ns: Its end.
        interval_s: Seconds between two ticks, as asked for.
        samples: All of them.
        health: How the sampler fared.
        binned_s: Seconds that a mean stands for, where the trace was thinned; ``None`` for raw samples.
    """

    start_ns: int
    end_ns: int
    interval_s: float
    samples: tuple[Sample, ...]
    health: Health
    binned_s: float | None = None

    @property
    def window_s(self) -> float:
        """Seconds between the edges."""
        return seconds(self.end_ns - self.start_ns)

    @property
    def spacing_s(self) -> float:
        """Seconds from one value of a gauge to the next, where nothing is missing."""
        return max(self.interval_s, self.binned_s or 0.0)

    def of(self, source: str) -> Iterator[Sample]:
        """Yield the samples of ``source``."""
        return (sample for sample in self.samples if sample.source == source)

    def series(self, source: str, channel: str) -> Series:
        """Return the values of ``channel`` over time; gaps are left out."""
        return [(sample.t_ns, sample.values[channel]) for sample in self.of(source) if channel in sample.values]

    def gaps(self, source: str, channel: str) -> list[str]:
        """Return why ``channel`` could not be read, once for each time."""
        return [sample.failures[channel] for sample in self.of(source) if channel in sample.failures]
