"""The section on how cases fared from commit to commit, where several runs are given."""

from __future__ import annotations

import re

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.html.figures import SERIES
from leanner.report.html.figures import SYMBOLS
from leanner.report.html.figures import axis
from leanner.report.html.figures import errors
from leanner.report.html.figures import hover
from leanner.report.html.figures import layout
from leanner.report.html.figures import plain
from leanner.report.html.section import Figure
from leanner.report.html.section import Section
from leanner.report.machine import MACHINE
from leanner.report.numbers import three_digits
from leanner.report.numbers import with_interval
from leanner.report.pareto import axes
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.pareto import Axis
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run

#: Between a commit and its time.
SEPARATOR: Final = ", "


def section(runs: Sequence[Run], run: Run) -> Section:
    """Return the section.

    Args:
        runs: All that were given, oldest first.
        run: The newest, which the page is about: those of another machine, corpus or tagger are named and left out.
    """
    left_out = {str(each.path): why for each in runs if (why := _differences(each, run))}
    shown = [each for each in runs if str(each.path) not in left_out]
    labels = [label_of(each) for each in shown]
    figures: dict[str, Figure] = {}
    names, without = [], []
    if len(shown) > 1:
        for axis_ in dict.fromkeys(each for record in run.measured for each in axes(record.device)):
            figure = _figure(shown, labels, axis_)
            if figure is None:
                without.append(axis_.name)
            else:
                figures[f"trend-{len(figures)}"] = figure
                names.append((f"trend-{len(figures) - 1}", axis_.name))
    content = {"figures": names, "left_out": left_out, "without": without, "runs": len(shown), "given": len(runs)}
    return Section("trend", "Trend over commits", content, figures)


def label_of(run: Run) -> str:
    """Return the commit of a run, short, with its time to the minute."""
    info = run.report.data.get("commit_info", {})
    commit = str(info.get("id") or "no commit")
    short = commit[:8] if re.fullmatch(r"[0-9a-f]{40,}", commit) else commit
    dirty = "+" if info.get("dirty") else ""
    return f"{short}{dirty}{SEPARATOR}{str(run.report.data.get('datetime', ''))[:16].replace('T', ' ')}"


def _differences(other: Run, run: Run) -> str:
    """Return why the numbers of two runs are no two points of a line; empty if they are."""
    theirs, ours = _conditions(other), _conditions(run)
    return "; ".join(f"{name} is {theirs[name]} and not {ours[name]}" for name in ours if theirs[name] != ours[name])


def _conditions(run: Run) -> dict[str, str]:
    records = run.measured
    environment: Mapping[str, Any] = records[0].environment if records else {}
    corpora = {record.corpus.sha256[:8] for record in records if record.corpus}
    taggers = {record.tagger.weights_sha256[:8] for record in records if record.tagger}
    conditions = {name: str(environment.get(name)) for name in MACHINE.values()}
    return {**conditions, "corpus": ", ".join(sorted(corpora)), "tagger": ", ".join(sorted(taggers))}


def _figure(runs: Sequence[Run], labels: Sequence[str], cost: Axis) -> Figure | None:
    """Return a line for each case; ``None`` if no run knows this of any."""
    cases = dict.fromkeys(title(record) for run in runs for record in run.measured)
    data: list[dict[str, Any]] = []
    for name in cases:
        known = [
            _Point(place, labels[place], record, value)
            for place, run in enumerate(runs)
            for record in _named(run, name)
            if (value := cost.value(record)) is not None
        ]
        if known:
            data.append(_line(name, known, cost, len(data)))
    if not data:
        return None
    # the commit above its day
    ticks = {"tickvals": list(range(len(labels))), "ticktext": [_tick(label) for label in labels]}
    x = axis("", range=[-0.5, len(labels) - 0.5], **ticks)
    return {
        "data": data,
        "layout": layout(max(320, 80 + 20 * len(data)), xaxis=x, yaxis=axis(cost.name), showlegend=True),
    }


@dataclass(frozen=True, slots=True)
class _Point:
    place: int
    label: str
    record: CaseRecord
    value: float


def _tick(label: str) -> str:
    commit, _, when = label.rpartition(f"{SEPARATOR}")
    return f"{plain(commit)}<br>{plain(when[:10])}"


def _line(name: str, points: Sequence[_Point], cost: Axis, number: int) -> dict[str, Any]:
    values = [point.value for point in points]
    intervals = [cost.interval(point.record) for point in points]
    colour = SERIES[number % len(SERIES)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(name),
        "x": [point.place for point in points],
        "y": values,
        "error_y": errors(values, intervals, color=colour),
        "line": {"width": 1.5, "color": colour},
        "marker": {"size": 7, "color": colour, "symbol": SYMBOLS[number // len(SERIES) % len(SYMBOLS)]},
        "hoverinfo": "text",
        "hovertext": [
            hover(name, [point.label, f"{cost.name}: {with_interval(point.value, ends, three_digits(point.value))}"])
            for point, ends in zip(points, intervals, strict=True)
        ],
    }


def _named(run: Run, name: str) -> list[CaseRecord]:
    return [record for record in run.measured if title(record) == name]
