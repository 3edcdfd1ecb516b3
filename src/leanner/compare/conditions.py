"""What two runs must share before their numbers may be compared, and which machine a run was on."""

from __future__ import annotations

import hashlib
import json

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.machine import MACHINE
from leanner.report.parse import shown
from leanner.report.record import Verdict


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord


#: Options that decide what a round does, and what is held beside it.
_OPTIONS: Final = ("round_sentences", "batch_size", "seed", "isolate", "interleave")
#: Libraries that may be the very change that is looked at: said, not refused.
_LIBRARIES: Final = ("torch", "flair", "transformers", "python")
_LENGTH: Final = 12


def machine_of(report: Report) -> dict[str, Any]:
    """Return the machine of a report as JSON-ready built-ins: that of each device on which a case has a result."""
    return {
        device: {name: record.environment.get(field) for name, field in MACHINE.items()}
        | {"UUID": None if record.gpu is None else record.gpu.uuid}
        for device, record in sorted(_by_device(report).items())
    }


def fingerprint(report: Report) -> str:
    """Return the begin of a digest of the machine."""
    return _digest(machine_of(report))


def series(report: Report) -> str:
    """Return the begin of a digest of what else must be the same: tagger, corpus, and the options of the rounds."""
    record = next(iter(report.measured.values()))
    weights = None if record.tagger is None else record.tagger.weights_sha256
    corpus = None if record.corpus is None else record.corpus.sha256
    return _digest([weights, corpus, *(report.options.get(name) for name in _OPTIONS)])


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_LENGTH]


def is_same_hardware(before: Report, after: Report) -> bool:
    """Whether two reports are of one machine, as far as its parts tell: CPU, GPU, and the GPU's UUID where known.

    What may change on a machine (threads, driver, instruction sets that are switched off) is no part of that.
    """
    ours, theirs = _by_device(before), _by_device(after)
    if {record.environment.get("cpu") for record in ours.values()} != {
        record.environment.get("cpu") for record in theirs.values()
    }:
        return False
    common = ours.keys() & theirs.keys()
    # baselines of different devices say nothing of each other
    return bool(common) and all(
        ours[device].environment.get("gpu") == theirs[device].environment.get("gpu")
        and len({gpu.uuid for gpu in (ours[device].gpu, theirs[device].gpu) if gpu is not None}) < 2
        for device in common
    )


def differences(before: Report, after: Report) -> list[str]:
    """Return in words what keeps two reports from being compared; nothing if they may be."""
    found: dict[str, None] = {}
    ours, theirs = _by_device(before), _by_device(after)
    if not ours or not theirs:
        return ["no case of one of them has a result"]
    common = [device for device in ours if device in theirs]
    if not common:
        return [f"device: {', '.join(ours)} and {', '.join(theirs)}"]
    for device in common:
        for name, old, new in _pairs(ours[device], theirs[device]):
            if old != new:
                found[f"{name}: {shown(old)} and {shown(new)}"] = None
    for name in _OPTIONS:
        old, new = before.options.get(name), after.options.get(name)
        if old != new:
            found[f"--leanner-{name.replace('_', '-')}: {shown(old)} and {shown(new)}"] = None
    return list(found)


def remarks(before: Report, after: Report) -> list[str]:
    """Return in words what else differs, and may be why numbers do."""
    found: dict[str, None] = {}
    ours, theirs = _by_device(before), _by_device(after)
    for device in ours.keys() & theirs.keys():
        for name in _LIBRARIES:
            old, new = (side[device].environment.get(name) for side in (ours, theirs))
            if old != new:
                found[f"{name}: {shown(old)} and {shown(new)}"] = None
    return list(found)


def no_baseline(record: CaseRecord) -> str | None:
    """Return why a case is nothing to compare with; ``None`` if it is."""
    if record.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        return f"it is {record.verdict} in the baseline"
    if record.verdict is Verdict.FAIL:
        return "it failed in the baseline: its F1 loss is above its bound"
    if record.suspect:
        return "it is suspect in the baseline: " + ("; ".join(record.quality) or "no reason given")
    return None


def has_result(record: CaseRecord) -> bool:
    """Whether the case was measured."""
    return record.verdict not in (Verdict.NOT_RUN, Verdict.ERROR)


def _by_device(report: Report) -> dict[str, CaseRecord]:
    """Return one case with a result for each device: all of a run share what is compared."""
    first: dict[str, CaseRecord] = {}
    for record in report.measured.values():
        first.setdefault(record.device, record)
    return first


def _pairs(before: CaseRecord, after: CaseRecord) -> Iterator[tuple[str, Any, Any]]:
    for name, field in MACHINE.items():
        yield name, before.environment.get(field), after.environment.get(field)
    if before.gpu is not None and after.gpu is not None:
        yield "GPU's UUID", before.gpu.uuid, after.gpu.uuid
    if before.tagger is not None and after.tagger is not None:
        yield "sha256 of the tagger's weights", before.tagger.weights_sha256, after.tagger.weights_sha256
    if before.corpus is not None and after.corpus is not None:
        yield "sha256 of the corpus", before.corpus.sha256, after.corpus.sha256
