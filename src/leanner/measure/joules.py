"""From the readings of the windows to the energy and power of a case."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters import EnergyDomain
from leanner.meters import Idle
from leanner.meters import Reading
from leanner.meters import between
from leanner.meters import domain_interval
from leanner.meters import fit
from leanner.meters import net_energy
from leanner.meters import net_interval
from leanner.meters import total_interval
from leanner.meters.marginal import Prefix as PrefixEnergy
from leanner.meters.reading import ADDED
from leanner.report.costs import Domain
from leanner.report.costs import Energy
from leanner.report.costs import IdlePower
from leanner.report.costs import Marginal
from leanner.report.costs import Power


if TYPE_CHECKING:
    from leanner.measure.prefixes import Prefix
    from leanner.meters.uncertainty import Interval


#: How the reason begins why joules of windows that have different sources are not added.
MIXED: Final = "its windows have joules of different sources"


@dataclass(frozen=True, slots=True)
class Metered:
    """All windows of a case: what its energy is computed from, when it is measured and when it is checked.

    Attributes:
        readings: One for each window of rounds, at least one.
        per_window: Rounds that each holds.
        bare: Power at rest before anything was loaded; ``None`` where it was not measured.
        before: The same with the tagger loaded, before the rounds.
        after: And behind them.
        prefixes: Windows over parts of the corpus.
    """

    readings: Sequence[Reading]
    per_window: int
    bare: Idle | None
    before: Idle | None
    after: Idle | None
    prefixes: Sequence[Prefix]


def energy_of(metered: Metered, sentences: int, unknown: dict[str, str]) -> Energy:
    """Return the energy of all rounds; adds to ``unknown`` why what is ``None`` is.

    Args:
        metered: The windows of the case.
        sentences: Sentences that one round tags.
        unknown: Reasons by field.
    """
    readings, per_window = metered.readings, metered.per_window
    joules = tuple(reading.total_j for reading in readings)
    mixed = _mixed_total(readings)
    total_j = None if mixed is not None else _sum(joules)
    if total_j is None:
        unknown["energy"] = mixed or next(r.total_reason for r in readings if r.total_reason is not None)
    found, no_interval = (None, mixed) if mixed is not None else total_interval(readings)
    if found is None and total_j is not None:
        unknown["energy.low_j"] = unknown["energy.high_j"] = no_interval or "no interval"
        unknown["energy.systematic_pct"] = unknown["energy.random_pct"] = no_interval or "no interval"
    net_j, net = _net(metered, unknown)
    return Energy(
        domains={name: _domain(name, readings) for name in readings[0].energy},
        rounds_j=joules,
        total_j=total_j,
        net_j=net_j,
        per_1000_sentences_j=(None if total_j is None else 1000 * total_j / (sentences * len(readings) * per_window)),
        low_j=None if found is None else found.low_j,
        high_j=None if found is None else found.high_j,
        systematic_pct=None if found is None else found.systematic_pct,
        random_pct=None if found is None else found.random_pct,
        net_low_j=None if net is None else net.low_j,
        net_high_j=None if net is None else net.high_j,
        rounds_per_window=per_window,
        idle=_idle_power(metered, unknown),
        marginal=_marginal(metered, sentences, unknown),
        plugged={name: _plugged(name, readings) for name in readings[0].plugged},
        replayed=any(reading.replayed is not None for reading in readings),
    )


def power_of(readings: Sequence[Reading], unknown: dict[str, str]) -> Power:
    """Return mean and peak power over the windows; adds to ``unknown``."""
    means = [r.power.mean_w for r in readings if r.power.mean_w is not None]
    seconds = sum(r.window_s for r in readings)
    mean = None
    if len(means) == len(readings):
        mean = sum(r.window_s * (r.power.mean_w or 0.0) for r in readings) / seconds
    else:
        unknown["power"] = _reason(readings, "power") or unknown.get("energy", "no meter")
    peak = highest(readings, lambda r: r.power.peak_w)
    if peak is None and mean is not None:
        unknown["power.peak_w"] = _reason(readings, "power") or "no sample of power within a window"
    return Power(mean_w=mean, peak_w=peak)


def highest(readings: Sequence[Reading], field: Callable[[Reading], float | None]) -> float | None:
    """Return the highest known value of ``field``, ``None`` if no reading knows it."""
    return max((value for reading in readings if (value := field(reading)) is not None), default=None)


def mean_utilization(readings: Sequence[Reading], unknown: dict[str, str]) -> float | None:
    """Return the GPU's utilization over all windows in percent, ``None`` if a window does not know it.

    Adds to ``unknown``.
    """
    if any(reading.gpu_utilization_pct is None for reading in readings):
        unknown["gpu_utilization_pct"] = _reason(readings, "gpu_utilization_pct") or "no sample within a window"
        return None
    seconds = sum(reading.window_s for reading in readings)
    return sum((reading.gpu_utilization_pct or 0.0) * reading.window_s for reading in readings) / seconds


def _reason(readings: Sequence[Reading], *names: str) -> str | None:
    return next((r.reasons[name] for r in readings for name in names if name in r.reasons), None)


def _domain(name: str, readings: Sequence[Reading]) -> Domain:
    added = _added([reading.energy[name] for reading in readings])
    found = None if added.j is None else domain_interval(name, readings)
    if found is None:
        return added
    return replace(added, systematic_pct=found.systematic_pct, random_pct=found.random_pct)


def _plugged(name: str, readings: Sequence[Reading]) -> Domain:
    return _added([reading.plugged[name] for reading in readings])


def _added(domains: Sequence[EnergyDomain]) -> Domain:
    """Return the joules of one domain over all windows; unknown if they are in one, or of different sources."""
    total = _sum(tuple(domain.j for domain in domains))
    if total is None:
        missing = next(domain for domain in domains if domain.j is None)
        return Domain(None, "none", missing.reason)
    if (mixed := _mixed(domains)) is not None:
        return Domain(None, "none", mixed)
    return Domain(total, domains[0].source, None, detail=domains[0].detail)


def _mixed(domains: Sequence[EnergyDomain]) -> str | None:
    """Return why the joules of a domain are not added over the windows that know them; ``None`` if they may be."""
    sources = sorted({domain.source for domain in domains if domain.j is not None})
    return f"{MIXED} ({', '.join(sources)})" if len(sources) > 1 else None


def _mixed_total(readings: Sequence[Reading]) -> str | None:
    """Return why totals of windows are not added; ``None`` if every domain has one source in all of them."""
    reasons = ((name, _mixed([reading.energy[name] for reading in readings])) for name in ADDED)
    return next((f"{name}: {reason}" for name, reason in reasons if reason is not None), None)


def _net(metered: Metered, unknown: dict[str, str]) -> tuple[float | None, Interval | None]:
    readings, before, after = metered.readings, metered.before, metered.after
    if before is None or after is None:
        why = unknown.get("energy") or _no_rest(readings)
        unknown["energy.net_j"] = unknown["energy.net_low_j"] = unknown["energy.net_high_j"] = why
        return None, None
    both = between(before, after)
    nets = [net_energy(reading, both) for reading in readings]
    reason = _mixed_total(readings) or next((reason for _, reason in nets if reason is not None), None)
    if reason is not None:
        unknown["energy.net_j"] = unknown["energy.net_low_j"] = unknown["energy.net_high_j"] = reason
        return None, None
    found, no_interval = net_interval(readings, both)
    if found is None:
        unknown["energy.net_low_j"] = unknown["energy.net_high_j"] = no_interval or "no interval"
    return _sum(tuple(joules for joules, _ in nets)), found


def _no_rest(readings: Sequence[Reading]) -> str:
    """Return why the power at rest was not measured: the device at work has no meter, or it was not asked for."""
    works = readings[0].power.of
    domains = [reading.energy[works] for reading in readings]
    if any(domain.source == "estimate" for domain in domains):
        return f"{works}: joules are estimated, and an estimate from CPU time knows no idle power"
    if all(domain.j is None for domain in domains):
        return f"{works}: {domains[0].reason}"
    return "idle power was not measured (--leanner-idle=0)"


def _idle_power(metered: Metered, unknown: dict[str, str]) -> IdlePower | None:
    bare, before, after = metered.bare, metered.before, metered.after
    if bare is None or before is None or after is None:
        unknown["energy.idle"] = _no_rest(metered.readings)
        return None
    unknown.update(
        {
            f"energy.idle.{when}.{name}": measured.reasons.get(name, "unknown at rest")
            for when, measured in (("bare_w", bare), ("before_w", before), ("after_w", after))
            for name, watts in measured.watts.items()
            if watts is None
        }
    )
    return IdlePower(bare_w=dict(bare.watts), before_w=dict(before.watts), after_w=dict(after.watts))


def _marginal(metered: Metered, sentences: int, unknown: dict[str, str]) -> Marginal | None:
    """Fit a line through the prefixes and, as the longest of them, the rounds."""
    if not metered.prefixes:
        unknown["energy.marginal"] = unknown.get("energy", "prefixes of the corpus were not measured")
        return None
    runs = [(p.sentences, p.times, p.reading) for p in metered.prefixes]
    runs += [(sentences, metered.per_window, reading) for reading in metered.readings]
    points = []
    for size, times, reading in runs:
        found, reason = total_interval([reading])
        if reading.total_j is None or found is None:
            unknown["energy.marginal"] = reading.total_reason or reason or "joules without an interval"
            return None
        points.append(PrefixEnergy(size, reading.total_j / times, found.random_j / times))
    line, reason = fit(points)
    if line is None:
        unknown["energy.marginal"] = reason or "no line fits"
        return None
    return Marginal(
        per_1000_sentences_j=1000 * line.sentence_j,
        per_1000_sentences_low_j=1000 * line.sentence_low_j,
        per_1000_sentences_high_j=1000 * line.sentence_high_j,
        fixed_j=line.fixed_j,
        fixed_low_j=line.fixed_low_j,
        fixed_high_j=line.fixed_high_j,
        points=line.points,
    )


def _sum(values: tuple[float | None, ...]) -> float | None:
    return None if None in values else sum(value for value in values if value is not None)
