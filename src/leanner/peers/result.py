"""What comes of it, and its JSON."""

from __future__ import annotations

import dataclasses
import json

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final


if TYPE_CHECKING:
    from leanner.report.costs import Speedup
    from leanner.report.record import CorpusInfo
    from leanner.scoring.bootstrap import F1Loss


#: 3: ceilings are of each round, and shares have intervals; in 1 the highest ceiling of all rounds stood there.
SCHEMA: Final = 3


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast the fastest product was.

    Attributes:
        product: What it multiplied.
        median: Operations a second, the median of those measured beside rounds; ``None`` if none was.
        most: The most of a single run of any product, which takes milliseconds.
    """

    product: str
    median: float | None
    most: float


@dataclass(frozen=True, slots=True)
class Share:
    """What a contender executes of what the fastest product does.

    Attributes:
        median: Of the rounds, each over the product beside it.
        low: Lower end of the 95 % interval of the median, by order statistics; ``None`` with fewer than six rounds.
        high: Its upper end.
    """

    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A contender, and what was seen of it; all of it is ``None`` or empty if it did not take part.

    Attributes:
        name: ``flair``, or that of a configuration.
        reason: Why it did not take part.
        runtime: What ran it.
        setting: What the batch size is of, and the size.
        tried: Seconds for the timed text with each size that was tried.
        prepare_s: Seconds that the passes took.
        rounds_s: Seconds of each round.
        sentences_per_s: By the median of the rounds.
        f1: Micro F1 on the whole text.
        f1_drop: Its loss against Flair, in percentage points.
        speedup: Against Flair, rounds paired.
        against_engines: Against the fastest of the other engines, rounds paired.
        int8_operations: Of linear layers with int8 weights, for one round.
        float_operations: Of other linear layers.
        operations_per_s: Those in int8 if there are some, else those of floats, by the median of the rounds.
        ceilings_per_s: Operations a second of the fastest product of that kind, the mean of before and behind each
            round; empty without one.
        ceiling_share: Operations a second of the rounds over those; ``None`` without them.
        most_share: ``operations_per_s`` over the most that a single run of any product reached; ``None`` without one.
        quality: What the tagger says of itself.
    """

    name: str
    reason: str | None = None
    runtime: str | None = None
    setting: Mapping[str, int] = dataclasses.field(default_factory=dict)
    tried: Mapping[int, float] = dataclasses.field(default_factory=dict)
    prepare_s: float | None = None
    rounds_s: tuple[float, ...] = ()
    sentences_per_s: float | None = None
    f1: float | None = None
    f1_drop: F1Loss | None = None
    speedup: Speedup | None = None
    against_engines: Speedup | None = None
    int8_operations: float | None = None
    float_operations: float | None = None
    operations_per_s: float | None = None
    ceilings_per_s: tuple[float, ...] = ()
    ceiling_share: Share | None = None
    most_share: float | None = None
    quality: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peers:
    """A comparison.

    Attributes:
        rows: Flair first.
        tagger: What it is called.
        weights_sha256: Digest of its weights.
        corpus: The whole text.
        sentences: Of the part that rounds tag.
        int8_ceiling: Of the fastest product in int8; ``None`` where torch has no oneDNN for them.
        float32_ceiling: The same of float32.
        environment: On what it ran.
        packages: Versions of the engines that are here.
        seed: Of the samples and the bootstrap.
    """

    rows: tuple[Row, ...]
    tagger: str
    weights_sha256: str
    corpus: CorpusInfo
    sentences: int
    int8_ceiling: Rates | None
    float32_ceiling: Rates
    environment: Mapping[str, Any]
    packages: Mapping[str, str]
    seed: int

    def to_json(self) -> bytes:
        """Return it as JSON; what is unknown is null."""
        data = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
