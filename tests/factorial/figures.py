"""Print the simulated figures of docs/factorial.md: ``cd tests && PYTHONPATH=../src:. python -m factorial.figures``."""

from __future__ import annotations

import sys

from typing import Final

import numpy as np

from factorial.made import cells
from factorial.made import design_of
from factorial.made import timed
from leanner.factorial.responses import of_time


#: Tables of eight cells, and draws of their rounds for each.
TABLES: Final = 600
RESAMPLES: Final = 2_000
#: Standard deviations of the logarithms of times: of rounds, and of cases beside.
ROUNDS_SCATTER: Final = 0.02
CASES_SCATTER: Final = (0.0, 0.01)
ROUNDS: Final = (10, 50)


def coverage(cases_scatter: float, rounds: int) -> list[float]:
    """Return in which share of tables each of the seven effects lies in its interval: none is there, and all are 1."""
    design = design_of(3)
    rng = np.random.default_rng(1938)
    covered = np.zeros(len(design.effects))
    for table in range(TABLES):
        levels = rng.normal(0.0, cases_scatter, 8)
        times = [timed(np.exp(level + rng.normal(0.0, ROUNDS_SCATTER, rounds))) for level in levels]
        response = of_time(design, cells(design, time=times), resamples=RESAMPLES, seed=table)
        covered += [(effect.low or 0.0) <= 1.0 <= (effect.high or 0.0) for effect in response.effects]
    return [float(share) for share in covered / TABLES]


def main() -> None:
    """Print them."""
    for scatter in CASES_SCATTER:
        for rounds in ROUNDS:
            shares = coverage(scatter, rounds)
            sys.stdout.write(
                f"{TABLES} tables, rounds scatter by {ROUNDS_SCATTER:.0%}, cases by {scatter:.0%}, {rounds} rounds: "
                f"inside {min(shares):.1%} to {max(shares):.1%}\n"
            )


if __name__ == "__main__":
    main()
