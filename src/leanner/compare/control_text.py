"""The A/A control for people: what the gate said of the pair, and how often it alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from leanner.compare.outcome import Outcome
from leanner.compare.text import HEADINGS
from leanner.compare.text import STYLES
from leanner.compare.text import cells_of
from leanner.compare.text import escaped
from leanner.configurations import BASELINE
from leanner.configurations import CONTROL


if TYPE_CHECKING:
    from leanner.compare.comparison import Case
    from leanner.compare.comparison import Change
    from leanner.compare.control import Control
    from leanner.compare.control import Rate


_HEADINGS = (*HEADINGS[:3], BASELINE, CONTROL, *HEADINGS[5:8], "relabelled", "of sessions")
_LEGEND = (
    "relabelled: of the ways to exchange names within each A B B A of windows, how many alarm; of sessions: in how "
    "many that are stored of this machine, this one among them, the pair alarmed [95 %]; peaks are left out, since "
    f"{CONTROL} holds the tagger of {BASELINE} beside its own"
)


def control_table(control: Control) -> RenderableType:
    """Return the control as a table, with what is to be said of it."""
    grid = Table(title="A/A control", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in _HEADINGS:
        left = heading in ("outcome", "configuration", "metric", "gate")
        grid.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for each, cells in _rows(control):
        grid.add_row(Text(cells[0], style=STYLES[each.outcome]), *map(Text, cells[1:]))
    parts: list[RenderableType] = [grid, *(Text(line, style="dim") for line in _lines(control))]
    return Group(*parts, Text(""), Text(verdict(control), style="bold"))


def control_markdown(control: Control) -> str:
    """Return the same as Markdown."""
    lines = [f"#### {escaped(verdict(control))}", "", "| " + " | ".join(_HEADINGS) + " |"]
    lines.append("| --- | --- | --- |" + " ---: |" * 4 + " --- | ---: | ---: |")
    lines += ["| " + " | ".join(map(escaped, cells)) + " |" for _, cells in _rows(control)]
    return "\n".join([*lines, "", *(f"- {escaped(line)}" for line in _lines(control))]) + "\n"


def verdict(control: Control) -> str:
    """Return the control in a sentence."""
    comparison = control.comparison
    alarmed = [each.metric.name for each in comparison.changes if each.outcome is Outcome.WORSE]
    told = f"FALSE ALARM by {', '.join(alarmed)}" if alarmed else "no false alarm"
    gates = f"{comparison.tests} gate{'' if comparison.tests == 1 else 's'}"
    return f"A/A control: {told} of {gates}; sessions with one: {_share(control.sessions)}"


def _rows(control: Control) -> list[tuple[Change | Case, list[str]]]:
    rows: list[tuple[Change | Case, list[str]]] = []
    rows += [(case, [*cells_of(case)[:8], "-", "-"]) for case in control.comparison.cases]
    for change in control.comparison.changes:
        if change.threshold is not None:
            gate = change.device, change.metric.name
            relabelled, stored = control.relabelled.get(gate), control.stored.get(gate)
            shares = [
                "-" if relabelled is None else f"{relabelled.alarms} of {relabelled.trials}",
                "-" if stored is None else _share(stored),
            ]
            rows.append((change, [*cells_of(change)[:8], *shares]))
    return rows


def _lines(control: Control) -> list[str]:
    lines = []
    for device, evidence in control.between.items():
        where = "" if device == "cpu" else f" ({device})"
        scale = 100.0 / evidence.before
        ends = (
            ""
            if evidence.low is None or evidence.high is None
            else (f" [{scale * evidence.low:+.1f}, {scale * evidence.high:+.1f}]")
        )
        p = "" if evidence.p is None else f", p {evidence.p:.2g}"
        lines.append(f"time of rounds that lie between each other{where}: {scale * evidence.worse_by:+.1f} %{ends}{p}")
    notes = [each.note for each, _ in _rows(control) if each.note]
    return [*lines, *dict.fromkeys(notes), _LEGEND]


def _share(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.alarms} of {rate.trials} [{100.0 * low:.1f}, {100.0 * high:.1f}] %"
