"""Cells of factorials, made up."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from leanner.factorial.design import Design
from leanner.factorial.design import Factor
from leanner.report.costs import Domain
from leanner.report.costs import Energy
from leanner.report.costs import Time
from report.records import record


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


def design_of(number: int) -> Design:
    """Return a design of so many factors."""
    factors = tuple(Factor(f"low {place}", f"high {place}") for place in range(number))
    return Design(factors, tuple(f"cell {cell}" for cell in range(2**number)))


def timed(seconds: Iterable[float]) -> Time:
    """Return rounds of 1,000 sentences."""
    rounds_s = tuple(map(float, seconds))
    median_s = float(np.median(rounds_s))
    return Time(rounds_s, median_s, 1000 / median_s, 20_000 / median_s, 0.1, 1000, 20_000, half_width_pct=1.2)


def joules(
    windows: Sequence[float], *, random_pct: float | None = 0.5, source: str = "rapl", replayed: bool = False
) -> Energy:
    """Return the joules of rounds of 1,000 sentences."""
    total = float(np.sum(windows))
    return Energy(
        domains={"cpu_package": Domain(total, source, None)},
        rounds_j=tuple(map(float, windows)),
        total_j=total,
        net_j=None,
        per_1000_sentences_j=total / len(windows),
        low_j=None,
        high_j=None,
        systematic_pct=None,
        random_pct=random_pct,
        replayed=replayed,
    )


def cells(design: Design, **fields: Sequence[Any]) -> list[CaseRecord]:
    """Return the records of a design, with fields of which each cell has its own."""
    return [
        record(name, **{field: values[place] for field, values in fields.items()})
        for place, name in enumerate(design.cells)
    ]
