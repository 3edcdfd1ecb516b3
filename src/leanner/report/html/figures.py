"""What all figures have in common: text that stays text, colours by name, axes."""

from __future__ import annotations

import html

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import Final


#: Names of CSS variables of the page: each has a value in light and one in dark.
INK: Final = "var(--ink)"
MUTED: Final = "var(--muted)"
ACCENT: Final = "var(--accent)"
BAD: Final = "var(--bad)"
SERIES: Final = tuple(f"var(--series-{number})" for number in range(1, 9))
SYMBOLS: Final = ("circle", "square", "diamond", "cross", "x", "triangle-up")


def plain(text: str) -> str:
    """Return text as plotly.js shows it unchanged: unless they are escaped, it takes tags for tags and $ for TeX."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def hover(title: str, lines: Iterable[str]) -> str:
    """Return the text of a point: the title in bold, then the lines."""
    return "<br>".join([f"<b>{plain(title)}</b>", *map(plain, lines)])


def axis(title: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever plotly knows
    """Return an axis; the text of its title must be leanner's own, or ``plain``."""
    return {"title": {"text": title}, "zeroline": False, "automargin": True, **more}


def categories(names: Sequence[str], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return an axis of names from top to bottom; a name that looks like a date or a number is none."""
    shown = [plain(name) for name in names]
    order = {"categoryorder": "array", "categoryarray": shown, "range": [len(shown) - 0.5, -0.5]}
    return {"type": "category", "automargin": True, "zeroline": False, **order, **more}


def errors(
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return error bars; a value without an interval gets none."""
    above, below = spread_of(values, intervals)
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1, "width": 3, **more}


def spread_of(
    values: Sequence[float | None], intervals: Sequence[tuple[float, float] | None]
) -> tuple[list[float], list[float]]:
    """Return how far the intervals reach above and below their values; 0 for a value without one."""
    pairs = list(zip(values, intervals, strict=True))
    # a bootstrap's interval need not contain its point
    above = [max(0.0, ends[1] - value) if ends is not None and value is not None else 0.0 for value, ends in pairs]
    below = [max(0.0, value - ends[0]) if ends is not None and value is not None else 0.0 for value, ends in pairs]
    return above, below


def layout(height: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return a layout of this height in pixels."""
    return {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "namelength": -1},
        **more,
    }
