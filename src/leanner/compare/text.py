"""A comparison for people: a table on the terminal, and Markdown for the summary of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from leanner.compare.comparison import Change
from leanner.compare.evidence import ALPHA
from leanner.compare.evidence import ALPHA_ALONE
from leanner.compare.outcome import Outcome


if TYPE_CHECKING:
    from leanner.compare.comparison import Case
    from leanner.compare.comparison import Comparison
    from leanner.compare.evidence import Evidence


STYLES: Final = {
    Outcome.WORSE: "bold red",
    Outcome.REMOVED: "bold red",
    Outcome.BETTER: "green",
    Outcome.SAME: "",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.NEW: "cyan",
    Outcome.NOT_GATED: "dim",
}
#: In the order in which a reader wants them.
_ORDER: Final = tuple(STYLES)
HEADINGS: Final = ("outcome", "configuration", "metric", "baseline", "new", "change [95 %]", "p (Holm)", "gate", "by")
#: What Markdown folds up: a summary shows what there is to do.
_FOLDED: Final = (Outcome.INCONCLUSIVE, Outcome.SAME, Outcome.NOT_GATED)
#: Names of sessions that a headline lists.
_NAMED: Final = 3


def headline(comparison: Comparison) -> str:
    """Return the answer in a sentence."""
    counts = [(outcome, comparison.count(outcome)) for outcome in _ORDER if outcome is not Outcome.NOT_GATED]
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts if number)
    light = "WORSE" if comparison.failing else "CANNOT COMPARE" if comparison.unjudged else "nothing worse"
    why = f": {comparison.unjudged}" if comparison.unjudged else ""
    return f"{light}: {_names(comparison.after)} against {_names(comparison.before)}: {told or 'nothing is gated'}{why}"


def table(comparison: Comparison, *, everything: bool = False) -> RenderableType:
    """Return the changes as a table, and what is to be said of them below it.

    Args:
        comparison: What came of comparing.
        everything: Whether metrics that are not gated are shown.
    """
    grid = Table(title="leanner compare", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in HEADINGS:
        left = heading in ("outcome", "configuration", "metric", "gate", "by")
        grid.add_column(heading, justify="left" if left else "right", no_wrap=True)
    notes: list[str] = []
    for each in _sorted(comparison, everything=everything):
        cells = cells_of(each)
        if each.note:
            if each.note not in notes:
                notes.append(each.note)
            cells[0] += f"[{notes.index(each.note) + 1}]"
        # plain text: brackets in a name would be read as markup
        grid.add_row(Text(cells[0], style=STYLES[each.outcome]), *map(Text, cells[1:]))
    parts: list[RenderableType] = [grid]
    parts += [Text(f"[{number}] {note}", style="dim") for number, note in enumerate(notes, 1)]
    parts += [Text(mark, style="yellow") for mark in comparison.marks]
    return Group(*parts, Text(""), Text(headline(comparison), style="bold"))


def markdown(comparison: Comparison) -> str:
    """Return the changes as Markdown: the answer, what is worse, better or new, and the rest folded up."""
    rows = _sorted(comparison, everything=True)
    first = [each for each in rows if each.outcome not in _FOLDED]
    sign = "🔴" if comparison.failing else "⚪" if comparison.unjudged else "🟢"
    lines = [f"### {sign} {escaped(headline(comparison))}", ""]
    if first:
        lines += [*_markdown_table(first), ""]
    lines += [f"- {escaped(mark)}" for mark in comparison.marks]
    if comparison.marks:
        lines.append("")
    for outcome in _FOLDED:
        if rest := [each for each in rows if each.outcome is outcome]:
            summary = f"<summary>{len(rest)} {outcome}</summary>"
            lines += ["<details>", summary, "", *_markdown_table(rest), "", "</details>", ""]
    lines.append(
        f"Worse: beyond the gate, and p < {ALPHA} after Holm's adjustment over {comparison.tests} gated "
        f"{'test' if comparison.tests == 1 else 'tests'} ({ALPHA_ALONE} between sessions where the baseline is one)."
    )
    return "\n".join(lines) + "\n"


def _markdown_table(rows: Sequence[Change | Case]) -> list[str]:
    lines = [
        "| " + " | ".join((*HEADINGS, "note")) + " |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- | --- | --- |",
    ]
    for each in rows:
        cells = [escaped(cell) for cell in (*cells_of(each), each.note)]
        if each.outcome.fails:
            cells[0] = f"**{cells[0]}**"
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _sorted(comparison: Comparison, *, everything: bool) -> list[Change | Case]:
    rows: list[Change | Case] = [*comparison.cases, *comparison.changes]
    if not everything:
        rows = [each for each in rows if each.outcome is not Outcome.NOT_GATED]
    return sorted(rows, key=lambda each: _ORDER.index(each.outcome))


def cells_of(each: Change | Case) -> list[str]:
    """Return a row of the table: a text for each of ``HEADINGS``."""
    name = each.configuration if each.device == "cpu" else f"{each.configuration} ({each.device})"
    if not isinstance(each, Change):
        return [str(each.outcome), name, *[""] * (len(HEADINGS) - 2)]
    gate = "" if each.threshold is None else str(each.threshold)
    evidence = each.evidence
    if evidence is None:
        return [str(each.outcome), name, each.metric.name, "-", "-", "-", "-", gate, ""]
    unit = "" if each.metric.unit == "pt" else f" {each.metric.unit}"
    p = "-" if each.adjusted is None else "<0.0001" if each.adjusted < 0.0001 else f"{each.adjusted:.2g}"
    return [
        str(each.outcome),
        name,
        each.metric.name,
        f"{evidence.before:.4g}{unit}",
        f"{evidence.after:.4g}{unit}",
        _change(each, evidence),
        p,
        gate,
        str(evidence.basis),
    ]


def _change(change: Change, evidence: Evidence) -> str:
    """Return the change with its interval: of costs in percent, up is more; of F1 in points, up is better."""
    numbers = (evidence.worse_by, evidence.low, evidence.high)
    if change.metric.is_cost:
        scale, form, unit = (100.0 / evidence.before if evidence.before else 0.0), "+.1f", " %"
        value, low, high = numbers
    else:
        scale, form, unit = -1.0, "+.2f", " pt"
        value, low, high = numbers[0], numbers[2], numbers[1]
    # a change too small for the digits is no "-0.0"
    text = format(scale * value + 0.0, form) + unit
    return text if low is None or high is None else f"{text} [{scale * low + 0.0:{form}}, {scale * high + 0.0:{form}}]"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[-_NAMED:])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} earlier sessions"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in a cell too."""
    for sign in "\\`*_[]<>|~":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")
