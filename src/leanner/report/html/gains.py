"""The section on what sparsity asked for, and what it gained: in theory, and measured."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.columns import reason_of
from leanner.report.html.figures import ACCENT
from leanner.report.html.figures import MUTED
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
from leanner.report.numbers import number
from leanner.report.numbers import with_interval
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord

#: Parameters of passes that say how much goes, and how to say it.
_ASKED: Final = {"sparsity": "{:.0%} zeros", "share": "{:.0%} removed", "layers": "{} layers removed"}


def section(records: Sequence[CaseRecord]) -> Section:
    """Return the section of the cases that have zeros, or from which something was removed."""
    pruned = [record for record in records if record.f1 is not None and asked(record)]
    notes = Notes()
    rows = [(title(record), _cells(record, notes)) for record in pruned]
    figures = {"gains": _figure(pruned)} if any(record.speedup or record.flops for record in pruned) else {}
    return Section("gains", "Sparsity asked, gain measured", {"rows": rows, "notes": notes.texts}, figures)


def asked(record: CaseRecord) -> str:
    """Return what the passes of a case were to set to zero or to remove; empty if nothing."""
    return ", ".join(told for step in record.passes if (told := _told(step)))


def _told(step: Mapping[str, Any]) -> str:
    return " ".join(
        form.format(step[name])
        for name, form in _ASKED.items()
        if isinstance(step.get(name), int | float) and not isinstance(step[name], bool)
    )


def _cells(record: CaseRecord, notes: Notes) -> list[Cell]:
    found = record.sparsity.weights if record.sparsity else None
    theory = record.flops.ratio if record.flops else None
    speedup = record.speedup
    return [
        Cell(asked(record), record.sparsity.asked if record.sparsity else None),
        Cell(
            UNKNOWN if found is None else f"{found:.1%}",
            found,
            notes.number("its passes remove weights, and set none to zero") if record.sparsity is None else None,
        ),
        Cell(number(theory, ".2f"), theory, _note(record, "flops", notes) if theory is None else None),
        Cell(
            with_interval(speedup.value, (speedup.low, speedup.high), ".2f") if speedup else UNKNOWN,
            speedup.value if speedup else None,
            None if speedup else _note(record, "speedup", notes),
        ),
    ]


def _note(record: CaseRecord, field: str, notes: Notes) -> int | None:
    return notes.number(reason_of(record, field) or "the report does not say why")


def _figure(records: Sequence[CaseRecord]) -> Figure:
    timed = [(record, record.speedup) for record in records if record.speedup is not None]
    counted = [(record, ratio) for record in records if record.flops and (ratio := record.flops.ratio) is not None]
    measured = [speedup.value for _, speedup in timed]
    data = [
        {
            **_points([record for record, _ in counted], [ratio for _, ratio in counted]),
            "name": "theory",
            "hovertext": [hover(title(record), [f"theory: {ratio:.2f}×"]) for record, ratio in counted],
            "marker": {"size": 10, "symbol": "diamond-open", "color": MUTED},
        },
        {
            **_points([record for record, _ in timed], measured),
            "name": "measured",
            "hovertext": [
                hover(title(record), [f"measured: {with_interval(s.value, (s.low, s.high), '.2f')}×"])
                for record, s in timed
            ],
            "marker": {"size": 9, "symbol": "circle", "color": ACCENT},
            "error_x": errors(measured, [(s.low, s.high) for _, s in timed], color=ACCENT),
        },
    ]
    ends = {"x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper"}
    even = {"type": "line", **ends, "line": {"color": MUTED, "dash": "dot"}}
    legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
    return {
        "data": data,
        "layout": layout(
            110 + 26 * len(records),
            xaxis=axis("times as fast as fp32", rangemode="tozero"),
            yaxis=categories([title(record) for record in records]),
            shapes=[even],
            showlegend=True,
            legend=legend,
        ),
    }


def _points(records: Sequence[CaseRecord], values: Sequence[float]) -> dict[str, Any]:
    names = [plain(title(record)) for record in records]
    return {"type": "scatter", "mode": "markers", "x": list(values), "y": names, "hoverinfo": "text"}
