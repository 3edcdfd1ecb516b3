"""The table at the end of a run, and its footnotes."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from leanner.report.record import CaseRecord
from leanner.report.record import Verdict


_STYLES = {
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


def render(records: Sequence[CaseRecord]) -> RenderableType:
    """Return the cases as a table, F1 by corpus below it, and why a value is unknown."""
    notes = _Footnotes()
    parts: list[RenderableType] = [_cases(records, notes)]
    if any(record.f1 for record in records):
        parts.append(_by_corpus(records))
    parts.extend(Text(f"[{number}] {text}", style="dim") for number, text in enumerate(notes.texts, 1))
    remarks: dict[str, list[str]] = {}
    for record in records:
        for note in record.quality:
            remarks.setdefault(note, []).append(title(record))
    parts.extend(
        Text(f"{'all' if len(names) == len(records) else ', '.join(names)}: {note}", style="dim")
        for note, names in remarks.items()
    )
    return Group(*parts)


def title(record: CaseRecord) -> str:
    """Return the configuration, with the device if it is not the CPU."""
    return record.configuration if record.device == "cpu" else f"{record.configuration} ({record.device})"


def _cases(records: Sequence[CaseRecord], notes: _Footnotes) -> Table:
    table = Table(title="leanner", title_justify="left")
    table.add_column("configuration", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for heading in (
        "F1",
        "loss pt [95 %]",
        "bound",
        "s/round",
        "sent/s",
        "faster",
        "p50 ms",
        "p99 ms",
        "J",
        "J/1000 sent",
        "peak MB",
        "VRAM MB",
        "weights MB",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        # brackets would be read as markup in a plain string
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in _row(record, notes)))
    return table


def _row(record: CaseRecord, notes: _Footnotes) -> list[str | Text]:
    def cell(value: float | None, form: str, field: str) -> str:
        if value is not None:
            return format(value, form)
        if record.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
            return "-"
        return f"-{notes.mark(record.unknown.get(field))}"

    drop, energy, memory, time, latency = (
        record.f1_drop, record.energy, record.memory, record.time, record.latency_ms
    )  # fmt: skip
    estimated = "~" if energy is not None and "estimate" in energy.sources else ""
    joules = energy.total_j if energy is not None else None
    per_1000 = energy.per_1000_sentences_j if energy is not None else None
    explained = record.verdict not in (Verdict.PASS, Verdict.RECORDED)
    return [
        title(record),
        Text(
            record.verdict + (notes.mark("; ".join(record.reasons)) if explained else ""), style=_STYLES[record.verdict]
        ),
        cell(record.f1["micro"] if record.f1 else None, ".4f", "f1"),
        _loss(record, cell),
        cell(drop.bound if drop else None, ".1f", "f1_drop.bound"),
        cell(time.median_s if time else None, ".3g", "time"),
        cell(time.sentences_per_s if time else None, ".1f", "time"),
        cell(record.speedup.value if record.speedup else None, ".2f", "speedup"),
        cell(latency.p50 if latency else None, ".1f", "latency_ms"),
        cell(latency.p99 if latency else None, ".1f", "latency_ms"),
        (estimated if joules is not None else "") + cell(joules, ".1f", "energy"),
        (estimated if per_1000 is not None else "") + cell(per_1000, ".1f", "energy"),
        cell(memory.peak_host_mb if memory else None, ".0f", "memory.peak_host_mb"),
        cell(memory.peak_vram_mb if memory else None, ".0f", "memory.peak_vram_mb"),
        cell(memory.weights_mb if memory else None, ".1f", "memory.weights_mb"),
    ]


def _loss(record: CaseRecord, cell: Callable[[float | None, str, str], str]) -> str:
    drop = record.f1_drop
    if drop is None or drop.low is None or drop.high is None:
        return cell(drop.points if drop else None, ".2f", "f1_drop")
    return f"{drop.points:.2f} [{drop.low:.2f}, {drop.high:.2f}]"


def _by_corpus(records: Sequence[CaseRecord]) -> Table:
    corpora = sorted({name for record in records if record.f1 for name in record.f1["by_corpus"]})
    table = Table(title="F1 by corpus and label", title_justify="left")
    table.add_column("configuration", no_wrap=True)
    for heading in (*corpora, "macro", "GENE", "SPECIES", "DISEASE", "precision", "recall"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        f1 = record.f1
        if not f1:
            continue
        values = [f1["by_corpus"].get(name, {}).get("micro") for name in corpora]
        values += [f1.get(k) for k in ("macro_over_corpora", "GENE", "SPECIES", "DISEASE", "precision", "recall")]
        table.add_row(Text(title(record)), *("-" if value is None else f"{value:.4f}" for value in values))
    return table
