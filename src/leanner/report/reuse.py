"""Whether a case that an earlier run saved is the one that is wanted now."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.parse import shown
from leanner.report.record import Verdict
from leanner.report.stored import damaged
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.report.journal import Saved


#: Options that change no case: where text and files lie, which cases run and when, what fails a test. The
#: text itself and the device are compared by what the record says of them. An option that is not named
#: here is taken to matter.
IMMATERIAL: Final = frozenset(
    {
        "corpora",
        "device",
        "everything",
        "strict",
        "lock",
        "journal",
        "resume",
        "record_meters",
        "compare",
        "compare_fail",
        "compare_gates",
        "compare_store",
        "compare_across_machines",
        "aa",
    },
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A case as this run would measure it.

    Attributes:
        configuration: Its name.
        passes: As ``Pass.describe`` gives them, in their order.
        device: As in a record.
        weights_sha256: Of the tagger as loaded.
        corpus_sha256: Of the text.
        environment: As in a record, commit included.
        options: Every ``--leanner-…`` option and its value.
    """

    configuration: str
    passes: tuple[Mapping[str, Any], ...]
    device: str
    weights_sha256: str
    corpus_sha256: str
    environment: Mapping[str, Any]
    options: Mapping[str, Any]


def differences(saved: Saved, wanted: Wanted, report: Path) -> list[str]:
    """Return in words what keeps a saved case from standing for the one that is wanted; nothing if it may.

    Args:
        saved: From a journal.
        wanted: What this run would measure.
        report: The report that the files of the saved case lie beside.
    """
    record = saved.record
    if record.verdict in (Verdict.ERROR, Verdict.NOT_RUN) or record.tagger is None or record.corpus is None:
        # Quickly done again, and what was missing may be here now.
        return [f"it has no result: its verdict is {record.verdict}"]
    pairs: list[tuple[str, Any, Any]] = [
        ("configuration", record.configuration, wanted.configuration),
        ("passes", [dict(step) for step in record.passes], [dict(step) for step in wanted.passes]),
        ("device", record.device, wanted.device),
        ("sha256 of the tagger's weights", record.tagger.weights_sha256, wanted.weights_sha256),
        ("sha256 of the corpus", record.corpus.sha256, wanted.corpus_sha256),
    ]
    found = [f"{name}: saved {shown(before)}, now {shown(now)}" for name, before, now in pairs if before != now]
    found += _of_commit(record.environment, "saved")
    found += _of_commit(wanted.environment, "now")
    found += _of_tables("environment", record.environment, wanted.environment, frozenset({"dirty"}))
    found += _of_tables("option", saved.asked.options, wanted.options, IMMATERIAL)
    if "predictions" not in stored_files(record.files):
        found.append("files.predictions: saved without them, so nothing can be scored against it")
    return [*found, *map(str, damaged(report, record.files))]


def _of_commit(environment: Mapping[str, Any], when: str) -> Iterator[str]:
    if environment.get("commit") is None:
        yield f"commit: {when} unknown, so nothing says that the code is the same; run in a git checkout"
    if environment.get("dirty"):
        yield f"commit: {when} with changes that are in no commit; commit them first"


def _of_tables(
    kind: str, saved: Mapping[str, Any], wanted: Mapping[str, Any], without: frozenset[str]
) -> Iterator[str]:
    for name in sorted((saved.keys() | wanted.keys()) - without):
        before, now = _plain(saved.get(name)), _plain(wanted.get(name))
        if before != now:
            yield f"{kind} {name}: saved {shown(before)}, now {shown(now)}"


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
