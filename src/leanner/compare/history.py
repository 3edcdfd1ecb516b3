"""The runs of the store: as a list, and a metric of theirs as a line of characters."""

from __future__ import annotations

import math

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


if TYPE_CHECKING:
    from leanner.compare.comparison import Key
    from leanner.compare.comparison import Session
    from leanner.compare.metrics import Metric
    from leanner.compare.store import Entry


_BARS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = "·"


def listed(entries: Sequence[Entry], machine: str) -> Table:
    """Return the runs of one machine as a table, oldest first."""
    grid = Table(title=f"machine {machine}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("run", "measured", "commit", "series", "baseline", "outcome", "reason"):
        grid.add_column(heading, no_wrap=heading != "reason")
    for entry in entries:
        commit = "-" if entry.commit is None else entry.commit[:12] + ("+" if entry.dirty else "")
        level = "-" if entry.level is None else str(entry.level)
        cells = (entry.id, entry.measured[:19], commit, entry.series, level, entry.outcome, entry.reason or "")
        grid.add_row(*map(Text, cells))
    return grid


def drawn(sessions: Sequence[Session], metric: Metric) -> Table:
    """Return a line for each case, with the first and the last value, oldest session first.

    The scale is the case's own: its lowest value is the lowest bar.
    """
    values: dict[Key, list[float | None]] = {}
    for number, session in enumerate(sessions):
        for key, record in session.cases.items():
            values.setdefault(key, [None] * len(sessions))[number] = metric.value(record)
    grid = Table(title=f"{metric.name}, {metric.unit}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("configuration", "lowest", "highest", "first", "last", "oldest to latest"):
        grid.add_column(heading, justify="left" if heading in ("configuration", "oldest to latest") else "right")
    for name, row in _named(values).items():
        known = [value for value in row if value is not None]
        if known:
            numbers = (min(known), max(known), known[0], known[-1])
            grid.add_row(Text(name), *(f"{number:.4g}" for number in numbers), line(row))
    return grid


def line(values: Sequence[float | None]) -> str:
    """Return a bar for each value, from the lowest to the highest; ``·`` where there is none."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    width = high - low

    def bar(value: float) -> str:
        share = (value - low) / width if width > 0.0 else 0.5
        return _BARS[min(len(_BARS) - 1, math.floor(share * len(_BARS)))]

    return "".join(_GAP if value is None else bar(value) for value in values)


def _named(values: Mapping[Key, list[float | None]]) -> dict[str, list[float | None]]:
    return {name if device == "cpu" else f"{name} ({device})": row for (name, device), row in values.items()}
