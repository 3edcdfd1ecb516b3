"""How much sessions differ from each other when nothing has changed, estimated from those in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from scipy.special import digamma
from scipy.special import polygamma


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Stored sessions that a case must have been measured in before the spread between them is used.
MIN_SESSIONS: Final = 5

_NEWTON: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """The spread of a metric between sessions, case by case, on the scale of the logarithm.

    Attributes:
        variance: Of one session's value. *Shape:* ``(…, cases)``
        freedom: Degrees of freedom that it is known with. *Shape:* ``(…, cases)``
        sessions: That the case was measured in. *Shape:* ``(…, cases)``
    """

    variance: NDArray[np.float64]
    freedom: NDArray[np.float64]
    sessions: NDArray[np.int64]


def spread(values: NDArray[np.float64], levels: Sequence[int]) -> Spread:
    """Estimate the spread from stored sessions.

    A session is the unit: its value (the median of its rounds, its joules, its peak) holds what rounds of one session
    share, so that the scatter of these values holds both the spread between sessions and what the rounds leave of
    theirs. Deviations are taken within levels, since an accepted change is no scatter.

    Five sessions give 4 degrees of freedom, too few for a test that is one of fifty. Cases of one machine lend each
    other theirs by as much as their variances are alike (Smyth 2004, Linear Models and Empirical Bayes Methods for
    Assessing Differential Expression, sections 4 and 6.2), but not more than ``_independent`` allows: what slows a
    whole session is seen in all cases, and known from as many sessions as there are.

    Args:
        values: Logarithms; NaN where a session did not measure a case. *Shape:* ``(…, cases, sessions)``
        levels: Which accepted level each session belongs to.
    """
    deviations = np.full_like(values, np.nan)
    freedom = np.zeros(values.shape[:-1])
    for level in sorted(set(levels)):
        chosen = np.flatnonzero(np.asarray(levels) == level)
        part = values[..., chosen]
        number = np.sum(np.isfinite(part), axis=-1)
        mean = np.nansum(part, axis=-1) / np.maximum(number, 1)
        deviations[..., chosen] = part - mean[..., None]
        freedom += np.maximum(number - 1, 0)
    squares = np.nansum(deviations**2, axis=-1)
    variance = np.divide(squares, freedom, out=np.full_like(squares, np.nan), where=freedom > 0)
    moderated, total = _moderated(variance, freedom)
    most = np.maximum(freedom, np.max(freedom, axis=-1, keepdims=True) * _independent(deviations, freedom)[..., None])
    return Spread(moderated, np.minimum(total, most), np.sum(np.isfinite(values), axis=-1))


def _moderated(
    variance: NDArray[np.float64], freedom: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances that were drawn towards each other, and their degrees of freedom (may be infinite).

    Variances are taken as s² ~ s0² F(d, d0); d0 and s0² follow from mean and variance of log s² (Smyth 2004, 6.2).
    Repeats that are equal to the last bit tell nothing of s0² and are left out of it.
    """
    known = np.isfinite(variance) & (variance > 0.0)
    number = np.sum(known, axis=-1, keepdims=True)
    half = np.where(known, freedom, 2.0) / 2.0
    logs = np.where(known, np.log(np.where(known, variance, 1.0)) - digamma(half) + np.log(half), 0.0)
    mean = logs.sum(axis=-1, keepdims=True) / np.maximum(number, 1)
    scatter = np.where(known, (logs - mean) ** 2, 0.0).sum(axis=-1, keepdims=True) / np.maximum(number - 1, 1)
    expected = np.where(known, polygamma(1, half), 0.0).sum(axis=-1, keepdims=True) / np.maximum(number, 1)
    beyond = scatter - expected
    differ = beyond > 0.0
    prior_half = _trigamma_inverse(np.where(differ, beyond, 1.0))
    centre = np.exp(mean + digamma(prior_half) - np.log(prior_half))
    weights = np.where(known, freedom, 0.0)
    pooled = np.nansum(np.where(known, variance, 0.0) * weights, axis=-1, keepdims=True)
    pooled /= np.maximum(weights.sum(axis=-1, keepdims=True), 1.0)
    prior = 2.0 * prior_half
    lent = (prior * centre + freedom * variance) / (prior + freedom)
    moderated = np.where(differ, lent, np.broadcast_to(pooled, variance.shape))
    total = np.where(differ, prior + freedom, np.inf)
    # one case alone has nobody to borrow from
    alone = (number < 2) | ~np.isfinite(variance)
    return np.where(alone, variance, moderated), np.where(alone, freedom, total)


def _trigamma_inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x with trigamma(x) = ``values``, by Newton's method on 1/trigamma (Smyth 2004, appendix)."""
    x = 0.5 + 1.0 / values
    for _ in range(_NEWTON):
        trigamma = polygamma(1, x)
        step = trigamma * (1.0 - trigamma / values) / polygamma(2, x)
        x = x + step
        if np.all(np.abs(step) <= 1e-8 * x):
            break
    return x


def _independent(deviations: NDArray[np.float64], freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many independent cases the cases are worth for a variance that is pooled over them.

    With correlations r between C cases a pooled variance has the degrees of freedom of C / (1 + (C − 1) mean r²) of
    them (Satterthwaite 1946, An Approximate Distribution of Estimates of Variance Components). Of a squared sample
    correlation with d degrees of freedom, chance alone gives 1/d, which is taken off.

    Args:
        deviations: From the means of their levels. *Shape:* ``(…, cases, sessions)``
        freedom: Of each case. *Shape:* ``(…, cases)``
    """
    filled = np.nan_to_num(deviations)
    length = np.sqrt(np.sum(filled**2, axis=-1, keepdims=True))
    known = length[..., 0] > 0.0
    unit = filled / np.where(length > 0.0, length, 1.0)
    cases = np.sum(known, axis=-1)
    squares = np.sum((unit @ np.swapaxes(unit, -1, -2)) ** 2, axis=(-1, -2)) - cases
    mean = squares / np.maximum(cases * (cases - 1), 1)
    most = np.maximum(np.max(freedom, axis=-1), 2.0)
    shared = np.clip((most * mean - 1.0) / (most - 1.0), 0.0, 1.0)
    result: NDArray[np.float64] = np.maximum(cases, 1) / (1.0 + (np.maximum(cases, 1) - 1) * shared)
    return result
