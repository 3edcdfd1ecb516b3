"""A machine on the bench: fake meters, a clock and a sampler that move by hand."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from leanner.meters import open_meter
from leanner.meters.sampling import EdgeSampler
from meters.fake_clock import FakeClock
from meters.fake_tree import FakeTree


if TYPE_CHECKING:
    from collections.abc import Iterator

    from leanner.meters import CudaHooks
    from leanner.meters import EnergyMeter
    from leanner.meters import Mode
    from leanner.meters import Reading
    from leanner.meters.clock import Clock
    from leanner.meters.plan import Plan
    from leanner.meters.plugged import PlugIn
    from leanner.meters.sampling import Sampler
    from leanner.meters.sampling import Source
    from meters.fake_nvml import FakeNvml
    from meters.fake_sysfs import FakePowercap


@dataclass
class Rig:
    """Opens meters on fakes and drives their windows."""

    powercap: FakePowercap | None = None
    nvml: FakeNvml | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    tree: FakeTree = field(default_factory=FakeTree)
    sockets: int | None = None
    environ: dict[str, str] = field(default_factory=dict)
    cuda: CudaHooks | None = None
    watts_per_core: float | None = None
    cpu: str | None = None
    interval_s: float = 0.1
    plug_ins: Sequence[PlugIn] = ()
    proc: Path = Path("/nowhere")
    _samplers: list[EdgeSampler] = field(default_factory=list)

    @contextmanager
    def meter(self, mode: Mode = "auto", device: str = "cpu") -> Iterator[EnergyMeter]:
        """Open a meter; it is closed at the end."""
        with self.open(mode, device) as meter:
            yield meter

    def open(self, mode: Mode = "auto", device: str = "cpu") -> EnergyMeter:
        """Open a meter, for whoever closes it."""
        powercap = self.powercap
        return open_meter(
            mode,
            device,
            interval_s=self.interval_s,
            watts_per_core=self.watts_per_core,
            cuda=self.cuda,
            powercap=Path("/nowhere") if powercap is None else powercap.root,
            read=Path.read_text if powercap is None else powercap.read,
            sockets=lambda: self.sockets,
            cpu=lambda: self.cpu,
            nvml=self.nvml,
            environ=self.environ,
            tree=self.tree,
            proc=self.proc,
            clock=self.clock,
            sampler=self._sampler,
            plug_ins=lambda: self.plug_ins,
        )

    def _sampler(self, sources: Sequence[Source], plan: Plan, clock: Clock) -> Sampler:
        self._samplers.append(EdgeSampler(sources, plan.interval_s, clock))
        return self._samplers[-1]

    def run(
        self,
        ticks: int = 10,
        step: Callable[[int], None] = lambda _: None,
        *,
        mode: Mode = "auto",
        device: str = "cpu",
    ) -> Reading:
        """Measure a window of ``ticks`` intervals; ``step`` moves the machine before each tick."""
        with self.meter(mode, device) as meter:
            meter.start()
            self.pass_time(ticks, step)
            return meter.stop()

    def pass_time(self, ticks: int = 10, step: Callable[[int], None] = lambda _: None) -> None:
        """Let ``ticks`` intervals pass in the open window."""
        for number in range(ticks):
            self.clock.advance(self.interval_s)
            step(number)
            self.tick()

    def tick(self) -> None:
        """Let the sampler of the meter that was opened last tick."""
        self._samplers[-1].tick()
