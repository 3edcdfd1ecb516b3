"""Figures of a run as SVG: the Pareto front, F1 by corpus and label, gains of sparsity.

By matplotlib, which Flair brings along: plotly draws a static SVG in a browser only (kaleido), and axes, ticks and text
of our own would be a small matplotlib. The same run gives the same bytes.
"""

from __future__ import annotations

import io

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import matplotlib as mpl

from matplotlib.figure import Figure

from leanner.report.html.figures import spread_of
from leanner.report.html.front import HIGHEST_PT
from leanner.report.html.front import best
from leanner.report.html.front import is_cut_off
from leanner.report.html.front import log_ticks
from leanner.report.html.gains import asked
from leanner.report.pareto import LOSS
from leanner.report.pareto import axes
from leanner.report.pareto import fronts
from leanner.report.table import title


if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from leanner.report.pareto import Axis
    from leanner.report.pareto import Front
    from leanner.report.record import CaseRecord
    from leanner.runs.scores import PartScore

#: Text stays text, dollars too, and nothing is drawn by chance or by the clock.
_STYLE: Final[dict[Any, Any]] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "leanner",
    "font.size": 8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
}
#: Characters of a line above a figure.
_COLUMNS: Final = 90

_BLUE, _GREY = "#0b5fa5", "#5c6672"


def front_svgs(records: Sequence[CaseRecord]) -> dict[str, bytes]:
    """Return the Pareto front of each device by file name; F1 loss against each cost that is known."""
    found = fronts(records)
    drawn = {}
    for front in found:
        name = "front.svg" if len(found) == 1 else f"front-{front.device.replace(':', '-')}.svg"
        drawn[name] = _front(front)
    return drawn


def scores_svg(rows: Sequence[tuple[CaseRecord, Sequence[PartScore]]]) -> bytes:
    """Return F1 of each case on each part, a panel for each part."""
    parts = list(dict.fromkeys(score.part for _, scores in rows for score in scores))
    names = [title(record) for record, _ in rows]
    across = min(4, len(parts))
    down = -(-len(parts) // across)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2 * across + 1, down * (0.18 * len(rows) + 0.7)), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False)
        for panel in panels.flat[len(parts) :]:
            panel.set_axis_off()
        for index, (part, panel) in enumerate(zip(parts, panels.flat, strict=False)):
            known = [
                (place, score)
                for place, (_, scores) in enumerate(rows)
                for score in scores
                if score.part == part and score.f1 is not None
            ]
            values = [score.f1 or 0.0 for _, score in known]
            _bars(panel, values, [place for place, _ in known], x=[score.interval for _, score in known])
            panel.set_title(part)
            _names(panel, names, shown=index % across == 0)
        return _svg(figure)


def gains_svg(records: Sequence[CaseRecord]) -> bytes | None:
    """Return theoretical and measured gain of what sets weights to zero or removes them; ``None`` without any."""
    pruned = [record for record in records if record.f1 is not None and asked(record)]
    timed = [(place, r.speedup) for place, r in enumerate(pruned) if r.speedup is not None]
    counted = [(place, r.flops.ratio) for place, r in enumerate(pruned) if r.flops and r.flops.ratio is not None]
    if not timed and not counted:
        return None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5, 0.2 * len(pruned) + 1), layout="constrained")
        panel = figure.subplots()
        _bars(panel, [s.value for _, s in timed], [place for place, _ in timed], x=[(s.low, s.high) for _, s in timed])
        panel.plot([ratio for _, ratio in counted], [place for place, _ in counted], "D", mfc="none", color=_GREY)
        panel.axvline(1, color=_GREY, linestyle=":")
        panel.set_xlabel("times as fast as fp32: measured (filled), in theory (hollow)")
        panel.set_xlim(left=0)
        _names(panel, [title(record) for record in pruned], shown=True)
        return _svg(figure)


def _front(front: Front) -> bytes:
    costs = [axis for axis in axes(front.device)[1:] if axis in front.used]
    numbered = best(front)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2.8 * max(1, len(costs)), 3.4), layout="constrained")
        for panel, cost in zip(figure.subplots(1, max(1, len(costs)), squeeze=False).flat, costs, strict=False):
            _panel(panel, front, cost, numbered)
        entries = [f"{number} {title(record)}" for number, record in enumerate(numbered, start=1)]
        lines = ["on the front:", *_lines(entries)]
        if cut_off := [title(each.record) for each in front.standings if is_cut_off(each)]:
            lines += [f"not shown, with losses above {HIGHEST_PT:g} points:", *_lines(cut_off)]
        figure.suptitle("\n".join(lines), fontsize=7)
        return _svg(figure)


def _lines(entries: Sequence[str]) -> list[str]:
    """Return the entries on lines of up to ``_COLUMNS`` characters; an entry is not broken."""
    lines: list[str] = []
    for entry in entries:
        if lines and len(lines[-1]) + len(entry) < _COLUMNS:
            lines[-1] += f", {entry}"
        else:
            lines.append(entry)
    return lines


def _panel(panel: Axes, front: Front, cost: Axis, numbered: Sequence[CaseRecord]) -> None:
    for is_front, colour in ((False, _GREY), (True, _BLUE)):
        records = [each.record for each in front.standings if each.on_front is is_front and not is_cut_off(each)]
        known = [(x, y, r) for r in records if (x := cost.value(r)) is not None and (y := LOSS.value(r)) is not None]
        xs, ys = [x for x, _, _ in known], [y for _, y, _ in known]
        ends = [cost.interval(record) for _, _, record in known]
        losses = [LOSS.interval(record) for _, _, record in known]
        _bars(panel, xs, ys, x=ends, y=losses, color=colour, mfc=colour if is_front else "none")
        for x, y, record in known if is_front else ():
            number = next(number for number, each in enumerate(numbered, start=1) if each is record)
            panel.annotate(str(number), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    shown = [
        value for each in front.standings if not is_cut_off(each) and (value := cost.value(each.record)) is not None
    ]
    marks = log_ticks(shown)
    if marks is not None:
        panel.set_xscale("log")
        panel.set_xticks(marks, [f"{mark:g}" for mark in marks])
        panel.minorticks_off()
    panel.set_xlabel(cost.name)
    panel.set_ylabel(LOSS.name)


def _bars(
    panel: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    *,
    x: Sequence[tuple[float, float] | None],
    y: Sequence[tuple[float, float] | None] | None = None,
    **look: Any,  # noqa: ANN401 - whatever matplotlib knows
) -> None:
    sideways = spread_of(xs, x)
    upright = None if y is None else spread_of(ys, y)
    style = {"fmt": "o", "markersize": 4, "elinewidth": 0.7, "capsize": 2, "color": _BLUE, **look}
    panel.errorbar(xs, ys, xerr=sideways[::-1], yerr=None if upright is None else upright[::-1], **style)


def _names(panel: Axes, names: Sequence[str], *, shown: bool) -> None:
    panel.set_yticks(range(len(names)), names if shown else [""] * len(names))
    panel.set_ylim(len(names) - 0.5, -0.5)


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
