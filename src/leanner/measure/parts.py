"""Parts of a record: time, memory, device, sampler, sparsity and what a reader must know."""

from __future__ import annotations

import statistics

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from leanner.measure import floor
from leanner.measure.doubts import notes_of
from leanner.measure.joules import highest
from leanner.measure.plan import rounds_needed
from leanner.measure.statistics import half_width_pct
from leanner.measure.statistics import median_interval
from leanner.report.costs import Gpu
from leanner.report.costs import Memory
from leanner.report.costs import Sampler
from leanner.report.costs import Sparsity
from leanner.report.costs import Time
from leanner.taggers.protocol import Noting


if TYPE_CHECKING:
    from leanner.configurations import Configuration
    from leanner.measure.case import Measured
    from leanner.measure.floor import Held
    from leanner.measure.subject import Subject
    from leanner.meters import GpuState
    from leanner.meters import Reading
    from leanner.taggers.weights import Weights


#: Spread of the rounds from which on their median is doubtful, as pyperf's ``check`` has it.
UNSTABLE: Final = 0.1

#: What a case is told by whose rounds have the baseline's between them.
INTERLEAVED: Final = "interleaved with the baseline, whose tagger is in the memory that is stated"

_ON_CPU: Final = "the case does not run on a GPU"


def time_of(measured: Measured, subject: Subject, unknown: dict[str, str]) -> Time:
    """Return the record's ``time``; without rounds only what came before them is known. Adds to ``unknown``."""
    rounds_s, warmup_s, timed = measured.rounds_s, measured.warmup_s, subject.timed
    if not rounds_s:
        unknown["time"] = "pytest-benchmark was disabled: no round was timed"
        return Time((), None, None, None, measured.prepare_s, timed.sentences, timed.tokens, warmup_s=warmup_s)
    median = statistics.median(rounds_s)
    interval = median_interval(rounds_s)
    if interval is None:
        too_few = f"{len(rounds_s)} rounds are too few for a 95 % interval of their median"
        unknown["time.low_s"] = unknown["time.high_s"] = unknown["time.half_width_pct"] = too_few
    return Time(
        rounds_s=rounds_s,
        median_s=median,
        sentences_per_s=timed.sentences / median,
        tokens_per_s=timed.tokens / median,
        prepare_s=measured.prepare_s,
        sentences=timed.sentences,
        tokens=timed.tokens,
        low_s=interval and interval[0],
        high_s=interval and interval[1],
        half_width_pct=half_width_pct(rounds_s),
        warmup_s=warmup_s,
    )


def memory_of(
    readings: Sequence[Reading],
    weights: Weights,
    behind: Held,
    device: str,
    unknown: dict[str, str],
    *,
    isolated: bool,
) -> Memory:
    """Return the record's ``memory``; adds to ``unknown``.

    Args:
        readings: One for each window.
        weights: After the passes.
        behind: What earlier cases still held when this one began; it is subtracted.
        device: Torch device of the case.
        unknown: Reasons by field.
        isolated: Whether the case had a process of its own.
    """
    reasons = {name: reason for reading in readings for name, reason in reading.reasons.items()}

    def peak(name: str, less: float | None = 0.0, why: str = "no sample") -> float | None:
        found = highest(readings, lambda reading: getattr(reading, name))
        if found is None:
            unknown[f"memory.{name}"] = reasons.get(name, why)
            return None
        own = floor.without(found, less)
        if own is None:
            unknown[f"memory.{name}"] = f"the peak is below the {less:.0f} MB that earlier cases had left: freed since"
        return own

    vram = peak("peak_vram_mb", behind.vram_mb)
    allocated = peak("peak_vram_allocated_mb", behind.vram_allocated_mb)
    if device == "cpu":
        unknown["memory.peak_vram_mb"] = unknown["memory.peak_vram_allocated_mb"] = _ON_CPU
        unknown["memory.left_behind_vram_mb"] = unknown["memory.left_behind_vram_allocated_mb"] = _ON_CPU
    if behind.host_mb is None:
        unknown["memory.left_behind_host_mb"] = "the kernel does not tell the proportional bytes of this process"
    return Memory(
        peak_host_mb=peak("peak_host_mb", behind.host_mb, "no sample of the process tree"),
        peak_vram_mb=vram,
        weights_mb=weights.weights_mb,
        weights_by_dtype_mb={dtype: size / 1e6 for dtype, size in sorted(weights.bytes_by_dtype.items())},
        peak_vram_allocated_mb=allocated,
        cgroup_peak_mb=peak("cgroup_peak_mb"),
        left_behind_host_mb=behind.host_mb,
        left_behind_vram_mb=behind.vram_mb,
        left_behind_vram_allocated_mb=behind.vram_allocated_mb,
        isolated=isolated,
        weights_parameters=weights.parameters,
    )


def gpu_of(readings: Sequence[Reading], unknown: dict[str, str], device: str) -> Gpu | None:
    """Return the device's state over all windows; adds to ``unknown``."""
    states = [(reading.gpu, reading.window_s) for reading in readings if reading.gpu is not None]
    if not states:
        reasons = [] if device == "cpu" else [r.reasons["power"] for r in readings if "power" in r.reasons]
        unknown["gpu"] = next(iter(reasons), _ON_CPU)
        return None
    first = states[0][0]
    coldest = [state.temperature_min_c for state, _ in states if state.temperature_min_c is not None]
    hottest = [state.temperature_max_c for state, _ in states if state.temperature_max_c is not None]
    if not coldest:
        unknown["gpu.temperature_min_c"] = unknown["gpu.temperature_max_c"] = "NVML gave no temperature"
    if first.power_field is None:
        unknown["gpu.power_field"] = unknown["gpu.scope"] = "NVML gives no power of this device"
    unknown.update({f"gpu.{name}": reason for state, _ in states for name, reason in state.reasons.items()})
    return Gpu(
        uuid=first.uuid,
        power_field=first.power_field,
        scope=first.scope,
        temperature_min_c=min(coldest, default=None),
        temperature_max_c=max(hottest, default=None),
        throttled=_throttled(states),
        foreign_pids=_foreign_pids(states),
    )


