"""Machines and windows that Hypothesis draws: counters that wrap, gauges that jump, reads that fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from leanner.meters.combine import Equipment
from leanner.meters.device import Gpu
from leanner.meters.device import PowerField
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones


TEXTS = st.text(max_size=12)


def _unreachable() -> int:
    raise AssertionError("a stored GPU is never read")


@st.composite
def zones(draw: st.DrawFn) -> Zones:
    """One or two packages, with core and DRAM or not; a zone may be unreadable or without its range."""
    found: list[Zone] = []
    for package in range(draw(st.integers(1, 2))):
        inner = draw(st.lists(st.sampled_from(["cpu_core", "dram"]), unique=True))
        for number, domain in enumerate(["cpu_package", *inner]):
            key = f"intel-rapl:{package}" + (f":{number - 1}" if number else "")
            range_uj = draw(st.sampled_from([None, 65_532_610_987, 262_143_328_850]))
            reason = draw(st.none() | st.just(f"{key}: permission denied"))
            found.append(Zone(key, domain, package, Path("/sys/class/powercap") / key / "energy_uj", range_uj, reason))
    return Zones(tuple(found), tuple(draw(st.lists(TEXTS, max_size=2))))


@st.composite
def equipments(draw: st.DrawFn) -> Equipment:
    """Any machine."""
    device = draw(st.sampled_from(["cpu", "cuda", "cuda:1"]))
    power = st.builds(
        PowerField,
        *(TEXTS, st.sampled_from(["gpu", "module"]), st.just(_unreachable), st.sampled_from([0.0, 1.0])),
        documented=st.booleans(),
    )
    gpus = st.builds(
        Gpu, st.just(object()), TEXTS, TEXTS, st.booleans(), st.none() | power, st.none() | st.text(min_size=1)
    )
    return Equipment(
        mode=draw(st.sampled_from(["auto", "require", "estimate", "off"])),
        device=device,
        zones=draw(st.none() | zones()),
        no_rapl=draw(st.none() | st.text(min_size=1)),
        sockets=draw(st.none() | st.integers(1, 3)),
        gpu=draw(st.none() | gpus) if device != "cpu" else None,
        no_gpu=draw(st.none() | st.text(min_size=1)),
        watts_per_core=draw(st.none() | st.floats(0.1, 50.0)),
        synchronized=draw(st.booleans()),
        watts_from=draw(TEXTS),
        no_cgroup=draw(st.none() | st.text(min_size=1)),
    )


@dataclass
class Machine:
    """What the sources of ``equipment`` show, moved by a seeded generator."""

    equipment: Equipment
    random: Random
    failing: float
    counters: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    tree: int = 0
    power_mw: int = 100_000

    def rapl(self, passed_s: float, _: Moment) -> dict[str, float]:
        """Every zone rises by up to 400 W and wraps at its range."""
        readable = [] if self.equipment.zones is None else [z for z in self.equipment.zones.found if z.reason is None]
        for zone in readable:
            at = self.counters.get(zone.key, self.random.randrange(zone.range_uj or 10**10))
            after = at + self.random.randrange(1 + round(passed_s * 400e6))
            self.counters[zone.key] = after % zone.range_uj if zone.range_uj else after
        return {zone.key: self.counters[zone.key] for zone in readable}

    def counter(self, passed_s: float, _: Moment) -> dict[str, float]:
        """The GPU's energy rises by up to 700 W."""
        self.counters["gpu"] = self.counters.get("gpu", 10**9) + self.random.randrange(1 + round(passed_s * 700e3))
        return {"energy_mj": self.counters["gpu"]}

    def cpu_time(self, passed_s: float, _: Moment) -> dict[str, float]:
        """Up to eight busy cores."""
        self.cpu_s += self.random.random() * 8 * passed_s
        return {"cpu_s": self.cpu_s}

    def gauges(self, passed_s: float, _: Moment) -> dict[str, float]:
        """Power jumps now and then; strangers come and go."""
        del passed_s
        if self.random.random() < 0.2:
            self.power_mw = self.random.randrange(60_000, 700_000)
        strangers = {f"foreign.{pid}": 1.0 for pid in (7, 4711) if self.random.random() < 0.02}
        return {
            "power_mw": self.power_mw,
            "utilization_pct": self.random.randrange(101),
            "temperature_c": self.random.randrange(30, 90),
            "clock_events": self.random.choice([0, 0, 0, 1, 4, 0x24]),
            "processes": self.random.randrange(2),
            "vram_b": self.random.randrange(10**10),
            **strangers,
        }

    def memory(self, passed_s: float, moment: Moment) -> dict[str, float]:
        """Processes come and go, and are looked at sometimes."""
        del passed_s
        self.tree += self.random.random() < 0.02
        values: dict[str, float] = {"rss_b": self.random.randrange(10**9, 10**10), "tree": self.tree}
        if moment is not Moment.TICK or self.random.random() < 0.01:
            values["shared_b"] = self.random.randrange(10**9)
        if moment is Moment.STOP and self.random.random() < 0.5:
            values["high_water_b"] = self.random.randrange(10**9, 10**10)
        return values


