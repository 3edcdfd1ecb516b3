"""The section with the power of each round, from the stored traces."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from leanner.meters.errors import MeterError
from leanner.meters.stored import read_traces
from leanner.meters.watts import watts_of
from leanner.report.columns import reason_of
from leanner.report.html.figures import ACCENT
from leanner.report.html.figures import axis
from leanner.report.html.figures import hover
from leanner.report.html.figures import layout
from leanner.report.html.figures import plain
from leanner.report.html.section import Figure
from leanner.report.html.section import Section
from leanner.report.stored import damaged
from leanner.report.stored import locate
from leanner.report.stored import stored_files
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.meters.stored import StoredCase
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


def section(run: Run) -> Section:
    """Return the section of a run's cases; one whose traces tell no watts has the reason."""
    figures: dict[str, Figure] = {}
    cases: list[tuple[str, str]] = []
    reasons: dict[str, list[str]] = {}
    for record in run.records:
        try:
            figure = _figure(record, _traces(run, record))
        except (OSError, ValueError, MeterError) as error:
            # the same for all but for the name of the file
            reason = re.sub(r"\S*\.traces\.jsonl\.gz(:\d+)?: ", "stored traces: ", str(error))
            reasons.setdefault(reason, []).append(title(record))
            continue
        name = f"power-{len(figures)}"
        figures[name] = figure
        cases.append((name, title(record)))
    return Section("power", "Power of each round", {"cases": cases, "reasons": reasons}, figures)


def _traces(run: Run, record: CaseRecord) -> StoredCase:
    stored = stored_files(record.files).get("traces")
    if stored is None:
        raise ValueError("; ".join(record.reasons) if record.f1 is None else "the run stored no traces of it")
    problems = damaged(run.path, {"traces": stored.to_json()})
    if problems:
        raise ValueError(problems[0].text)
    return read_traces(locate(run.path, stored.path))


def _figure(record: CaseRecord, stored: StoredCase) -> Figure:
    """Return the watts of each window over its seconds.

    Raises:
        ValueError: No window tells any.
    """
    windows = [window for window in stored.windows if window.kind == "round"]
    seen = [(window, watts) for window in windows if (watts := watts_of(stored.equipment, window.trace)) is not None]
    if not seen:
        raise ValueError(reason_of(record, "power.peak_w") or reason_of(record, "energy") or "no sample tells watts")
    data = []
    for number, (window, watts) in enumerate(seen, start=1):
        of = f"round {number}" if window.rounds == 1 else f"window {number} of {window.rounds} rounds"
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": of,
                "x": [round(at_s, 4) for at_s, _ in watts.points],
                "y": [round(value_w, 3) for _, value_w in watts.points],
                "hovertext": [hover(of, [f"{at_s:.2f} s: {value_w:.1f} W"]) for at_s, value_w in watts.points],
                "hoverinfo": "text",
                "line": {"width": 1, "color": ACCENT},
                "marker": {"size": 4, "color": ACCENT},
                "opacity": max(0.15, 1 / len(seen) ** 0.5),
            }
        )
    heading = f"{title(record)}: {seen[0][1].source}"
    return {
        "data": data,
        "layout": layout(
            360,
            title={"text": plain(heading), "font": {"size": 13}},
            xaxis=axis("seconds since the window began"),
            yaxis=axis("watts", rangemode="tozero"),
        ),
    }