def _throttled(states: Sequence[tuple[GpuState, float]]) -> dict[str, float] | None:
    """Return the share of the time that each reason slowed the device down; ``None`` if a window does not know."""
    known = [(state.throttled, window_s) for state, window_s in states if state.throttled is not None]
    if len(known) < len(states):
        return None
    seconds = sum(window_s for _, window_s in known)
    return {
        reason: sum(shares.get(reason, 0.0) * window_s for shares, window_s in known) / seconds
        for reason in sorted({reason for shares, _ in known for reason in shares})
    }


def _foreign_pids(states: Sequence[tuple[GpuState, float]]) -> tuple[int, ...] | None:
    known = [state.foreign_pids for state, _ in states if state.foreign_pids is not None]
    return tuple(sorted({pid for pids in known for pid in pids})) if len(known) == len(states) else None


def sampler_of(readings: Sequence[Reading], unknown: dict[str, str]) -> Sampler:
    """Return how the sampler fared over all windows; adds to ``unknown``."""
    health = [reading.trace.health for reading in readings]
    cpu_s = [each.cpu_s for each in health if each.cpu_s is not None]
    periods = [each.period_p99_s for each in health if each.period_p99_s is not None]
    if not periods:
        unknown["sampler.period_p99_s"] = "the windows were too short for a sample within"
    if len(cpu_s) < len(health):
        unknown["sampler.cpu_s"] = unknown["sampler.cpu_pct"] = "the sampler did not say what it used"
    known = len(cpu_s) == len(health)
    return Sampler(
        interval_s=readings[0].trace.interval_s,
        ticks=sum(each.ticks for each in health),
        period_p99_s=max(periods, default=None),
        longest_gap_s=max(each.longest_gap_s for each in health),
        cpu_s=sum(cpu_s) if known else None,
        cpu_pct=100 * sum(cpu_s) / sum(reading.window_s for reading in readings) if known else None,
    )


def sparsity_of(configuration: Configuration, weights: Weights) -> Sparsity | None:
    """Return the zeros that the passes asked for, and those that are there; ``None`` if none asked."""
    asked = [getattr(step, "sparsity", None) for step in configuration.passes]
    known = [share for share in asked if share is not None]
    if not known or weights.sparsity is None:
        return None
    return Sparsity(asked=known[-1], weights=weights.sparsity)


def quality_of(measured: Measured, subject: Subject, precision_pct: float, behind: Held) -> tuple[str, ...]:
    """Return what a reader must know: of the text, the tagger, the rounds and the windows, each once."""
    rounds, rounds_s = measured.rounds, measured.rounds_s
    notes = [
        *subject.quality,
        *measured.tagger.quality,
        *(measured.tagger.notes_on(subject.timed.documents) if isinstance(measured.tagger, Noting) else ()),
        *measured.plan.notes(),
        *notes_on_rounds(rounds_s, precision_pct),
    ]
    if len(rounds.outcomes) > 1:
        notes.append(f"rounds gave {len(rounds.outcomes)} different sets of spans; F1 is of the last")
    if (others := _spans_of_rounds(measured, subject)) is not None:
        notes.append(others)
    if rounds.rival is not None:
        notes.append(INTERLEAVED)
    if (left := floor.note(behind)) is not None:
        notes.append(left)
    return tuple(dict.fromkeys([*notes, *notes_of(measured.metered)]))


def notes_on_rounds(rounds_s: Sequence[float], precision_pct: float) -> list[str]:
    """Return what a reader must know of the rounds' times.

    Args:
        rounds_s: Seconds of each.
        precision_pct: Half-width of the median's interval that was wanted, in percent of it.
    """
    notes = []
    half_width = half_width_pct(rounds_s)
    if half_width is not None and half_width > precision_pct:
        needed = rounds_needed(rounds_s, precision_pct)
        more = f", where about {needed} would do (--leanner-seconds gives them time)" if needed > len(rounds_s) else ""
        bound = f"{len(rounds_s)} bound the median to ±{half_width:.1f} %, wanted ±{precision_pct:g} %"
        notes.append(f"too few rounds: {bound}{more}")
    if len(rounds_s) > 1 and (spread := statistics.stdev(rounds_s) / statistics.mean(rounds_s)) >= UNSTABLE:
        notes.append(f"the rounds' times spread by {100 * spread:.0f} % (standard deviation over mean)")
    return notes


def _spans_of_rounds(measured: Measured, subject: Subject) -> str | None:
    """Return where rounds, whose mini-batches are others, gave other spans than the pass that F1 is of."""
    of_all = zip(subject.documents, measured.itself.predictions, strict=True)
    of_f1 = {id(document): spans for document, spans in of_all}
    of_rounds = zip(subject.timed.documents, measured.rounds.predictions, strict=True)
    differ = sum(of_f1[id(document)] != spans for document, spans in of_rounds)
    if not differ:
        return None
    return f"rounds gave other spans than F1 is of in {differ} of {len(subject.timed.documents)} documents"
