"""The comparison as a table, in a form that does not depend on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


if TYPE_CHECKING:
    from leanner.peers.result import Peers
    from leanner.peers.result import Rates
    from leanner.peers.result import Row
    from leanner.peers.result import Share
    from leanner.report.costs import Speedup
    from leanner.scoring.bootstrap import F1Loss


_HEADINGS = (
    "tagger",
    "batch",
    "sent/s",
    "against Flair [95 %]",
    "best engine [95 %]",
    "F1",
    "loss pt [95 %]",
    "Gop/s",
    "of ceiling [95 %]",
    "of most",
    "prepare s",
)


def render(peers: Peers) -> RenderableType:
    """Return the rows as a table, and below it why some did not take part and what the others say of themselves."""
    table = Table(title="leanner bench-peers", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in peers.rows:
        table.add_row(*_cells(row))
    return Group(table, *(Text(line) for line in lines(peers)))


def lines(peers: Peers) -> list[str]:
    """Return what stands below the table."""
    result = [f"{row.name} did not take part: {row.reason}" for row in peers.rows if row.reason is not None]
    result.append(
        f"ceiling: int8 {_rates(peers.int8_ceiling)}; float32 {_rates(peers.float32_ceiling)}; of ceiling: each round "
        "over the product before and behind it; of most: over that single run; Gop/s are of linear layers, padding "
        "included"
    )
    rounds = max((len(row.rounds_s) for row in peers.rows), default=0)
    result.append(
        f"{rounds} rounds of {peers.sentences:,} sentences each, interleaved; F1 is of all {peers.corpus.sentences:,} "
        f"sentences of {peers.corpus.name}; {peers.environment.get('threads')} threads"
    )
    result.extend(f"{row.name}: {text}" for row in peers.rows for text in row.quality)
    return result


def _cells(row: Row) -> list[str]:
    rate, share = row.operations_per_s, row.ceiling_share
    return [
        row.name,
        "-" if not row.setting else str(next(iter(row.setting.values()))),
        _number(row.sentences_per_s, ".1f"),
        _ratio(row.speedup),
        _ratio(row.against_engines),
        _number(row.f1, ".4f"),
        _loss(row.f1_drop),
        _number(None if rate is None else rate / 1e9, ".0f"),
        _share(share),
        "-" if row.most_share is None else f"{100 * row.most_share:.0f} %",
        _number(row.prepare_s, ".1f"),
    ]


def _rates(rates: Rates | None) -> str:
    if rates is None:
        return "unknown, torch has no oneDNN here"
    most = f"a single run of a product {rates.most / 1e9:.0f} Gop/s at most"
    if rates.median is None:
        return most
    return f"{rates.median / 1e9:.0f} Gop/s in the median of {rates.product}, {most}"


def _share(share: Share | None) -> str:
    if share is None:
        return "-"
    median = f"{100 * share.median:.0f} %"
    return (
        median
        if share.low is None or share.high is None
        else f"{median} [{100 * share.low:.0f}, {100 * share.high:.0f}]"
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _ratio(speedup: Speedup | None) -> str:
    return "-" if speedup is None else f"{speedup.value:.2f} [{speedup.low:.2f}, {speedup.high:.2f}]"


def _loss(loss: F1Loss | None) -> str:
    if loss is None or loss.points is None:
        return "-"
    # A gain too small for the digits is no "-0.00".
    points = f"{round(loss.points, 2) + 0.0:.2f}"
    if loss.low is None or loss.high is None:
        return points
    return f"{points} [{round(loss.low, 2) + 0.0:.2f}, {round(loss.high, 2) + 0.0:.2f}]"
