"""Print how often gates alarm without a change, and find one, as docs/comparing.md has it.

``cd tests && PYTHONPATH=../src:. python -m compare.power``
"""

from __future__ import annotations

import sys

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.compare.evidence import critical
from leanner.compare.evidence import of_rounds
from leanner.compare.evidence import of_sessions
from leanner.compare.holm import holm
from leanner.compare.spread import spread
from leanner.measure.statistics import hodges_lehmann


if TYPE_CHECKING:
    from numpy.typing import NDArray


TRIALS: Final = 2_000
CASES: Final = 12
#: Of these time, joules and a peak scatter; F1 of what did not change does not, and counts as a test all the same.
METRICS: Final = ("time", "energy", "host", "f1")
ROUND_SPREAD: Final = 0.02
SESSION_SPREAD: Final = 0.01
THRESHOLD_PCT: Final = 5.0

#: Sessions of the baseline, and stored ones.
SESSIONS: Final = ((1, 5), (1, 20), (5, 5), (10, 10), (20, 20))
EFFECTS_PCT: Final = (2, 4, 5, 6, 7, 8, 10, 12)
EFFECTS: Final = (0.0, *(pct / 100.0 for pct in EFFECTS_PCT))
ROUNDS: Final = (10, 20, 50)
#: Of the tables, by whether the cases of a session share its offset.
TITLES: Final = {
    False: "**Each case of a session is off by itself**, percent of tables:",
    True: "**All cases of a session are off alike**, percent of tables:",
}


@dataclass(frozen=True)
class World:
    """What sessions are like.

    Attributes:
        rounds: Of a case in a session.
        baseline: Sessions of the baseline.
        stored: Sessions that the spread is estimated from, those of the baseline among them.
        shared: Whether all cases of a session have the same offset, or each one of its own.
    """

    rounds: int = 10
    baseline: int = 5
    stored: int = 5
    shared: bool = False


@dataclass(frozen=True)
class Tables:
    """What came of tables: which gates said worse. *Shape:* ``(effects, trials, cases, metrics)``."""

    worse: NDArray[np.bool_]

    @property
    def alarms(self) -> NDArray[np.float64]:
        """Share of tables in which any gate did, by effect."""
        share: NDArray[np.float64] = self.worse.any(axis=(2, 3)).mean(axis=1)
        return share

    @property
    def found(self) -> NDArray[np.float64]:
        """Share of tables in which the time of the first case did, by effect."""
        share: NDArray[np.float64] = self.worse[:, :, 0, 0].mean(axis=1)
        return share


def simulate(world: World, effects: Sequence[float] = (0.0,), trials: int = TRIALS, seed: int = 2026) -> Tables:
    """Compare one new session with the baseline, table by table, by the arithmetic of ``leanner compare``.

    The first case takes ``1 + effect`` times the time, and nothing else changes.
    """
    rng = np.random.default_rng(seed)
    sessions = world.stored + 1
    baseline = slice(world.stored - world.baseline, world.stored)
    p = np.ones((trials, CASES, len(METRICS)))
    change = np.zeros_like(p)
    between = []
    for number, metric in enumerate(METRICS[:-1]):
        offsets = rng.normal(0.0, SESSION_SPREAD, (trials, 1 if world.shared else CASES, sessions, 1))
        noise = rng.normal(0.0, ROUND_SPREAD, (trials, CASES, sessions, world.rounds))
        if metric == "host":
            values = np.broadcast_to(offsets[..., 0], (trials, CASES, sessions))
        elif metric == "energy":
            values = np.mean(offsets + noise, axis=-1)
        else:
            rounds = offsets + noise
            values = _located(rounds)
        between.append(spread(values[..., :-1], [0] * world.stored))
        change[..., number] = values[..., -1] - values[..., baseline].mean(axis=-1)
        p[..., number] = _across(change[..., number], between[-1].variance, between[-1].freedom, world)
    # both must say so: the rounds, and the sessions
    before, after = rounds[:, :, baseline].reshape(trials, CASES, -1), rounds[:, :, -1]
    p[..., 0] = np.maximum(p[..., 0], of_rounds(before, after))
    worse = []
    for effect in effects:
        slower, doubt = change.copy(), p.copy()
        slower[:, 0, 0] += np.log1p(effect)
        across = _across(slower[:, 0, 0], between[0].variance[:, 0], between[0].freedom[:, 0], world)
        doubt[:, 0, 0] = np.maximum(across, of_rounds(before[:, 0], after[:, 0] + np.log1p(effect)))
        adjusted = holm(doubt.reshape(trials, -1)).reshape(p.shape)
        worse.append((np.expm1(slower) > THRESHOLD_PCT / 100.0) & (adjusted < critical(world.baseline)))
    return Tables(np.array(worse))


def _located(rounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what stands for each session, table by table: all pairs of rounds of all of them take much memory."""
    return np.array([hodges_lehmann(table) for table in rounds])


def _across(
    change: NDArray[np.float64], variance: NDArray[np.float64], freedom: NDArray[np.float64], world: World
) -> NDArray[np.float64]:
    p, _ = of_sessions(change, variance, freedom, world.baseline, 1)
    return p


def main() -> None:
    """Print the tables of docs/comparing.md."""
    say = sys.stdout.write
    for shared in (False, True):
        say(f"{TITLES[shared]}\n\n")
        names = " | ".join(f"+{pct} %" for pct in EFFECTS_PCT)
        say(f"| baseline | stored | rounds | any false alarm | {names} |\n")
        say("|" + " ---: |" * (4 + len(EFFECTS_PCT)) + "\n")
        for baseline, stored in SESSIONS:
            for rounds in ROUNDS:
                tables = simulate(World(rounds, baseline, stored, shared), EFFECTS)
                shares = " | ".join(f"{100.0 * share:.1f}" for share in tables.found[1:])
                say(f"| {baseline} | {stored} | {rounds} | {100.0 * tables.alarms[0]:.2f} | {shares} |\n")
                sys.stdout.flush()
        say("\n")


if __name__ == "__main__":
    main()
