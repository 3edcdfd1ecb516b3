"""A made-up GPU machine on which a whole session runs: clock, meters, memory and tagger move together."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pytest_benchmark.stats import Metadata
from torch import nn
from transformers import BertConfig
from transformers import BertModel

from leanner.measure import floor
from leanner.measure import machine as machine_module
from leanner.measure import rounds
from leanner.measure import session
from leanner.meters import measure_idle
from leanner.meters.plugged import PlugIn
from leanner.meters.sampling import EdgeSampler
from measure.fakes import FakeTagger
from meters.fake_cgroup import FakeCgroup
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_sysfs import QuickPowercap
from meters.rig import Rig


if TYPE_CHECKING:
    import pytest

    from leanner.meters import EnergyMeter
    from leanner.meters import Idle
    from leanner.meters import Meter
    from leanner.meters import WindowKind
    from leanner.meters.clock import Clock
    from leanner.meters.plan import Plan
    from leanner.meters.sampling import Sampler
    from leanner.meters.sampling import Source
    from leanner.meters.trace import Trace
    from leanner.options import Options
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


ENVIRONMENT: Final = {"torch": "2", "threads": 2, "isa": ["avx2"], "commit": "f" * 40, "dirty": False}

#: Seconds that the unchanged tagger takes for a sentence, more or less.
SENTENCE_S: Final = 0.019
#: Seconds that reading the clock takes.
CLOCK_S: Final = 0.0002
#: A process on the GPU that is not of the run.
FOREIGN: Final = 17

_PACKAGE, _CORE, _DRAM = "intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1"
_TINY: Final = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}


@dataclass(frozen=True)
class Load:
    """Watts by zone and of the GPU, and how busy that is."""

    zones: Mapping[str, float]
    gpu_w: float
    busy_pct: int


WORK: Final = Load({_PACKAGE: 55.0, _CORE: 35.0, _DRAM: 6.0}, 310.0, 90)
REST: Final = Load({_PACKAGE: 20.0, _CORE: 5.0, _DRAM: 2.0}, 70.0, 1)


class SampledRig(Rig):
    """A rig whose sampler knows what it costs."""

    @property
    def is_sampling(self) -> bool:
        """Whether a window is open."""
        return any(isinstance(sampler, CostlySampler) and sampler.is_open for sampler in self._samplers)

    def _sampler(self, sources: Sequence[Source], plan: Plan, clock: Clock) -> Sampler:
        self._samplers.append(CostlySampler(sources, plan.interval_s, clock))
        return self._samplers[-1]


class CostlySampler(EdgeSampler):
    """Uses 0.2 ms of CPU time for each tick."""

    is_open = False

    def start(self) -> None:
        """Begin the window."""
        super().start()
        self.is_open = True

    def stop(self) -> Trace:
        """End the window."""
        self.is_open = False
        trace = super().stop()
        return replace(trace, health=replace(trace.health, cpu_s=0.0002 * trace.health.ticks))


@dataclass
class MadeUpMachine:
    """One package with core and DRAM, a GPU with counter and power, a cgroup, a socket in the wall.

    The package's counter wraps soon, the GPU throttles in every fourth sample and holds a
    foreign process in every fifth, and each tagger that is loaded leaves memory behind.

    Attributes:
        folder: Where the files of the kernel lie.
        options: Of the session.
        wall_j: Joules that the socket in the wall has counted.
    """

    folder: Path
    options: Options
    wall_j: float = 0.0
    _gpu: FakeGpu = field(default_factory=FakeGpu)
    _steps: int = 0
    _tasks: int = 0
    _loads: int = 0

    def __post_init__(self) -> None:
        self._powercap = QuickPowercap(self.folder / "powercap")
        self._powercap.add(_PACKAGE, "package-0", energy_uj=262_143_000_000)
        self._powercap.add(_CORE, "core")
        self._powercap.add(_DRAM, "dram")
        self._cgroup = FakeCgroup(self.folder / "cgroup")
        self._rig = SampledRig(
            # What is estimated is not metered.
            None if self.options.energy == "estimate" else self._powercap,
            FakeNvml(self._gpu),
            sockets=1,
            watts_per_core=self.options.watts_per_core,
            interval_s=self.options.interval_s,
            plug_ins=[PlugIn("wall", lambda _: Socket(self))],
            proc=self._cgroup.proc,
        )
        self._torch = SimpleNamespace(
            zeros=lambda *_, **__: None,
            device=lambda _: SimpleNamespace(index=0),
            _C=SimpleNamespace(_cuda_hasPrimaryContext=lambda _: True),
            cuda=SimpleNamespace(
                get_device_properties=lambda _: SimpleNamespace(uuid=self._gpu.uuid.removeprefix("GPU-")),
                synchronize=lambda _: None,
                empty_cache=lambda: None,
                reset_peak_memory_stats=lambda _: None,
                max_memory_allocated=lambda _: 900_000_000 + 1000 * self._steps,
                memory_reserved=lambda _: 3_000_000 * self._loads,
                memory_allocated=lambda _: 2_000_000 * self._loads,
            ),
        )

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Let sessions measure on this machine."""
        modules = SimpleNamespace(import_module=lambda _: self._torch)
        patch.setattr(machine_module, "importlib", modules)
        patch.setattr(machine_module, "open_meter", self._open_meter)
        patch.setattr(machine_module, "measure_idle", self._measure_idle)
        patch.setattr(floor, "importlib", modules)
        patch.setattr(floor, "gc", SimpleNamespace(collect=int))
        patch.setattr(floor, "ProcessTree", lambda: self._rig.tree)
        patch.setattr(rounds, "time", SimpleNamespace(perf_counter=self.perf_counter))
        patch.setattr(session, "describe", lambda *_: ENVIRONMENT)
        patch.setattr(session, "load_by_name", self._load_tagger)

    def perf_counter(self) -> float:
        """Return the seconds of the machine's clock."""
        self._rig.clock.advance(CLOCK_S)
        return self._rig.clock.now_ns / 1e9

    def work(self, sentences: int, pace: float) -> None:
        """Let the time pass that tagging takes, ``pace`` times the usual; no two times are quite the same."""
        self._tasks += 1
        spread = 0.5 if sentences == 1 else 0.04
        noise = 1 + spread * (37 * self._tasks % 101) / 101
        self._pass(SENTENCE_S * sentences * pace * noise, WORK)

    def _load_tagger(self, name: str, device: str, *, labels: str | None, mini_batch_size: int) -> FakeTagger:
        del name, device, labels, mini_batch_size
        self._loads += 1
        return MadeUpTagger(machine=self, model=_tiny_transformer())

    def _open_meter(self, mode: Any, device: str, **given: Any) -> EnergyMeter:  # noqa: ANN401 - as open_meter's
        self._rig.cuda = given["cuda"]
        return self._rig.open(mode, device)

    def _measure_idle(
        self, meter: Meter, seconds: float, sleep: Callable[[float], None] | None = None, *, kind: WindowKind
    ) -> Idle:
        return measure_idle(meter, seconds, sleep or (lambda seconds: self._pass(seconds, REST)), kind=kind)

    def _pass(self, seconds: float, load: Load) -> None:
        clock, grid_ns = self._rig.clock, round(1e9 * self._rig.interval_s)
        end_ns = clock.now_ns + round(1e9 * seconds)
        while clock.now_ns < end_ns:
            before_ns = clock.now_ns
            clock.now_ns = min(end_ns, (before_ns // grid_ns + 1) * grid_ns)
            self._spend((clock.now_ns - before_ns) / 1e9, load)
            if clock.now_ns % grid_ns == 0 and self._rig.is_sampling:
                self._rig.tick()
        if self._rig.is_sampling:
            self._cgroup.peak(2_000_000_000 + 1_000_000 * self._steps)

    def _spend(self, seconds: float, load: Load) -> None:
        self._steps += 1
        wander = 1 + 0.01 * (self._steps % 7 - 3)
        for key, watts in load.zones.items():
            self._powercap.spend(key, watts * wander * seconds)
        gpu, tree = self._gpu, self._rig.tree
        assert isinstance(gpu.energy_mj, int)
        gpu.instant_mw = {0: round(1000 * load.gpu_w * wander)}
        gpu.energy_mj += round(1000 * load.gpu_w * wander * seconds)
        gpu.utilization_pct = load.busy_pct + self._steps % 3
        gpu.temperature_c = 45 + self._steps % 4
        gpu.clock_events = 0x04 if self._steps % 4 == 0 else 0
        foreign = [(FOREIGN, 60_000_000)] if self._steps % 5 == 0 else []
        gpu.processes = [(tree.pid, 1_500_000_000 + 1_000_000 * (self._steps % 9)), *foreign]
        self.wall_j += 1.2 * (load.gpu_w + load.zones[_PACKAGE]) * wander * seconds
        tree.used_cpu_s += 0.9 * seconds
        tree.memory[tree.pid].rss_b = 500_000_000 + 5_000_000 * self._loads + 100_000 * (self._steps % 13)


@dataclass
class MadeUpTagger(FakeTagger):
    """Takes its time on its machine, less of it once it forgets."""

    machine: MadeUpMachine | None = None
    is_small: bool = False

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield gold spans, but for those that it forgets."""
        given = list(documents)
        assert self.machine is not None
        pace = 0.55 if self.is_small else 0.6 if self.forgets else 1.0
        self.machine.work(sum(len(document.sentences) for document in given), pace)
        return super().tag(given)

    def shrink(self) -> None:
        """Store the embeddings in half precision, and let half of each layer be zeros."""
        self.is_small = True
        for module in self.model.modules():
            if isinstance(module, nn.Embedding):
                module.half()
            if isinstance(module, nn.Linear):
                module.weight.data[::2] = 0.0


@dataclass
class Socket:
    """A meter in the wall, as a package from outside brings it."""

    machine: MadeUpMachine
    name: str = "socket in the wall"
    energy_j: float | None = None
    reason: str | None = None
    _began_j: float = 0.0

    def __enter__(self) -> None:
        self._began_j = self.machine.wall_j

    def __exit__(self, *_: object) -> None:
        self.energy_j = self.machine.wall_j - self._began_j


@dataclass
class Stopwatch:
    """pytest-benchmark's fixture by the machine's clock, and what it writes.

    Attributes:
        machine: Whose clock it reads.
        nodeid: pytest's name of the case.
        case: Configuration and device, as pytest's parameters have them.
        profiled: Whether a round more is run, as with ``--benchmark-cprofile``.
    """

    machine: MadeUpMachine
    nodeid: str
    case: tuple[str, str]
    profiled: bool = False
    stats: Any = None

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
        iterations: int,
    ) -> None:
        """Time the rounds as pytest-benchmark does."""
        assert (warmup_rounds, iterations) == (0, 1)
        timer = self.machine.perf_counter
        self.stats = _metadata(self.nodeid, self.case, timer)
        for number in range(rounds + self.profiled):
            setup()
            began = timer()
            target()
            ended = timer()
            if number < rounds:
                self.stats.update(ended - began)
            teardown()


def _tiny_transformer() -> nn.Module:
    config: Any = BertConfig
    transformer: Any = BertModel
    model: nn.Module = transformer(config(intermediate_size=8, max_position_embeddings=8, **_TINY))
    return model


def _metadata(nodeid: str, case: tuple[str, str], timer: Callable[[], float]) -> Any:  # noqa: ANN401 - has no types
    fixture = SimpleNamespace(
        name=nodeid.rpartition("::")[2],
        fullname=nodeid,
        group=None,
        param="-".join(case),
        params={"case": list(case)},
        extra_info={},
        cprofile_stats=None,
        has_error=False,
    )
    return Metadata(fixture, iterations=1, options={"timer": timer})  # type: ignore[no-untyped-call]  # has no types
