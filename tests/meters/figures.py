"""Print the simulated figures of docs/metering.md: ``cd tests && PYTHONPATH=../src:. python -m meters.figures``."""

from __future__ import annotations

import math
import sys

from typing import Final

import numpy as np

from leanner.meters.uncertainty import LEVEL
from meters import test_truth


#: Windows of each kind of source after each thing that may come before one.
WINDOWS: Final = 400


def in_quadrature(draws: int = 1_000_000) -> float:
    """Return how often the truth lies inside where the bounds of two sensors that are alike add in quadrature."""
    gains = np.random.default_rng(31).uniform(-1.0, 1.0, (2, draws)).sum(axis=0)
    return float(np.mean(np.abs(gains) <= LEVEL * math.sqrt(2.0)))


def main() -> None:
    """Print them."""
    say = sys.stdout.write
    say(f"two sensors in quadrature: inside {100.0 * in_quadrature():.1f} %\n")
    for name, kind in test_truth.KINDS.items():
        inside, found = test_truth._trials(kind, test_truth.TRIALS[name], seed=2312)
        wide = [bounds.random_pct or 0.0 for bounds in found if not test_truth._is_narrow(bounds)]
        say(f"{name}: inside {100.0 * inside:.1f} % of {test_truth.TRIALS[name]}, ")
        say(f"wider than promised {len(wide)} (random part up to {max(wide, default=0.0):.2f} %)\n")
        for before in test_truth.BEFORE:
            inside, found = test_truth._trials(kind, WINDOWS, seed=2741, before=(before,))
            half_pct = [100.0 * (bounds.high_j - bounds.j) / bounds.j for bounds in found]
            middle, most = np.percentile(half_pct, [50, 99])
            random = float(np.percentile([bounds.random_pct or 0.0 for bounds in found], 99))
            say(
                f"  {before}: inside {100.0 * inside:.1f} %, half-width {middle:.1f} % (99 %: {most:.1f}), "
                f"random {random:.2f} %\n"
            )


if __name__ == "__main__":
    main()
