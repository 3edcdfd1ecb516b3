"""The table at the end of a run, and its footnotes."""

from __future__ import annotations

import re

from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.console import Group
from rich.console import RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from leanner.report.columns import COST
from leanner.report.columns import reason_of
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.report.served import served
from leanner.report.served import served_columns


#: Columns of what is no terminal: a log, a file.
WIDE: Final = 200

_STYLES: Final = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.RECORDED: "cyan",
    Verdict.NOT_RUN: "dim",
    Verdict.ERROR: "bold red",
}


class _Footnotes:
    """Numbers reasons in the order in which the table needs them, each once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, reason: str | None) -> str:
        """Return the marker of ``reason``."""
        if not reason:
            return ""
        if reason not in self.texts:
            self.texts.append(reason)
        return f"[{self.texts.index(reason) + 1}]"


def render(records: Sequence[CaseRecord], width: int = WIDE) -> RenderableType:
    """Return the cases as a table, those behind a server and F1 by corpus below it, and why a value is unknown.

    Args:
        records: In the order of the rows.
        width: Columns there are; if they do not take all side by side, what a case costs gets a table of its own.
    """
    notes = _Footnotes()
    loss = ("configuration", "verdict", "F1", "loss pt [95 %]", "bound")
    rows = [(_loss_cells(record, notes), _cost_cells(record, notes)) for record in records]
    headings = [column.heading for column in COST]
    whole = _table("leanner", (*loss, *headings), [[*first, *second] for first, second in rows])
    parts: list[RenderableType] = [whole]
    if _columns(whole) > width:
        parts = [
            _table("leanner: F1", loss, [first for first, _ in rows]),
            _table("leanner: cost", (loss[0], *headings), [[first[0], *second] for first, second in rows]),
        ]
    parts.extend(_served(records, notes, width))
    if any(record.f1 for record in records):
        parts.append(_by_corpus(records))
    parts.extend(Text(f"[{number}] {text}", style="dim") for number, text in enumerate(notes.texts, 1))
    parts.extend(Text(remark, style="dim") for remark in (*_rounds(records), *_remarks(records)))
    return Group(*parts)


def _columns(table: Table) -> int:
    """Return how many columns of a terminal the table takes, nothing cut off."""
    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).maximum


def title(record: CaseRecord) -> str:
    """Return the configuration, with the device if it is not the CPU."""
    return record.configuration if record.device == "cpu" else f"{record.configuration} ({record.device})"


def _table(name: str, headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    table = Table(title=name, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings:
        left = heading in ("configuration", "verdict")
        # names of corpora are text from outside
        table.add_column(Text(heading), justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _loss_cells(record: CaseRecord, notes: _Footnotes) -> list[Text]:
    explained = record.verdict not in (Verdict.PASS, Verdict.RECORDED)
    mark = notes.mark("; ".join(record.reasons)) if explained else ""
    drop = record.f1_drop
    loss = _cell(record, drop.points if drop else None, ".2f", "f1_drop", notes)
    if drop is not None and drop.low is not None and drop.high is not None:
        loss += f" [{drop.low:.2f}, {drop.high:.2f}]"
    return [
        # plain text: brackets in a name would be read as markup
        Text(title(record)),
        Text(record.verdict + mark, style=_STYLES[record.verdict]),
        Text(_cell(record, record.f1["micro"] if record.f1 else None, ".4f", "f1", notes)),
        Text(loss),
        Text(_cell(record, drop.bound if drop else None, ".1f", "f1_drop.bound", notes)),
    ]


def _cost_cells(record: CaseRecord, notes: _Footnotes) -> list[Text]:
    estimated = record.energy is not None and "estimate" in record.energy.sources
    cells = []
    for column in COST:
        value = column.value(record)
        sign = "~" if column.is_energy and estimated and value is not None else ""
        cells.append(Text(sign + _cell(record, value, column.form, column.field, notes)))
    return cells


def _cell(record: CaseRecord, value: float | None, form: str, field: str, notes: _Footnotes) -> str:
    if value is not None:
        return format(value, form)
    if record.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        return "-"
    return f"-{notes.mark(reason_of(record, field))}"


def _served(records: Sequence[CaseRecord], notes: _Footnotes, width: int) -> list[Table]:
    """Return what was seen of the cases behind a server; what the server told is apart if it does not fit beside."""
    rows = [
        [
            Text(title(record)),
            *(Text(("-" if told.text is None else told.text) + notes.mark(told.reason)) for told in cells),
        ]
        for record, cells in served(records)
    ]
    if not rows:
        return []
    headings = ("configuration", *(column.heading for column in served_columns(records)))
    whole = _table("served", headings, rows)
    if _columns(whole) <= width:
        return [whole]
    half = headings.index("alone ms")
    return [
        _table("served: load", headings[:half], [row[:half] for row in rows]),
        _table("served: server", (headings[0], *headings[half:]), [[row[0], *row[half:]] for row in rows]),
    ]


def _by_corpus(records: Sequence[CaseRecord]) -> Table:
    corpora = sorted({name for record in records if record.f1 for name in record.f1["by_corpus"]})
    keys = ("macro_over_corpora", "GENE", "SPECIES", "DISEASE", "precision", "recall")
    rows = []
    for record in records:
        if record.f1:
            values = [record.f1["by_corpus"].get(name, {}).get("micro") for name in corpora]
            values += [record.f1.get(key) for key in keys]
            cells = [Text("-" if value is None else f"{value:.4f}") for value in values]
            rows.append([Text(title(record)), *cells])
    return _table("F1 by corpus and label", ("configuration", *corpora, "macro", *keys[1:]), rows)


def _rounds(records: Sequence[CaseRecord]) -> list[str]:
    """Return what a round is, where it is not the whole corpus."""
    sizes = {(r.time.sentences, r.corpus.sentences) for r in records if r.time is not None and r.corpus is not None}
    return [
        f"a round tags {part:,} of the {whole:,} sentences; F1 is of all of them"
        for part, whole in sorted(sizes)
        if part < whole
    ]


def _remarks(records: Sequence[CaseRecord]) -> list[str]:
    """Return the quality notes, those that differ in their numbers alone once, with the first one's numbers."""
    kinds: dict[str, tuple[str, list[str]]] = {}
    for record in records:
        for note in record.quality:
            kinds.setdefault(re.sub(r"[0-9.]+", "#", note), (note, []))[1].append(title(record))
    measured = sum(record.f1 is not None for record in records)
    return [
        f"{'all' if len(set(names)) == measured > 1 else ', '.join(dict.fromkeys(names))}: {note}"
        for note, names in kinds.values()
    ]
