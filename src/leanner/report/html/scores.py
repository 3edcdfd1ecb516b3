"""The section with F1 by corpus and label: scored again from the stored spans, for the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.report.html.figures import ACCENT
from leanner.report.html.figures import axis
from leanner.report.html.figures import categories
from leanner.report.html.figures import errors
from leanner.report.html.figures import hover
from leanner.report.html.figures import layout
from leanner.report.html.figures import plain
from leanner.report.html.section import Figure
from leanner.report.html.section import Section
from leanner.report.numbers import UNKNOWN
from leanner.report.numbers import Cell
from leanner.report.numbers import Notes
from leanner.report.numbers import with_interval
from leanner.report.table import title
from leanner.runs.scores import PartScore
from leanner.runs.scores import scores_of


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run

#: Panels side by side.
_ACROSS = 4


@dataclass(frozen=True, slots=True)
class _Row:
    record: CaseRecord
    scores: tuple[PartScore, ...]
    reason: str | None


def section(run: Run) -> Section:
    """Return the section of a run; without corpus or spans there are no intervals, and the reason stands there."""
    rows = [_Row(record, *scores_of(run, record)) for record in run.measured]
    parts = list(dict.fromkeys(score.part for row in rows for score in row.scores))
    notes = Notes()
    table = [(title(row.record), [_cell(row, part, notes) for part in parts]) for row in rows]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.reason is not None:
            reasons.setdefault(row.reason, []).append(title(row.record))
    content = {"parts": parts, "rows": table, "notes": notes.texts, "reasons": reasons}
    figures = {"scores": _figure(rows, parts)} if rows else {}
    return Section("scores", "F1 by corpus and label", content, figures)


def _score(row: _Row, part: str) -> PartScore | None:
    return next((score for score in row.scores if score.part == part), None)


def _cell(row: _Row, part: str, notes: Notes) -> tuple[Cell, Cell]:
    score = _score(row, part)
    if score is None:
        nothing = Cell(UNKNOWN, None, notes.number("not scored in this case"))
        return nothing, nothing
    f1 = Cell(
        with_interval(score.f1, score.interval, ".3f"),
        score.f1,
        notes.number(score.reason) if score.f1 is None or score.interval is None else None,
    )
    loss = Cell(
        with_interval(score.loss, score.loss_interval, ".2f"),
        score.loss,
        notes.number(score.loss_reason) if score.loss is None or score.loss_interval is None else None,
    )
    return f1, loss


def _figure(rows: Sequence[_Row], parts: Sequence[str]) -> Figure:
    """Return a panel for each part, cases from top to bottom, F1 from left to right."""
    names = [title(row.record) for row in rows]
    lines = -(-len(parts) // _ACROSS)
    height = lines * (22 * len(rows) + 70)
    panels: dict[str, Any] = {}
    data, headings = [], []
    for index, part in enumerate(parts):
        line, column = divmod(index, _ACROSS)
        number_ = "" if index == 0 else str(index + 1)
        left = column / _ACROSS
        top = 1 - line / lines
        panels[f"xaxis{number_}"] = axis("", anchor=f"y{number_}", domain=[left, left + 0.9 / _ACROSS], nticks=4)
        panels[f"yaxis{number_}"] = categories(
            names,
            anchor=f"x{number_}",
            domain=[top - 1 / lines + 40 / height, top - 30 / height],
            showticklabels=column == 0,
        )
        data.append(_panel(rows, part, number_))
        where = {"x": left, "y": top - 28 / height, "xref": "paper", "yref": "paper", "xanchor": "left"}
        headings.append({"text": f"<b>{plain(part)}</b>", "showarrow": False, "yanchor": "bottom", **where})
    return {"data": data, "layout": layout(height, annotations=headings, **panels)}


def _panel(rows: Sequence[_Row], part: str, number_: str) -> dict[str, Any]:
    known = [(row, score) for row in rows if (score := _score(row, part)) is not None and score.f1 is not None]
    values = [score.f1 for _, score in known]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": values,
        "y": [plain(title(row.record)) for row, _ in known],
        "xaxis": f"x{number_}",
        "yaxis": f"y{number_}",
        "error_x": errors(values, [score.interval for _, score in known], color=ACCENT),
        "marker": {"size": 7, "color": ACCENT},
        "hoverinfo": "text",
        "hovertext": [
            hover(
                title(row.record),
                [
                    f"F1 {part}: {with_interval(score.f1, score.interval, '.4f')}",
                    f"loss: {with_interval(score.loss, score.loss_interval, '.2f')} pt"
                    if score.loss is not None
                    else f"loss unknown: {score.loss_reason}",
                    *([] if score.interval is not None else [f"no interval: {score.reason}"]),
                ],
            )
            for row, score in known
        ],
    }
