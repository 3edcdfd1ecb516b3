"""Draw the power curve of docs/comparing.md as docs/power.svg, from the tables there, which ``compare.power`` prints.

``cd tests && PYTHONPATH=../src:. python -m compare.power_figure``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench import REPOSITORY
from compare.power import EFFECTS_PCT
from compare.power import ROUNDS
from compare.power import SESSIONS
from compare.power import THRESHOLD_PCT
from compare.power import TITLES
from compare.power import World


DOCUMENT: Final = REPOSITORY / "docs" / "comparing.md"
FIGURE: Final = REPOSITORY / "docs" / "power.svg"

#: Of a panel, in pixels: its plot, and what is around it.
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 200, 150, 46, 46, 26
_MOST_PCT: Final = 12.0
_GREY: Final = "#5c6672"
_COLOURS: Final = ("#0b5fa5", "#b3541e", "#3a7d44")
#: Baseline and stored sessions of the panels of a row.
_SHOWN: Final = tuple(sessions for sessions in SESSIONS if sessions != (20, 20))


def documented() -> dict[World, list[float]]:
    """Return the shares of false alarms and of changes found that docs/comparing.md states, by setting."""
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = text.partition("<!-- power:begin -->\n")[2].partition("<!-- power:end -->")[0]
    found: dict[World, list[float]] = {}
    shared = None
    for line in shown.splitlines():
        shared = next((each for each, title in TITLES.items() if title == line), shared)
        cells = line.strip("| ").split(" | ")
        if cells[0].isdigit():
            assert shared is not None
            baseline, stored, rounds = map(int, cells[:3])
            found[World(rounds, baseline, stored, shared)] = [float(cell) / 100.0 for cell in cells[3:]]
    return found


def svg(shares: Mapping[World, list[float]]) -> str:
    """Return the figure: of each setting the share of tables in which a change was found, over the change."""
    width = _LEFT + len(_SHOWN) * (_WIDTH + _GAP)
    height = _TOP + len(TITLES) * (_HEIGHT + _TOP) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        '<g font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(_LEFT, 16, "Changes of time found, % of tables, by rounds:"),
    ]
    for number, rounds in enumerate(ROUNDS):
        x = _LEFT + 270 + 60 * number
        parts += [_line(x, 12, x + 18, 12, colour=_COLOURS[number]), _text(x + 22, 16, str(rounds))]
    for row, shared in enumerate(TITLES):
        for column, (baseline, stored) in enumerate(_SHOWN):
            x, y = _LEFT + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _TOP)
            parts += _axes(x, y, first=column == 0)
            parts.append(_text(x, y - 8, f"baseline {baseline}, stored {stored}; cases off {_how(shared=shared)}"))
            for number, rounds in enumerate(ROUNDS):
                alarms, *found = shares[World(rounds, baseline, stored, shared)]
                del alarms
                points = " ".join(
                    f"{x + _WIDTH * effect / _MOST_PCT:.1f},{y + _HEIGHT * (1.0 - share):.1f}"
                    for effect, share in zip(EFFECTS_PCT, found, strict=True)
                )
                parts.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[number]}" stroke-width="2"/>')
    parts += [_text(_LEFT, height - 8, "slower by, %; dashed: the gate, and 95 of 100"), "</g>", "</svg>"]
    return "\n".join(parts) + "\n"


def _how(*, shared: bool) -> str:
    return "alike" if shared else "apart"


def _axes(x: int, y: int, *, first: bool) -> list[str]:
    gate, wanted = x + _WIDTH * THRESHOLD_PCT / _MOST_PCT, y + _HEIGHT * 0.05
    parts = [
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="{_GREY}"/>',
        _line(gate, y, gate, y + _HEIGHT, dashed=True),
        _line(x, wanted, x + _WIDTH, wanted, dashed=True),
    ]
    parts += [_text(x + _WIDTH * pct / _MOST_PCT, y + _HEIGHT + 14, str(pct), "middle") for pct in (0, 4, 8, 12)]
    if first:
        parts += [_text(x - 6, y + _HEIGHT * (1.0 - pct / 100.0) + 4, str(pct), "end") for pct in (0, 50, 100)]
    return parts


def _line(x: float, y: float, to_x: float, to_y: float, *, colour: str = _GREY, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{1 if dashed else 2}"{dashes}/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def main() -> None:
    """Write the figure."""
    FIGURE.write_text(svg(documented()), encoding="utf-8")


if __name__ == "__main__":
    main()
