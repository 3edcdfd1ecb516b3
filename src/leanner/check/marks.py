"""Whether a report says what its reader must know: reasons, conditions, doubts, the answer."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.check.compare import compare
from leanner.report.answer import answer
from leanner.report.problem import Problem


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord


#: What a reader looks for first: a number, or why there is none.
_WITH_REASON: Final = (
    *("f1_drop", "f1_drop.low", "f1_drop.high", "f1_drop.bound", "energy", "energy.total_j", "energy.net_j"),
    *("energy.per_1000_sentences_j", "energy.low_j", "energy.high_j", "power.mean_w", "power.peak_w"),
    *("gpu_utilization_pct", "gpu.throttled", "gpu.foreign_pids"),
    *("memory.peak_host_mb", "memory.peak_vram_mb", "memory.weights_mb"),
    *("time.median_s", "latency_ms", "speedup", "flops", "corpus", "tagger"),
)
_OF_F1: Final = ("micro", "GENE", "SPECIES", "DISEASE", "precision", "recall")
_OF_THE_CHECKOUT: Final = ("commit", "dirty")


def problems(report: Report) -> Iterator[Problem]:
    """Yield what the report does not say, or says otherwise in another place."""
    for nodeid, record in report.measured.items():
        for problem in (*_reasons(record), *_doubts(record), *_as_asked(record, report.options)):
            yield problem.under(nodeid)
    first: dict[str, tuple[str, CaseRecord]] = {}
    for nodeid, record in report.cases.items():
        other, reference = first.setdefault(record.device, (nodeid, record))
        for problem in compare("environment", reference.environment, record.environment, f"as in {other}"):
            yield problem.under(nodeid)
    machine = report.data["machine_info"].get("leanner")
    described = [_machine(record) for _, record in first.values()]
    if described and machine not in described:
        yield from compare("machine_info.leanner", described[0], machine, "the environment of the first case")
    yield from compare(
        "leanner.answer", answer(list(report.cases.values())), report.data["leanner"].get("answer"), "from the records"
    )


def _as_asked(record: CaseRecord, options: Mapping[str, Any]) -> Iterator[Problem]:
    yield from compare("seed", options["seed"], record.seed, "the run's option")
    is_replayed = record.energy is not None and record.energy.replayed
    if record.energy is not None and "replay_meters" in options:
        asked = options["replay_meters"] is not None
        yield from compare("energy.replayed", asked, is_replayed, "as --leanner-replay-meters was given or not")
    if record.sampler is not None and "interval_s" in options and not is_replayed:
        yield from compare("sampler.interval_s", options["interval_s"], record.sampler.interval_s, "the run's option")


def _machine(record: CaseRecord) -> dict[str, Any]:
    return {name: value for name, value in record.environment.items() if name not in _OF_THE_CHECKOUT}


def _reasons(record: CaseRecord) -> Iterator[Problem]:
    data = record.to_json()
    by_corpus = record.f1["by_corpus"] if record.f1 is not None else ()
    scores = [f"f1.{name}" for name in _OF_F1] + [
        f"f1.by_corpus.{corpus}.{name}" for corpus in by_corpus for name in _OF_F1
    ]
    for place in (*_WITH_REASON, *scores):
        if _at(data, place) is None and not _explained(place, record.unknown):
            yield Problem(place, "expected a value, or why it is unknown under `unknown`; found neither")


def _at(data: Mapping[str, Any], place: str) -> object:
    """Return the value at ``place``; something else than ``None`` where a part above it is ``None`` already."""
    value: Any = data
    for name in place.split("."):
        value = value.get(name)
        if not isinstance(value, Mapping):
            break
    return value


def _explained(place: str, unknown: Mapping[str, str]) -> bool:
    parts = place.split(".")
    return any(unknown.get(".".join(parts[:number])) for number in range(1, len(parts) + 1))


def _doubts(record: CaseRecord) -> Iterator[Problem]:
    if record.suspect and not record.quality:
        yield Problem("quality", "expected what makes the case suspect, found nothing")
    if record.energy is not None and record.energy.replayed and not any("replay" in note for note in record.quality):
        yield Problem("quality", "expected a note that the joules are replayed from traces, found none")
    gpu = record.gpu
    if gpu is not None and gpu.foreign_pids and not (record.suspect and any("process" in n for n in record.quality)):
        yield Problem(
            "suspect", f"expected true and a note in quality, since {gpu.foreign_pids} were on the device too"
        )
    if gpu is not None and gpu.throttled and not any("throttl" in note for note in record.quality):
        yield Problem("quality", "expected a note that the device was throttled, found none")
