"""Print how often peaks of memory turn a night red, night after night, as docs/comparing.md has it.

``cd tests && PYTHONPATH=../src:. python -m compare.nights``
"""

from __future__ import annotations

import math
import sys

from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from compare.power import CASES
from compare.power import METRICS
from leanner.compare.evidence import ALPHA
from leanner.compare.evidence import ASSUMED_SPREAD
from leanner.compare.evidence import critical
from leanner.compare.evidence import of_sessions
from leanner.compare.holm import holm
from leanner.compare.spread import MIN_SESSIONS
from leanner.compare.spread import spread


if TYPE_CHECKING:
    from numpy.typing import NDArray


TRIALS: Final = 400
NIGHTS: Final = 12
SPREADS: Final = (0.005, 0.01, 0.02, 0.05)
#: Of the first case's peak, from the third night on.
CHANGES: Final = (0.0, 0.1, 1.0)
LIMIT: Final = 0.05


def red_nights(scatter: float, change: float, trials: int = TRIALS, seed: int = 2026) -> tuple[float, float]:
    """Return the share of red nights, and of series with one: a peak of each case, and nothing else scatters.

    Args:
        scatter: Standard deviation of a peak's logarithm between sessions.
        change: Of the first case's peak, from the third night on.
        trials: Series.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    red = np.zeros((trials, NIGHTS), dtype=bool)
    for trial in range(trials):
        peaks = rng.normal(0.0, scatter, (CASES, NIGHTS))
        peaks[0, 2:] += math.log1p(change)
        groups = {0: 1}
        for night in range(1, NIGHTS):
            red[trial, night], groups = _judged(peaks, groups, night)
    return float(red[:, 1:].mean()), float(red.any(axis=1).mean())


def _judged(peaks: NDArray[np.float64], groups: dict[int, int], night: int) -> tuple[bool, dict[int, int]]:
    """Return whether a night is red, and the sessions that are known then, by group: 1 the baseline, -1 beside it."""
    members = [each for each, group in groups.items() if group == 1]
    moved = peaks[:, night] - peaks[:, members].mean(axis=1)
    known, alpha = len(groups) >= MIN_SESSIONS, ALPHA
    if known:
        found = spread(peaks[:, list(groups)], list(groups.values()))
        p, _ = of_sessions(moved, found.variance, found.freedom, len(members), 1)
        alpha = critical(len(members))
    else:
        p, _ = of_sessions(moved, ASSUMED_SPREAD["host"] ** 2, np.inf, len(members), 1)
    tests = np.ones((CASES, len(METRICS)))
    tests[:, 0] = p
    small = holm(tests.reshape(-1)).reshape(tests.shape)[:, 0] < alpha
    beyond = np.abs(np.expm1(moved)) > LIMIT
    if np.any(small & beyond):
        return bool(np.any(small & beyond & (moved > 0.0))), groups
    return False, {**groups, night: -1 if not known and np.any(beyond) else 1}


def main() -> None:
    """Print the table of docs/comparing.md."""
    sys.stdout.write("| spread, % | change | red nights, % | series with one, % |\n| ---: | ---: | ---: | ---: |\n")
    for scatter in SPREADS:
        for change in CHANGES:
            nights, series = red_nights(scatter, change)
            row = f"{100 * scatter:g} | +{100 * change:.0f} % | {100 * nights:.2f} | {100 * series:.1f}"
            sys.stdout.write(f"| {row} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
