"""The samples of a window as JSON and back: a column for each channel of a source, times from the window's begin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


if TYPE_CHECKING:
    from leanner.meters.json_fields import Fields


#: One letter for each sample.
_LETTERS: Final = {Moment.START: "(", Moment.TICK: ".", Moment.STOP: ")"}
_MOMENTS: Final = {letter: moment for moment, letter in _LETTERS.items()}


def trace_to_json(trace: Trace) -> dict[str, object]:
    """Return JSON-ready built-ins; a value that a sample lacks is ``null``."""
    names = dict.fromkeys(sample.source for sample in trace.samples)
    health = trace.health
    return {
        "start_ns": trace.start_ns,
        "window_ns": trace.end_ns - trace.start_ns,
        "interval_s": trace.interval_s,
        "binned_s": trace.binned_s,
        "health": {
            "ticks": health.ticks,
            "longest_gap_s": health.longest_gap_s,
            "period_p99_s": health.period_p99_s,
            "cpu_s": health.cpu_s,
            "failure": health.failure,
        },
        "sources": {name: _columns(list(trace.of(name)), trace.start_ns) for name in names},
    }


def trace_from_json(fields: Fields) -> Trace:
    """Return the trace. Samples of different sources at the same nanosecond may have changed places.

    Raises:
        TraceFileError: Something is missing, of another type or of another length, or out of order.
    """
    start_ns = fields.get("start_ns", int)
    health, sources = fields.inner("health"), fields.inner("sources")
    samples = [sample for name in sources for sample in _samples(name, sources.inner(name), start_ns)]
    return Trace(
        start_ns=start_ns,
        end_ns=start_ns + fields.count("window_ns"),
        interval_s=fields.number("interval_s"),
        samples=tuple(sorted(samples, key=lambda sample: sample.t_ns)),
        health=Health(
            ticks=health.count("ticks"),
            longest_gap_s=health.number("longest_gap_s"),
            period_p99_s=health.maybe_number("period_p99_s"),
            cpu_s=health.maybe_number("cpu_s"),
            failure=health.maybe("failure", str),
        ),
        binned_s=fields.maybe_number("binned_s"),
    )


def _columns(samples: list[Sample], start_ns: int) -> dict[str, object]:
    channels = dict.fromkeys(channel for sample in samples for channel in sample.values)
    failing = dict.fromkeys(channel for sample in samples for channel in sample.failures)
    return {
        "t_ns": [sample.t_ns - start_ns for sample in samples],
        "moments": "".join(_LETTERS[sample.moment] for sample in samples),
        "values": {channel: [sample.values.get(channel) for sample in samples] for channel in channels},
        "failures": {
            channel: [
                [row, sample.failures[channel]] for row, sample in enumerate(samples) if channel in sample.failures
            ]
            for channel in failing
        },
    }


def _samples(source: str, fields: Fields, start_ns: int) -> list[Sample]:
    times = fields.items("t_ns")
    letters = fields.get("moments", str)
    if len(letters) != len(times):
        fields.refuse(f"'moments' of length {len(times)}, as 't_ns'", letters)
    values, failures = fields.inner("values"), fields.inner("failures")
    by_row: list[dict[str, float]] = [{} for _ in times]
    failed: list[dict[str, str]] = [{} for _ in times]
    for channel in values:
        _read_values(channel, values, by_row)
    for channel in failures:
        _read_failures(channel, failures, failed)
    samples: list[Sample] = []
    last_ns: int | None = None
    for t_ns, letter, row, why in zip(times, letters, by_row, failed, strict=True):
        if isinstance(t_ns, bool) or not isinstance(t_ns, int) or (last_ns is not None and t_ns < last_ns):
            fields.refuse("'t_ns' to be nanoseconds in the order of time", t_ns)
        if letter not in _MOMENTS:
            fields.refuse(f"'moments' to be of {''.join(_MOMENTS)}", letter)
        samples.append(Sample(source, _MOMENTS[letter], start_ns + t_ns, row, why))
        last_ns = t_ns
    return samples


def _read_values(channel: str, fields: Fields, rows: list[dict[str, float]]) -> None:
    column = fields.items(channel)
    if len(column) != len(rows):
        fields.refuse(f"{len(rows)} values of {channel!r}, as 't_ns'", len(column))
    for row, value in zip(rows, column, strict=True):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            fields.refuse(f"a number or null in {channel!r}", value)
        row[channel] = value


def _read_failures(channel: str, fields: Fields, rows: list[dict[str, str]]) -> None:
    for item in fields.items(channel):
        match item:
            case [int() as number, str() as text] if 0 <= number < len(rows):
                rows[number][channel] = text
            case _:
                fields.refuse(f"a row below {len(rows)} and a text in {channel!r}", item)
