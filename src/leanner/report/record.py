"""What a case leaves behind: one record, the same in memory, in JSON and in the table."""

from __future__ import annotations

import dataclasses
import math

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from typing import Any
from typing import Final


#: Version of the record's shape; raised when a reader of the old shape would misread the new one.
SCHEMA: Final = 1


class Verdict(StrEnum):
    """How a case's F1 loss stands to its bound."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    RECORDED = "recorded"
    NOT_RUN = "not-run"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class TaggerInfo:
    """Which tagger; ``parameters`` counts the weights that it was loaded with."""

    name: str
    weights_sha256: str
    parameters: int


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """Which text, and how much of it."""

    name: str
    sha256: str
    sentences: int
    tokens: int
    mentions: int
    articles: int


@dataclass(frozen=True, slots=True)
class F1Drop:
    """Loss of micro F1 against the fp32 baseline, in percentage points, positive is worse.

    ``low`` and ``high`` bound it with 95 % (paired bootstrap over articles); ``None``
    under 20 articles. ``bound`` is what the configuration promises, ``None`` if nothing.
    """

    points: float
    low: float | None
    high: float | None
    bound: float | None


@dataclass(frozen=True, slots=True)
class Domain:
    """Joules of one domain over all rounds, and where they come from."""

    j: float | None
    source: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules of the measured rounds.

    ``total_j`` is the sum over the rounds and over the domains that do not contain each
    other; ``net_j`` has the idle energy of the same time subtracted; ``low_j`` and
    ``high_j`` bound ``total_j``.
    """

    domains: Mapping[str, Domain]
    rounds_j: tuple[float | None, ...]
    total_j: float | None
    net_j: float | None
    per_1000_sentences_j: float | None
    low_j: float | None
    high_j: float | None
    systematic_pct: float | None
    marginal: None = None

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
class Memory:
    """Peak of the process tree and of its share of the device, and the weights as stored, in MB = 10^6 bytes."""

    peak_host_mb: float | None
    peak_vram_mb: float | None
    weights_mb: float | None


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds of each round over the corpus; ``prepare_s`` is what the passes took, outside the rounds."""

    rounds_s: tuple[float, ...]
    median_s: float | None
    sentences_per_s: float | None
    tokens_per_s: float | None
    prepare_s: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Single stream, one sentence at a time, in milliseconds."""

    p50: float
    p95: float
    p99: float
    sentences: int


@dataclass(frozen=True, slots=True)
class Speedup:
    """Median time of ``against`` over median time of this case, with a 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    against: str


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


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One configuration measured on one machine, corpus and tagger.

    ``unknown`` says, for each field that is ``None``, why it is: unknown is never 0.
    """

    configuration: str
    family: str
    passes: tuple[Mapping[str, Any], ...]
    runtime: str
    device: str
    verdict: Verdict
    tagger: TaggerInfo | None
    corpus: CorpusInfo | None
    environment: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    served: None = None
    f1: Mapping[str, Any] | None = None
    f1_drop: F1Drop | None = None
    energy: Energy | None = None
    power: Power | None = None
    gpu_utilization_pct: float | None = None
    memory: Memory | None = None
    time: Time | None = None
    latency_ms: Latency | None = None
    speedup: Speedup | None = None
    flops: Flops | None = None
    sparsity: Sparsity | None = None
    quality: tuple[str, ...] = ()
    suspect: bool = False
    files: Mapping[str, Any] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready built-ins.

        Raises:
            ValueError: A number is not finite, or a value has no JSON form.
        """
        flat = {
            name.name: _plain(getattr(self, name.name), name.name)
            for name in dataclasses.fields(self)
            if name.name != "energy"
        }
        flat["energy"] = _energy_to_json(self.energy)
        return {"schema": SCHEMA, **flat}


def _energy_to_json(energy: Energy | None) -> dict[str, Any] | None:
    if energy is None:
        return None
    flat: dict[str, Any] = _plain(energy, "energy")
    return {**flat.pop("domains"), **flat}


def _plain(value: object, where: str) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number at {where}, found {value}; use None and say why in `unknown`")
        return float(value)
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name), f"{where}.{f.name}") for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise ValueError(f"expected a JSON value at {where}, found {type(value).__name__}")
