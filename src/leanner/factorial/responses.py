"""What the factors do to one number of the cells: effects, and intervals as far as the number has an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.compare.evidence import MIN_ROUNDS
from leanner.compare.evidence import relative_sd
from leanner.compare.metrics import BY_NAME
from leanner.runs.scores import counts_of
from leanner.scoring.contrasts import f1_contrasts


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.factorial.design import Design
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


#: Draws of each cell's rounds.
RESAMPLES: Final = 10_000
#: Half of the width of a normal interval with 95 %, in standard deviations.
_NORMAL: Final = 1.96
#: F1 of the stored spans may be so far from that of the report.
_EQUAL: Final = 1e-9
_ONE_VALUE: Final = "one value a case: only several sessions tell its scatter"


class Scale(StrEnum):
    """How an effect is to be read: more is better on both."""

    RATIO = "ratio"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a factor, or several together, do.

    Attributes:
        factors: By their places in the design; several are an interaction.
        value: A ratio (low over high, so that 2 is twice as fast) or points of F1 (high less low); of an interaction
            the ratio of ratios, or the difference of differences.
        low: Lower end of the interval with 95 %; ``None`` where there is none.
        high: Upper end.
    """

    factors: tuple[int, ...]
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Response:
    """One number of all cells, and its effects.

    Attributes:
        metric: As ``leanner compare`` calls it.
        unit: Of the cells' values.
        scale: Of the effects.
        cells: ``None`` is unknown.
        mean: Of the cells, geometric where the scale is that of ratios; ``None`` if a cell is.
        effects: In the order of the design; empty if a cell is unknown.
        basis: What the intervals come from; ``None`` without any.
        reason: Why there are no effects, or no intervals.
    """

    metric: str
    unit: str
    scale: Scale
    cells: tuple[float | None, ...]
    mean: float | None
    effects: tuple[Effect, ...]
    basis: str | None
    reason: str | None


def of_time(design: Design, records: Sequence[CaseRecord], *, resamples: int = RESAMPLES, seed: int = 0) -> Response:
    """Return the effects on the median round, as ratios.

    The rounds of each cell are resampled on their own (Efron and Tibshirani 1993, An Introduction to the Bootstrap,
    chapter 8); the ends are percentiles of the effects on the logarithms of the resampled medians.

    Args:
        design: Of the cells.
        records: Of its cells, in its order.
        resamples: Draws of each cell.
        seed: Equal seeds give equal intervals.
    """
    rounds = [record.time.rounds_s if record.time else () for record in records]
    if few := [f"{r.configuration} has {len(s)}" for r, s in zip(records, rounds, strict=True) if len(s) < MIN_ROUNDS]:
        return _of_costs("time", design, records, reason=f"expected {MIN_ROUNDS} rounds or more: {', '.join(few)}")
    rng = np.random.default_rng(seed)
    medians = np.stack(
        [np.median(rng.choice(np.array(seconds), size=(resamples, len(seconds))), axis=1) for seconds in rounds], axis=1
    )
    ends = np.percentile(design.effects_of(-np.log(medians)), [2.5, 97.5], axis=0)
    value = design.effects_of(-np.log([np.median(seconds) for seconds in rounds]))
    return _of_costs(
        "time", design, records, (ends[0] - value, ends[1] - value), basis="rounds of each cell, resampled"
    )


def of_energy(design: Design, records: Sequence[CaseRecord]) -> Response:
    """Return the effects on joules per 1,000 sentences, as ratios.

    Errors are those that do not cancel between two cases on one device, as for ``leanner compare``: the larger of the
    sensors' random part and the scatter of the windows, of all cells in quadrature.

    Args:
        design: Of the cells.
        records: Of its cells, in its order.
    """
    if reason := no_joules(records):
        return _of_costs("energy", design, records, unusable=reason)
    errors = [None if record.energy is None else relative_sd(record.energy) for record in records]
    known = np.array([error for error in errors if error])
    if len(known) < len(records):
        return _of_costs("energy", design, records, reason="the random part of the joules is unknown")
    half = _NORMAL * np.sqrt(design.weights**2 @ known**2)
    return _of_costs("energy", design, records, (-half, half), basis="windows of each cell and sensors")


def of_memory(metric: str, design: Design, records: Sequence[CaseRecord]) -> Response:
    """Return the effects on a peak of memory (``host`` or ``vram``), as ratios and without intervals."""
    return _of_costs(metric, design, records, reason=_ONE_VALUE)


