"""What a meter reads, as data: the same sources are made from it on both sides of the sampler's pipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from leanner.meters.estimate import CpuTimeSource
from leanner.meters.memory import MemorySource
from leanner.meters.nvml import CounterSource
from leanner.meters.nvml import GaugeSource
from leanner.meters.nvml import Nvml
from leanner.meters.rapl import RaplSource
from leanner.meters.zones import ReadText
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones
from leanner.meters.zones import read_text


if TYPE_CHECKING:
    from leanner.meters.clock import Clock
    from leanner.meters.processes import ProcessTree
    from leanner.meters.sampling import Source


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """A GPU to read, and how, so that two processes read the same.

    Attributes:
        uuid: As NVML names it.
        counter: Whether it has an energy counter.
        power: Field and scope of its watts; ``None`` if it tells none.
    """

    uuid: str
    counter: bool
    power: tuple[str, str] | None

    @classmethod
    def of(cls, nvml: Nvml) -> GpuPlan:
        """Return what ``nvml`` has found."""
        power = nvml.gpu.power
        return cls(nvml.gpu.uuid, nvml.gpu.counter, None if power is None else (power.name, power.scope))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read at every tick.

    Attributes:
        interval_s: Seconds between ticks.
        pid: Root of the process tree.
        zones: RAPL counters.
        gpu: The GPU, if one does the work.
        cpu_time: Whether the CPU time of the tree is wanted.
    """

    interval_s: float
    pid: int
    zones: tuple[Zone, ...] = ()
    gpu: GpuPlan | None = None
    cpu_time: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return asdict(self) | {"zones": [asdict(zone) | {"path": str(zone.path)} for zone in self.zones]}

    @classmethod
    def from_json(cls, plan: Mapping[str, Any]) -> Plan:
        """Return the plan that ``to_json`` has written."""
        gpu = plan["gpu"]
        if gpu is not None:
            gpu = GpuPlan(gpu["uuid"], gpu["counter"], None if gpu["power"] is None else tuple(gpu["power"]))
        zones = tuple(Zone(**{**zone, "path": Path(zone["path"])}) for zone in plan["zones"])
        return cls(**{**plan, "zones": zones, "gpu": gpu})

    def sources(self, tree: ProcessTree, nvml: Nvml | None, clock: Clock, read: ReadText = read_text) -> list[Source]:
        """Return the sources; the nearer to a window's edge they are to be read, the later: counters last.

        Args:
            tree: The process tree.
            nvml: NVML with the plan's GPU, if it has one.
            clock: Monotonic nanoseconds.
            read: Reads a file of sysfs.
        """
        sources: list[Source] = [MemorySource(tree, clock)]
        if nvml is not None:
            sources.append(GaugeSource(nvml, tree.pids))
        if self.cpu_time:
            sources.append(CpuTimeSource(lambda: tree.cpu_s(tree.with_ended())))
        if self.zones:
            sources.append(RaplSource(Zones(self.zones), read))
        if nvml is not None and nvml.gpu.counter:
            sources.append(CounterSource(nvml))
        return sources
