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

from leanner.report.costs import Energy
from leanner.report.costs import Flops
from leanner.report.costs import Gpu
from leanner.report.costs import Latency
from leanner.report.costs import Memory
from leanner.report.costs import Power
from leanner.report.costs import Sampler
from leanner.report.costs import Sparsity
from leanner.report.costs import Speedup
from leanner.report.costs import Time


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
    seed: int | None = None
    reasons: tuple[str, ...] = ()
    served: Mapping[str, Any] | None = None
    f1: Mapping[str, Any] | None = None
    f1_drop: F1Drop | None = None
    energy: Energy | None = None
    power: Power | None = None
    gpu_utilization_pct: float | None = None
    gpu: Gpu | None = None
    sampler: Sampler | None = None
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
