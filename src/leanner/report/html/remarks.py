"""The section on what was measured where, and what a reader must know of it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from leanner.report.html.section import Section
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


def section(run: Run) -> Section:
    """Return the section of a run: environment, text and tagger, options, notes, reasons, and what is unknown."""
    records = run.records
    leanner = run.report.data["leanner"]
    content = {
        "environments": _grouped(records, lambda record: _pairs(record.environment)),
        "taggers": _grouped(records, _subject),
        "options": _pairs(run.report.options),
        "quality": _notes(records, lambda record: record.quality),
        "suspect": [title(record) for record in records if record.suspect],
        "reasons": [(title(record), str(record.verdict), list(record.reasons)) for record in records if record.reasons],
        "unknown": _notes(records, lambda record: [f"{place}: {why}" for place, why in record.unknown.items()]),
        "repaired": list(leanner.get("repaired", ())),
        "resumed": list(leanner.get("resumed", ())),
    }
    return Section("remarks", "Environment and notes", content)


def _grouped(records: Sequence[CaseRecord], told: Any) -> list[tuple[list[tuple[str, str]], list[str]]]:  # noqa: ANN401
    """Return what is told of the cases, each once, with the names of the cases that it is told of."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for record in records:
        if pairs := tuple(told(record)):
            groups.setdefault(pairs, []).append(title(record))
    return [(list(pairs), names) for pairs, names in groups.items()]


def _notes(records: Sequence[CaseRecord], told: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - a function
    """Return each note once, with the cases that have it."""
    notes: dict[str, list[str]] = {}
    for record in records:
        for note in told(record):
            notes.setdefault(note, []).append(title(record))
    every = len(records)
    return [(note, "all" if len(names) == every > 1 else ", ".join(names)) for note, names in notes.items()]


def _subject(record: CaseRecord) -> list[tuple[str, str]]:
    pairs = []
    if record.tagger is not None:
        tagger = record.tagger
        pairs.append(("tagger", f"{tagger.name}, {tagger.parameters:,} parameters, sha256 {tagger.weights_sha256}"))
    if record.corpus is not None:
        corpus = record.corpus
        size = f"{corpus.sentences:,} sentences, {corpus.tokens:,} words, {corpus.mentions:,} mentions"
        pairs.append(("corpus", f"{corpus.name}, {size}, {corpus.articles:,} articles, sha256 {corpus.sha256}"))
    return pairs


def _pairs(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _text(value)) for name, value in content.items()]


def _text(value: object) -> str:
    if value is None:
        return "not known, or not asked for"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return str(value)
