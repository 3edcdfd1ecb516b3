"""A factorial for people: its cells, its effects, and the same in words; on the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from leanner.compare.text import escaped
from leanner.factorial.responses import Scale
from leanner.report.numbers import UNKNOWN
from leanner.report.numbers import Notes
from leanner.report.numbers import number
from leanner.report.numbers import three_digits
from leanner.report.numbers import with_interval


if TYPE_CHECKING:
    from leanner.factorial.analysis import Analysis
    from leanner.factorial.design import Design
    from leanner.factorial.design import Factor
    from leanner.factorial.responses import Effect
    from leanner.factorial.responses import Response


#: Of the columns of cells and of effects, by metric.
_CELLS: Final = {"f1": "F1", "time": "s/round", "energy": "J/1k sent", "host": "peak MB", "vram": "VRAM MB"}
_EFFECTS: Final = {
    "f1": "F1 pt",
    "time": "× faster",
    "energy": "× fewer J",
    "host": "× less memory",
    "vram": "× less VRAM",
}
_RATIO: Final = ".2f"
_TIMES: Final = " × "


def table(analysis: Analysis) -> RenderableType:
    """Return cells and effects as tables, what is to be said of them, and the effects on time and F1 in words."""
    notes = Notes()
    parts: list[RenderableType] = []
    for title, (headings, rows), left in _tables(analysis, notes):
        grid = Table(title=f"leanner factorial: {title}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for place, heading in enumerate(headings):
            # plain text: brackets would be read as markup
            grid.add_column(Text(heading), justify="left" if place < left else "right", no_wrap=True)
        for row in rows:
            grid.add_row(*map(Text, row))
        parts.append(grid)
    parts += [Text(line, style="dim") for line in (*_noted(notes), *analysis.remarks)]
    return Group(*parts, Text(""), *map(Text, words(analysis)))


def markdown(analysis: Analysis) -> str:
    """Return the same as Markdown."""
    notes = Notes()
    lines: list[str] = []
    for _, (headings, rows), left in _tables(analysis, notes):
        rule = ["---" if place < left else "---:" for place in range(len(headings))]
        lines += [_row(map(escaped, headings)), _row(rule), *(_row(map(escaped, row)) for row in rows), ""]
    lines += [*(f"- {escaped(line)}" for line in words(analysis)), ""]
    lines += [f"{escaped(line)}\n" for line in (*_noted(notes), *analysis.remarks)]
    return "\n".join(lines)


def words(analysis: Analysis) -> Iterator[str]:
    """Yield a sentence for each effect: what it does to time and F1."""
    effects = {response.metric: response.effects for response in analysis.responses}
    for place in _places(analysis.design):
        factors = [analysis.design.factors[each] for each in analysis.design.effects[place]]
        told = _main if len(factors) == 1 else _interaction
        known = [(metric, effects[metric][place]) for metric in ("time", "f1") if effects.get(metric)]
        if known:
            yield told(factors, dict(known))


def _main(factors: Sequence[Factor], effects: Mapping[str, Effect]) -> str:
    parts = []
    if time := effects.get("time"):
        value, low, high = time.value, time.low, time.high
        if value < 1.0:
            value, low, high = 1.0 / value, _inverse(high), _inverse(low)
        much = with_interval(value, (low, high), _RATIO)
        parts.append(f"a round is {much} times as {'fast' if time.value >= 1.0 else 'slow'}")
    if f1 := effects.get("f1"):
        parts.append(f"F1 changes by {_points(f1)} pt")
    return f"{factors[0].high} in place of {factors[0].low}: {', '.join(parts)}"


def _interaction(factors: Sequence[Factor], effects: Mapping[str, Effect]) -> str:
    *others, last = factors
    what = "speed-up" if len(others) == 1 else "ratio of the interaction"
    parts = []
    if time := effects.get("time"):
        parts.append(f"the {what} is {with_interval(time.value, (time.low, time.high), _RATIO)} times as large")
    if f1 := effects.get("f1"):
        parts.append(f"the change of F1 differs by {_points(f1)} pt")
    return f"{_TIMES.join(each.high for each in others)}, with {last.high} against {last.low}: {', '.join(parts)}"


def _inverse(value: float | None) -> float | None:
    return None if value is None else 1.0 / value


def _tables(analysis: Analysis, notes: Notes) -> Iterator[tuple[str, tuple[list[str], list[list[str]]], int]]:
    """Yield title, headings with rows, and how many columns hold names."""
    yield "cells", _cells(analysis), len(analysis.design.factors) + 1
    yield "effects", _effects(analysis, notes), 1


def _cells(analysis: Analysis) -> tuple[list[str], list[list[str]]]:
    design = analysis.design
    headings = [f"{factor.low} / {factor.high}" for factor in design.factors]
    headings += ["configuration", *(_CELLS[response.metric] for response in analysis.responses)]
    rows = [
        [*design.levels(cell), name, *(_value(response, response.cells[cell]) for response in analysis.responses)]
        for cell, name in enumerate(design.cells)
    ]
    return headings, rows


def _effects(analysis: Analysis, notes: Notes) -> tuple[list[str], list[list[str]]]:
    design = analysis.design
    headings = ["effect", *(_heading(response, notes) for response in analysis.responses)]
    rows = []
    for place in _places(design):
        name = _TIMES.join(design.factors[each].high for each in design.effects[place])
        rows.append([name, *(_effect(response, place) for response in analysis.responses)])
    return headings, rows


def _places(design: Design) -> list[int]:
    """Return where the effects stand in the design, those of single factors first."""
    return sorted(range(len(design.effects)), key=lambda place: len(design.effects[place]))


def _heading(response: Response, notes: Notes) -> str:
    note = notes.number(response.reason)
    return f"{_EFFECTS[response.metric]} {'[95 %]' if note is None else f'[{note}]'}"


def _value(response: Response, value: float | None) -> str:
    return number(value, ".2f" if response.scale is Scale.POINTS else three_digits(value))


def _effect(response: Response, place: int) -> str:
    if not response.effects:
        return UNKNOWN
    effect = response.effects[place]
    if response.scale is Scale.POINTS:
        return _points(effect)
    return with_interval(effect.value, (effect.low, effect.high), _RATIO)


def _points(effect: Effect) -> str:
    # a change too small for the digits has the sign of nothing: +0.00, wherever it stands
    value, low, high = (None if p is None else round(p, 2) + 0.0 for p in (effect.value, effect.low, effect.high))
    return with_interval(value, (low, high), "+.2f")


def _noted(notes: Notes) -> list[str]:
    return [f"[{place}] {text}" for place, text in enumerate(notes.texts, 1)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
