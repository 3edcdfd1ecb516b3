"""What is told of a served case, column by column: how it looks, what it means, and why it is unknown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.columns import reason_of


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


#: Of an interval that lacks an end: how many would do differs from case to case, and the report has it.
NO_END: Final = "too few requests, for how much they depend on each other, to bound that end of the interval"
_NOT_LOGGED: Final = "the server logged no batch"
_HERE: Final = "it is served in this process, and no other was started"
_NO_BOUND: Final = "no bound of the p99 was given (--leanner-slo-ms)"
_NOT_TOLD: Final = "the kernel does not tell what memory the server's processes share"


@dataclass(frozen=True, slots=True)
class Told:
    """A cell.

    Attributes:
        text: ``None`` if it is unknown.
        sort: What a column is sorted by; ``None`` if it is unknown.
        reason: Why it is unknown, or a part of it; ``None`` if nothing is.
    """

    text: str | None
    sort: float | str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ServedColumn:
    """A column: what it means, and what it tells of the record of a served case."""

    heading: str
    meaning: str
    tell: Callable[[CaseRecord, Mapping[str, Any]], Told]


def served_columns(records: Sequence[CaseRecord]) -> tuple[ServedColumn, ...]:
    """Return the columns of these cases: those of a rate under a bound only where one was looked for."""
    bounded = any(record.served is not None and record.served["slo"] is not None for record in records)
    return (*SERVED, *(_SLO if bounded else ()))


def served(records: Sequence[CaseRecord]) -> list[tuple[CaseRecord, list[Told]]]:
    """Return the served cases of a run that came to an end, each with its cells in the order of ``served_columns``."""
    columns = served_columns(records)
    return [
        (record, [column.tell(record, record.served) for column in columns])
        for record in records
        if record.served is not None
    ]


def _server(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    name = str(served["server"]["name"])
    return Told(name, name)


def _batch(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    batching = served["batching"]
    size = batching["max_batch_size"]
    return Told(f"{size}{' by length' if batching['by_length'] else ''}", size)


def _delay(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    return _number(served["batching"]["max_batch_delay_ms"], "g")


def _requests(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    return _number(served["requests"], ",d")


def _rate(record: CaseRecord, _: Mapping[str, Any]) -> Told:
    return _number(record.time.sentences_per_s if record.time else None, ".1f", reason_of(record, "time"))


def _quantile(share: str, *path: str) -> Callable[[CaseRecord, Mapping[str, Any]], Told]:
    """Return what tells the milliseconds in which this share of requests was through."""

    def tell(_: CaseRecord, served: Mapping[str, Any]) -> Told:
        found: Any = served
        for name in path:
            found = found[name]
        estimate = found[share]
        return _number(estimate["value"], ".1f", estimate["reason"])

    return tell


def _p99(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    """Return the p99 with the ends of its interval that are known."""
    estimate = served["latency_ms"]["p99"]
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return Told(None, None, estimate["reason"])
    if low is None and high is None:
        return Told(f"{value:.1f}", value, estimate["reason"])
    ends = ["?" if end is None else f"{end:.1f}" for end in (low, high)]
    return Told(f"{value:.1f} [{', '.join(ends)}]", value, NO_END if "?" in ends else None)


def _full(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    share = served["server_side"]["full_share"]
    return _number(None if share is None else 100.0 * share, ".0f", _NOT_LOGGED)


def _start(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    return _number(served["start_s"], ".1f", _HERE)


def _memory(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    # as it was called at first
    found = served.get("tree_mb", served.get("peak_mb"))
    return _number(found, ".0f", _HERE if served["start_s"] is None else _NOT_TOLD)


def _slo(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    """Return the highest rate whose p99 stays under the bound, with the bound."""
    slo = served["slo"]
    if (unknown := _without_rate(slo)) is not None:
        return unknown
    rate = slo["best"]["rate_per_s"]
    return Told(f"{rate:.1f} ({slo['bound_ms']:g} ms)", rate, slo["reason"])


def _slo_watts(record: CaseRecord, served: Mapping[str, Any]) -> Told:
    slo = served["slo"]
    if (unknown := _without_rate(slo)) is not None:
        return unknown
    best = next(trial for trial in slo["trials"] if trial["seed"] == slo["best"]["seed"])
    power = best.get("power_w", {"value": None, "reason": "the report is older than this number"})
    return _marked(record, _number(power["value"], ".1f", power["reason"]))


def _without_rate(slo: Mapping[str, Any] | None) -> Told | None:
    """Return why there is no rate; ``None`` if there is one."""
    if slo is None:
        return Told(None, None, _NO_BOUND)
    return Told(None, None, slo["reason"]) if slo["best"] is None else None


def _same_spans(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    same = served["same_spans"]
    return Told(f"{same['differ']:,} of {same['requests']:,}", same["differ"])


def _other_batches(_: CaseRecord, served: Mapping[str, Any]) -> Told:
    same = served["same_spans"]
    found = same.get("differ_in_other_batches")
    if found is None:
        return Told(None, None, "the report is older than this number")
    return Told(f"{found:,} of {same['requests']:,}", found)


def _joules(record: CaseRecord, _: Mapping[str, Any]) -> Told:
    energy = record.energy
    return _marked(record, _number(energy.per_1000_sentences_j if energy else None, ".1f", reason_of(record, "energy")))


def _marked(record: CaseRecord, told: Told) -> Told:
    """Return joules or watts with a mark if they are estimated."""
    if told.text is None or record.energy is None or "estimate" not in record.energy.sources:
        return told
    return Told(f"~{told.text}", told.sort)


def _number(value: float | None, form: str, reason: str | None = None) -> Told:
    if value is None:
        return Told(None, None, reason or "the report does not say why")
    return Told(format(value, form), value)


SERVED: Final = (
    ServedColumn("server", "what answers the requests", _server),
    ServedColumn("batch", "requests in a batch, at most", _batch),
    ServedColumn("delay ms", "how long the first request of a batch waits for others, at most", _delay),
    ServedColumn("requests", "sent in the measured rounds; a sentence is a request", _requests),
    ServedColumn("req/s", "requests a second at the median time of a round", _rate),
    ServedColumn("p50 ms", "median latency under load, from when a request was due", _quantile("p50", "latency_ms")),
    ServedColumn("p95 ms", "95th percentile of the same", _quantile("p95", "latency_ms")),
    ServedColumn("p99 ms [95 %]", "99th percentile of the same, with its interval", _p99),
    ServedColumn("alone ms", "median latency with no other request in flight", _quantile("p50", "single_ms")),
    ServedColumn("queue ms", "median time until its batch began", _quantile("p50", "server_side", "queue_ms")),
    ServedColumn("model ms", "median time in the batch", _quantile("p50", "server_side", "model_ms")),
    ServedColumn("full %", "share of batches with as many requests as a batch may have", _full),
    ServedColumn("start s", "from the server's start until its worker had the tagger", _start),
    ServedColumn("server MB", "memory of the server's processes when the rounds had ended, shared pages once", _memory),
    ServedColumn(
        "other spans", "requests whose spans are not those of the same batch, tagged without the server", _same_spans
    ),
    ServedColumn("regrouped", "requests whose spans are others when other sentences are in the batch", _other_batches),
    ServedColumn("J/1k sent", "joules per 1,000 requests; ~ is an estimate", _joules),
)

#: Where a bound of the p99 was given.
_SLO: Final = (
    ServedColumn("SLO req/s", "highest rate of arrivals whose p99 stays under the bound, which stands behind it", _slo),
    ServedColumn("SLO W", "mean watts at that rate, idle power included", _slo_watts),
)
