"""What a case costs, as its record holds it: joules, watts, memory, time. Unknown is ``None``, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field


@dataclass(frozen=True, slots=True)
class Domain:
    """Joules of one domain over all rounds, and where they come from.

    ``systematic_pct`` bounds what every window of this device shares (gain, lag), ``random_pct`` is
    the half-width with 95 % of what differs from window to window; both in percent of ``j``.
    """

    j: float | None
    source: str
    reason: str | None
    systematic_pct: float | None = None
    random_pct: float | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class IdlePower:
    """Mean watts at rest by domain: before anything is loaded, and with the tagger loaded around the rounds."""

    bare_w: Mapping[str, float | None]
    before_w: Mapping[str, float | None]
    after_w: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Marginal:
    """Joules of a sentence more, and of a run without any: a line through the energy of corpus prefixes.

    ``points`` are sentences and joules of each prefix; ``low`` and ``high`` bound with 95 %.
    """

    per_1000_sentences_j: float
    per_1000_sentences_low_j: float
    per_1000_sentences_high_j: float
    fixed_j: float
    fixed_low_j: float
    fixed_high_j: float
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules of the measured rounds.

    Attributes:
        domains: By domain.
        rounds_j: For each window; a window holds ``rounds_per_window`` rounds, one unless they are short.
        total_j: Sum over the windows and over the domains that do not contain each other.
        net_j: ``total_j`` less the idle energy of the same time.
        low_j: Together with ``high_j`` bounds ``total_j``, both parts of the uncertainty included.
        systematic_pct: Half-width of the part that cancels between two runs on one device.
        random_pct: Half-width, 95 %, of the part that does not.
        marginal: ``None`` where prefixes were not measured.
        plugged: What other meters (entry points ``leanner.meters``) said, by their names; never in ``total_j``.
        replayed: Whether the readings come from recorded traces and not from this run.
    """

    domains: Mapping[str, Domain]
    rounds_j: tuple[float | None, ...]
    total_j: float | None
    net_j: float | None
    per_1000_sentences_j: float | None
    low_j: float | None
    high_j: float | None
    systematic_pct: float | None
    random_pct: float | None = None
    net_low_j: float | None = None
    net_high_j: float | None = None
    rounds_per_window: int = 1
    idle: IdlePower | None = None
    marginal: Marginal | None = None
    plugged: Mapping[str, Domain] = field(default_factory=dict)
    replayed: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The distinct sources of the domains that have joules."""
        return tuple(sorted({domain.source for domain in self.domains.values() if domain.j is not None}))


@dataclass(frozen=True, slots=True)
class Power:
    """Mean over the rounds, and the highest sample, in watts."""

    mean_w: float | None
    peak_w: float | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """The device under test during the rounds.

    Attributes:
        uuid: As NVML names it.
        power_field: What watts were read from; ``None`` if they could not be.
        scope: ``gpu``, or ``module`` where the sensor covers more (Grace Hopper).
        temperature_min_c: Degrees Celsius, lowest sample.
        temperature_max_c: Highest sample.
        throttled: Share of the samples by reason, empty if none; ``None`` if a window does not know.
        foreign_pids: Other processes that were on it, empty if none; ``None`` if a window does not know.
    """

    uuid: str
    power_field: str | None
    scope: str | None
    temperature_min_c: float | None
    temperature_max_c: float | None
    throttled: Mapping[str, float] | None
    foreign_pids: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Sampler:
    """How the sampler fared over all windows; ``cpu_pct`` is its CPU time over their time, in percent."""

    interval_s: float
    ticks: int
    period_p99_s: float | None
    longest_gap_s: float
    cpu_s: float | None
    cpu_pct: float | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MB = 10^6 bytes.

    Attributes:
        peak_host_mb: Peak of the process tree in a round, less ``left_behind_host_mb``.
        peak_vram_mb: Peak of the tree's share of the device, less ``left_behind_vram_mb``.
        weights_mb: The weights as stored.
        weights_by_dtype_mb: The same by dtype.
        peak_vram_allocated_mb: Peak of torch's allocator, less ``left_behind_vram_allocated_mb``.
        cgroup_peak_mb: Peak of the cgroup, where the run has one of its own.
        left_behind_host_mb: What earlier cases of this process still held when this one began.
        left_behind_vram_mb: The same on the device, as torch's allocator had it reserved.
        left_behind_vram_allocated_mb: What of it tensors took.
        isolated: Whether the case had a process of its own.
        weights_parameters: Numbers that the weights are, scales of quantized ones included.
    """

    peak_host_mb: float | None
    peak_vram_mb: float | None
    weights_mb: float | None
    weights_by_dtype_mb: Mapping[str, float] = field(default_factory=dict)
    peak_vram_allocated_mb: float | None = None
    cgroup_peak_mb: float | None = None
    left_behind_host_mb: float | None = None
    left_behind_vram_mb: float | None = None
    left_behind_vram_allocated_mb: float | None = None
    isolated: bool = False
    weights_parameters: int | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds of each round over the timed part of the corpus, which has ``sentences`` and ``tokens``.

    ``prepare_s`` is what the passes took and ``warmup_s`` the rounds before the measured ones, the first of
    them over the whole corpus (what is compiled or loaded at the first use is in it); neither is in
    ``rounds_s``. ``low_s`` and ``high_s`` bound the median with 95 %; ``half_width_pct`` is half of their
    distance in percent of it.
    """

    rounds_s: tuple[float, ...]
    median_s: float | None
    sentences_per_s: float | None
    tokens_per_s: float | None
    prepare_s: float | None
    sentences: int
    tokens: int
    low_s: float | None = None
    high_s: float | None = None
    half_width_pct: float | None = None
    warmup_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """Single stream, one sentence at a time, in milliseconds."""

    p50: float
    p95: float
    p99: float
    sentences: int


@dataclass(frozen=True, slots=True)
class Speedup:
    """Median time of ``against`` over median time of this case, with a 95 % bootstrap interval.

    ``paired``: the median of the ratios of windows that ran next to each other; ``against_s`` holds the seconds of
    those of ``against``.
    """

    value: float
    low: float
    high: float
    against: str
    paired: bool = False
    against_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Flops:
    """Floating-point operations of the linear layers for one sub-token, zeros not counted.

    ``ratio`` is what the baseline needs over what this case would need if zeros were free.
    """

    theoretical: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Sparsity:
    """Share of zeros asked for, and found in the weights that were to be pruned."""

    asked: float
    weights: float
