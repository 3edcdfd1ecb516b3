"""Parts of a record: time, memory, sparsity and what a reader must know."""

from __future__ import annotations

import re
import statistics

from typing import TYPE_CHECKING
from typing import Final

from leanner.measure.joules import highest
from leanner.report.record import Memory
from leanner.report.record import Sparsity
from leanner.report.record import Time


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.configurations import Configuration
    from leanner.measure.subject import Subject
    from leanner.meters import Reading
    from leanner.taggers.protocol import Tagger
    from leanner.taggers.weights import Weights


#: Spread of the rounds from which on their median is doubtful, as pyperf's ``check`` has it.
UNSTABLE: Final = 0.1


def time_of(rounds_s: tuple[float, ...], subject: Subject, prepare_s: float) -> Time:
    """Return the record's ``time``; everything but ``prepare_s`` is ``None`` without rounds."""
    if not rounds_s:
        return Time((), None, None, None, prepare_s)
    median = statistics.median(rounds_s)
    info = subject.info
    return Time(rounds_s, median, info.sentences / median, info.tokens / median, prepare_s)


def memory_of(readings: Sequence[Reading], weights: Weights, device: str, unknown: dict[str, str]) -> Memory:
    """Return the record's ``memory``; adds to ``unknown``."""
    host = highest(readings, lambda r: r.peak_host_mb)
    vram = highest(readings, lambda r: r.peak_vram_mb if r.peak_vram_mb is not None else r.peak_vram_allocated_mb)
    reasons = {name: reason for reading in readings for name, reason in reading.reasons.items()}
    if host is None:
        unknown["memory.peak_host_mb"] = reasons.get("peak_host_mb", "no sample of the process tree")
    if vram is None:
        on_cpu = "the case does not run on a GPU"
        unknown["memory.peak_vram_mb"] = on_cpu if device == "cpu" else reasons.get("peak_vram_mb", "no sample")
    return Memory(peak_host_mb=host, peak_vram_mb=vram, weights_mb=weights.weights_mb)


def sparsity_of(configuration: Configuration, weights: Weights) -> Sparsity | None:
    """Return the zeros that the passes asked for, and those that are there; ``None`` if none asked."""
    asked = [getattr(step, "sparsity", None) for step in configuration.passes]
    known = [share for share in asked if share is not None]
    if not known or weights.sparsity is None:
        return None
    return Sparsity(asked=known[-1], weights=weights.sparsity)


def quality_of(
    tagger: Tagger, readings: Sequence[Reading], rounds_s: Sequence[float], outcomes: int, subject: Subject
) -> tuple[str, ...]:
    """Return what a reader must know: of the text, the tagger and the readings, each once.

    Args:
        tagger: After its passes.
        readings: One for each round.
        rounds_s: Seconds of each round.
        outcomes: Different sets of spans that the rounds gave; more than one is no fixed result.
        subject: What was tagged.
    """
    notes = [*subject.quality, *tagger.quality]
    if outcomes > 1:
        notes.append(f"rounds gave {outcomes} different sets of spans; F1 is of the last")
    if len(rounds_s) > 1 and (spread := statistics.stdev(rounds_s) / statistics.mean(rounds_s)) >= UNSTABLE:
        notes.append(f"the rounds' times spread by {100 * spread:.0f} % (standard deviation over mean)")
    return tuple(dict.fromkeys([*notes, *_by_round(readings)]))


def _by_round(readings: Sequence[Reading]) -> list[str]:
    """Return what the readings note, once for each kind of note, with the rounds that have it."""
    kinds: dict[str, list[str]] = {}
    for reading in readings:
        for note in reading.quality:
            kinds.setdefault(re.sub(r"[0-9.]+", "#", note), []).append(note)
    return [
        notes[0]
        if len(notes) == len(readings) and len(set(notes)) == 1
        else f"{max(notes)} ({len(notes)} of {len(readings)} rounds)"
        for notes in kinds.values()
    ]
