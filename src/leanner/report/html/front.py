"""The section on the Pareto front: F1 loss against time, joules and memory, with what is dominated and by what."""

from __future__ import annotations

import math

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.html.figures import ACCENT
from leanner.report.html.figures import BAD
from leanner.report.html.figures import MUTED
from leanner.report.html.figures import axis
from leanner.report.html.figures import errors
from leanner.report.html.figures import hover
from leanner.report.html.figures import layout
from leanner.report.html.section import Figure
from leanner.report.html.section import Section
from leanner.report.numbers import number
from leanner.report.numbers import three_digits
from leanner.report.numbers import with_interval
from leanner.report.pareto import LOSS
from leanner.report.pareto import TIME
from leanner.report.pareto import Axis
from leanner.report.pareto import Front
from leanner.report.pareto import Standing
from leanner.report.pareto import axes
from leanner.report.pareto import fronts
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.report.table import title


if TYPE_CHECKING:
    from collections.abc import Iterator

#: Percentage points above which the loss of a dominated case is cut off: one hopeless case would flatten the others.
HIGHEST_PT: Final = 5.0


def section(records: Sequence[CaseRecord]) -> Section:
    """Return the section of a run's cases."""
    found = fronts(records)
    figures: dict[str, Figure] = {}
    content = []
    for index, front in enumerate(found):
        costs = [each for each in axes(front.device)[1:] if each in front.used]
        names = [f"front-{index}-{place}" for place, _ in enumerate(costs)]
        figures |= {name: _figure(front, cost) for name, cost in zip(names, costs, strict=True)}
        content.append(
            {
                "device": front.device,
                "figures": [(name, cost.name) for name, cost in zip(names, costs, strict=True)],
                "used": [each.name for each in front.used],
                "left_out": front.left_out,
                "best": [title(record) for record in best(front)],
                "dominated": [
                    {"name": title(each.record), "by": [title(other) for other in each.dominated_by]}
                    for each in front.standings
                    if each.dominated_by
                ],
                "unknown": [
                    {"name": title(each.record), "reasons": each.unknown} for each in front.standings if each.unknown
                ],
                "cut_off": [title(each.record) for each in front.standings if is_cut_off(each)],
            }
        )
    return Section("front", "Pareto front", {"fronts": content, "highest_pt": HIGHEST_PT}, figures)


def best(front: Front) -> list[CaseRecord]:
    """Return the cases on the front, the fastest first."""
    found = [each.record for each in front.standings if each.on_front]
    return sorted(found, key=lambda record: value if (value := TIME.value(record)) is not None else math.inf)


def is_cut_off(standing: Standing) -> bool:
    """Whether a case is left out of the figures, since its loss would flatten all others."""
    if standing.on_front:
        return False
    loss = LOSS.value(standing.record)
    return loss is not None and loss > HIGHEST_PT


def _figure(front: Front, cost: Axis) -> Figure:
    shown = [each for each in front.standings if cost.value(each.record) is not None]
    shown = [each for each in shown if LOSS.value(each.record) is not None and not is_cut_off(each)]
    on, off = ([each for each in shown if each.on_front is wanted] for wanted in (True, False))
    data = [_points(off, front, cost, is_front=False), _points(on, front, cost, is_front=True)]
    marks = log_ticks([value for each in shown if (value := cost.value(each.record)) is not None])
    scale: dict[str, Any] = {} if marks is None else {"type": "log", "tickvals": marks}
    return {"data": data, "layout": layout(360, xaxis=axis(cost.name, **scale), yaxis=axis(LOSS.name))}


def log_ticks(values: Sequence[float]) -> list[float] | None:
    """Return 1, 2 and 5 times powers of ten around ``values``; ``None`` where a linear scale shows them well."""
    if not values or min(values) <= 0 or max(values) <= 4 * min(values):
        return None
    powers = range(math.floor(math.log10(min(values))), math.floor(math.log10(max(values))) + 2)
    marks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    below, above = [mark for mark in marks if mark <= min(values)], [mark for mark in marks if mark >= max(values)]
    return [mark for mark in marks if below[-1] <= mark <= above[0]]


def _points(standings: Sequence[Standing], front: Front, cost: Axis, *, is_front: bool) -> dict[str, Any]:
    records = [each.record for each in standings]
    x, y = [cost.value(record) for record in records], [LOSS.value(record) for record in records]
    numbered = best(front)
    colour = ACCENT if is_front else MUTED
    return {
        "type": "scatter",
        "mode": "markers+text" if is_front else "markers",
        "x": x,
        "y": y,
        "error_x": errors(x, [cost.interval(record) for record in records], color=colour),
        "error_y": errors(y, [LOSS.interval(record) for record in records], color=colour),
        "text": [str(numbered.index(record) + 1) if is_front else "" for record in records],
        "textposition": "top right",
        "hovertext": [hover(title(each.record), _lines(each, front)) for each in standings],
        "hoverinfo": "text",
        "marker": {
            "size": 9,
            "symbol": "circle" if is_front else "circle-open",
            "color": [BAD if record.verdict is Verdict.FAIL or record.suspect else colour for record in records],
        },
    }


def _lines(standing: Standing, front: Front) -> Iterator[str]:
    record = standing.record
    for each in front.used:
        value = each.value(record)
        yield f"{each.name}: {with_interval(value, each.interval(record), three_digits(value))}"
    yield f"verdict: {record.verdict}{', suspect' if record.suspect else ''}"
    if record.speedup is not None:
        yield f"{number(record.speedup.value, '.2f')}× as fast as {record.speedup.against}"
    if standing.dominated_by:
        yield f"dominated by {', '.join(title(other) for other in standing.dominated_by)}"