def of_f1(design: Design, run: Run, records: Sequence[CaseRecord]) -> Response:
    """Return the effects on micro F1 in points, all cells scored on the same resampled articles.

    Args:
        design: Of the cells.
        run: With its corpus, if there are to be intervals.
        records: Of its cells, in its order.

    Raises:
        ValueError: The stored spans have another F1 than the report says.
    """
    cells, unknown = values_of("f1", records)
    if unknown is not None:
        return Response("f1", "pt", Scale.POINTS, cells, None, (), None, unknown)
    values = np.array(cells, dtype=np.float64)
    ends: list[tuple[float | None, float | None]] = [(None, None)] * len(design.effects)
    basis: str | None = "articles, the same draws for all cells"
    reason: str | None = None
    try:
        counts = [counts_of(run, run.predictions(record)) for record in records]
    except (OSError, ValueError) as error:  # the corpus or a file is not there: the report's own F1 stays
        basis, reason = None, str(error)
    else:
        scored = [each.total().f1 for each in counts]
        for record, stated, found in zip(records, values.tolist(), scored, strict=True):
            if found is None or abs(found - stated / 100) > _EQUAL:
                raise ValueError(
                    f"{run.path}: {record.configuration}: expected F1 {stated / 100:.6f} of the stored spans, found "
                    f"{found}; leanner check says what else does not hold"
                )
        contrasts = f1_contrasts(counts, design.weights, seed=records[0].seed or 0)
        ends = [(each.low, each.high) for each in contrasts]
        if (missing := next((each.reason for each in contrasts if each.low is None), None)) is not None:
            basis, reason = None, missing
    effects = tuple(
        Effect(factors, value, low, high)
        for factors, value, (low, high) in zip(design.effects, design.effects_of(values).tolist(), ends, strict=True)
    )
    return Response("f1", "pt", Scale.POINTS, cells, float(np.mean(values)), effects, basis, reason)


def _of_costs(
    metric: str,
    design: Design,
    records: Sequence[CaseRecord],
    around: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    *,
    basis: str | None = None,
    reason: str | None = None,
    unusable: str | None = None,
) -> Response:
    """Return the effects on a cost as ratios, computed on its negative logarithm.

    Args:
        metric: Its name.
        design: Of the cells.
        records: Of its cells.
        around: Ends of the intervals less the effects, on that scale. *Shape:* ``(effects,)`` each.
        basis: What they come from.
        reason: Why there are none.
        unusable: Why the values, though known, are not to be compared.
    """
    unit = BY_NAME[metric].unit
    cells, unknown = values_of(metric, records)
    known = [value for value in cells if value is not None]
    if unknown is None and min(known) <= 0.0:
        unknown = "a value is not positive: there are no ratios"
    if (why := unknown or unusable) is not None:
        return Response(metric, unit, Scale.RATIO, cells, None, (), None, why)
    logs = np.log(np.array(known))
    found = design.effects_of(-logs)
    values = np.exp(found).tolist()
    none = [None] * len(values)
    low, high = (none, none) if around is None else (np.exp(found + end).tolist() for end in around)
    effects = tuple(Effect(*each) for each in zip(design.effects, values, low, high, strict=True))
    return Response(metric, unit, Scale.RATIO, cells, float(np.exp(np.mean(logs))), effects, basis, reason)


def values_of(metric: str, records: Sequence[CaseRecord]) -> tuple[tuple[float | None, ...], str | None]:
    """Return a number of all cells, and why it is unknown of some; ``None`` if it is known of all."""
    which = BY_NAME[metric]
    cells = tuple(which.value(record) for record in records)
    if metric == "energy":
        # estimates are shown, and have no effects
        estimates = map(BY_NAME["estimate"].value, records)
        cells = tuple(other if value is None else value for value, other in zip(cells, estimates, strict=True))
    without: dict[str, list[str]] = {}
    for record, value in zip(records, cells, strict=True):
        if value is None:
            without.setdefault(which.why_unknown(record), []).append(record.configuration)
    if not without:
        return cells, None
    if [len(names) for names in without.values()] == [len(records)]:
        return cells, next(iter(without))
    return cells, "; ".join(f"{', '.join(names)}: {why}" for why, names in without.items())


def no_joules(records: Sequence[CaseRecord]) -> str | None:
    """Return why joules of cells are not compared, though they are known; ``None`` if they are."""
    sources = {record.energy.sources for record in records if record.energy is not None}
    if any("estimate" in each for each in sources):
        return "joules are estimated: an estimate follows CPU time, and its effects would be those of time again"
    if len(sources) > 1:
        return "joules of different sources: " + " and ".join(sorted("+".join(each) or "none" for each in sources))
    if any(record.energy is not None and record.energy.replayed for record in records):
        return "joules were replayed, not measured"
    return None
