"""From the readings of the rounds to the energy, power and memory of a case."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from leanner.meters import Idle
from leanner.meters import Reading
from leanner.meters import net_energy
from leanner.report.record import Domain
from leanner.report.record import Energy
from leanner.report.record import Power


def energy_of(readings: Sequence[Reading], idle: Idle | None, sentences: int) -> tuple[Energy, dict[str, str]]:
    """Return the energy of all rounds, and why what is ``None`` is unknown.

    Args:
        readings: One for each round, at least one.
        idle: What the machine draws at rest, with the tagger loaded.
        sentences: Sentences of the corpus: those of one round.
    """
    unknown: dict[str, str] = {}
    rounds = tuple(reading.total_j for reading in readings)
    total = _sum(rounds)
    if total is None:
        unknown["energy"] = next(reading.total_reason for reading in readings if reading.total_reason is not None)
    net = _net(readings, idle, unknown)
    unknown["energy.low_j"] = unknown["energy.high_j"] = "the meter states no interval yet"
    unknown["energy.systematic_pct"] = "the meter states no interval yet"
    return (
        Energy(
            domains={name: _domain(name, readings) for name in readings[0].energy},
            rounds_j=rounds,
            total_j=total,
            net_j=net,
            per_1000_sentences_j=None if total is None else 1000 * total / (sentences * len(readings)),
            low_j=None,
            high_j=None,
            systematic_pct=None,
        ),
        unknown,
    )


def power_of(readings: Sequence[Reading], unknown: dict[str, str]) -> Power:
    """Return mean and peak power over the rounds; adds to ``unknown``."""
    means = [r.power.mean_w for r in readings if r.power.mean_w is not None]
    seconds = sum(r.window_s for r in readings)
    mean = None
    if len(means) == len(readings):
        mean = sum(r.window_s * (r.power.mean_w or 0.0) for r in readings) / seconds
    else:
        unknown["power"] = _reason(readings, "power") or unknown.get("energy", "no meter")
    peak = highest(readings, lambda r: r.power.peak_w)
    if peak is None and mean is not None:
        unknown["power.peak_w"] = _reason(readings, "power") or "no sample of power within a round"
    return Power(mean_w=mean, peak_w=peak)


def highest(readings: Sequence[Reading], field: Callable[[Reading], float | None]) -> float | None:
    """Return the highest known value of ``field``, ``None`` if no reading knows it."""
    return max((value for reading in readings if (value := field(reading)) is not None), default=None)


def mean_utilization(readings: Sequence[Reading], unknown: dict[str, str]) -> float | None:
    """Return the GPU's utilization over all rounds in percent, ``None`` if a round does not know it.

    Adds to ``unknown``.
    """
    if any(reading.gpu_utilization_pct is None for reading in readings):
        unknown["gpu_utilization_pct"] = _reason(readings, "gpu_utilization_pct") or "no sample within a round"
        return None
    seconds = sum(reading.window_s for reading in readings)
    return sum((reading.gpu_utilization_pct or 0.0) * reading.window_s for reading in readings) / seconds


def _reason(readings: Sequence[Reading], *names: str) -> str | None:
    return next((r.reasons[name] for r in readings for name in names if name in r.reasons), None)


def _domain(name: str, readings: Sequence[Reading]) -> Domain:
    domains = [reading.energy[name] for reading in readings]
    total = _sum(tuple(domain.j for domain in domains))
    if total is None:
        missing = next(domain for domain in domains if domain.j is None)
        return Domain(None, "none", missing.reason)
    return Domain(total, domains[0].source, None)


def _net(readings: Sequence[Reading], idle: Idle | None, unknown: dict[str, str]) -> float | None:
    if idle is None:
        unknown["energy.net_j"] = unknown.get("energy", "idle power was not measured")
        return None
    nets = [net_energy(reading, idle) for reading in readings]
    reason = next((reason for _, reason in nets if reason is not None), None)
    if reason is not None:
        unknown["energy.net_j"] = reason
    return _sum(tuple(joules for joules, _ in nets))


def _sum(values: tuple[float | None, ...]) -> float | None:
    return None if None in values else sum(value for value in values if value is not None)
