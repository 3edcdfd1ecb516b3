"""The effects of a factorial that was measured in several sessions: what differs between them is in the interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scipy import stats

from leanner.compare.metrics import BY_NAME
from leanner.factorial.responses import Effect
from leanner.factorial.responses import Response
from leanner.factorial.responses import Scale
from leanner.factorial.responses import no_joules
from leanner.factorial.responses import values_of


if TYPE_CHECKING:
    from leanner.factorial.design import Design
    from leanner.report.record import CaseRecord


def over_sessions(metric: str, design: Design, sessions: Sequence[Sequence[CaseRecord]]) -> Response:
    """Return the effects on a cost as ratios: of each the geometric mean over the sessions.

    Each session is a replicate, and a block (Montgomery, chapter 7): its effects are computed within it, so that what
    slows all of its cells cancels. The ends are those of Student's t over the logarithms of the sessions' effects.

    Args:
        metric: Its name, as ``leanner compare`` calls it.
        design: Of the cells.
        sessions: The records of its cells in two sessions or more, in its order.
    """
    found = [values_of(metric, records) for records in sessions]
    unknown = next((reason for _, reason in found if reason is not None), None)
    if metric == "energy":
        unknown = unknown or no_joules([record for records in sessions for record in records])
    by_cell = list(zip(*(values for values, _ in found), strict=True))
    cells = tuple(_geometric_mean(values) for values in by_cell)
    if unknown is None and None in cells:
        unknown = "a value is not positive: there are no ratios"
    unit = BY_NAME[metric].unit
    if unknown is not None:
        return Response(metric, unit, Scale.RATIO, cells, None, (), None, unknown)
    logs = np.log(np.array(by_cell, dtype=np.float64).T)
    effects = design.effects_of(-logs)
    number = len(sessions)
    half = stats.t.isf(0.025, number - 1) * effects.std(axis=0, ddof=1) / np.sqrt(number)
    mean = effects.mean(axis=0)
    ends = (np.exp(each).tolist() for each in (mean, mean - half, mean + half))
    return Response(
        metric=metric,
        unit=unit,
        scale=Scale.RATIO,
        cells=cells,
        mean=float(np.exp(logs.mean())),
        effects=tuple(Effect(*each) for each in zip(design.effects, *ends, strict=True)),
        basis=f"scatter of {number} sessions",
        reason=None,
    )


def _geometric_mean(values: Sequence[float | None]) -> float | None:
    """Return it; ``None`` if a value is unknown or not positive."""
    known = [value for value in values if value is not None and value > 0.0]
    return float(np.exp(np.mean(np.log(known)))) if len(known) == len(values) else None