def drive(machine: Machine, ticks: int, start_ns: int = 5_000_000_000, lost: str | None = None) -> Trace:
    """Return the trace of a window of ``ticks`` intervals of 0.1 s, some of them late.

    ``lost`` says how its sampler was, if it was.
    """
    random, interval_ns = machine.random, 100_000_000
    sources: dict[str, Callable[[float, Moment], dict[str, float]]] = {
        "memory": machine.memory,
        "nvml": machine.gauges,
        "cpu-time": machine.cpu_time,
        "rapl": machine.rapl,
        "nvml-counter": machine.counter,
    }
    end_ns = start_ns + ticks * interval_ns + random.randrange(interval_ns)
    times = [start_ns + number * interval_ns + random.randrange(30_000_000) for number in range(1, ticks + 1)]
    samples: list[Sample] = []
    for place, (name, read) in enumerate(sources.items()):
        edge_ns = 1000 * (len(sources) - place)
        last_ns = start_ns - edge_ns
        moments = [
            (last_ns, Moment.START),
            *((t + 1000 * place, Moment.TICK) for t in times if t + 1000 * place <= end_ns),
            (end_ns + edge_ns, Moment.STOP),
        ]
        for t_ns, moment in moments:
            values = read((t_ns - last_ns) / 1e9, moment)
            last_ns = t_ns
            failures = {
                channel: f"error {random.randrange(3)}" for channel in values if random.random() < machine.failing
            }
            if "rss_b" in failures or "tree" in failures:
                values, failures = {}, {"rss_b": "no such process"}
            for channel in failures:
                values.pop(channel, None)
            samples.append(Sample(name, moment, t_ns, values, failures))
    return Trace(
        start_ns=start_ns,
        end_ns=end_ns,
        interval_s=0.1,
        samples=tuple(sorted(samples, key=lambda sample: sample.t_ns)),
        health=Health(ticks, random.random(), random.choice([None, 0.101]), random.choice([None, 0.002]), lost),
    )


@dataclass(frozen=True)
class DrawnWindow:
    """A machine, and what makes one of its windows: Hypothesis prints all fields, and a trace is long."""

    equipment: Equipment
    ticks: int
    seed: int
    failing: float
    start_ns: int
    lost: str | None

    @cached_property
    def trace(self) -> Trace:
        """The window."""
        return drive(Machine(self.equipment, Random(self.seed), self.failing), self.ticks, self.start_ns, self.lost)


@st.composite
def windows(draw: st.DrawFn, *, least: int = 0, most: int = 25, failing: float = 0.3) -> DrawnWindow:
    """Any machine and window; ``failing`` is the highest share of failed reads."""
    equipment = draw(equipments())
    ticks, seed = draw(st.integers(least, most)), draw(st.integers(0, 2**32))
    share, start_ns = draw(st.sampled_from(sorted({0.0, min(0.02, failing), failing}))), draw(st.integers(10**6, 2**62))
    lost = draw(st.none() | st.just("the sampler was lost"))
    return DrawnWindow(equipment, ticks, seed, share, start_ns, lost)
