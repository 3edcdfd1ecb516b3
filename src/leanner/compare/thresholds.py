"""How much worse is too much: ``energy:5%``, ``memory:5%+8MB``, ``f1:0.3pt``, and a TOML file of such gates."""

from __future__ import annotations

import math
import re
import tomllib

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Final

from leanner.compare.metrics import Metric
from leanner.compare.metrics import named


#: What is gated if nothing else is said.
DEFAULT: Final = ("time:5%", "energy:5%", "memory:5%+8MB", "f1:0.3pt")
#: In a file, for a metric that is not gated.
OFF: Final = "off"

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(%|[A-Za-z]+)")


class ThresholdError(ValueError):
    """A threshold, or a file of them, is not what it should be."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a change must exceed to count: every part that is given.

    Attributes:
        metric: That it is for.
        percent: Of the baseline's value; ``None`` if only ``absolute`` counts.
        absolute: In the metric's unit; ``None`` if only ``percent`` counts.
    """

    metric: Metric
    percent: float | None
    absolute: float | None

    def limit(self, before: float) -> float:
        """Return the change that must be exceeded, in the metric's unit, where the baseline has ``before``."""
        return max(0.0 if self.percent is None else self.percent / 100.0 * before, self.absolute or 0.0)

    def __str__(self) -> str:
        parts = [] if self.percent is None else [f"{self.percent:g}%"]
        parts += [] if self.absolute is None else [f"{self.absolute:g}{self.metric.unit}"]
        return "+".join(parts)


@dataclass(frozen=True, slots=True)
class Gates:
    """Which metrics are gated, and from which change on.

    Attributes:
        general: By metric, for every configuration that has none of its own.
        configurations: By configuration and metric; ``None`` where the metric is not gated there.
    """

    general: Mapping[str, Threshold]
    configurations: Mapping[str, Mapping[str, Threshold | None]] = field(default_factory=dict)

    def of(self, configuration: str, metric: Metric) -> Threshold | None:
        """Return the threshold of a metric; ``None`` if it is not gated."""
        own = self.configurations.get(configuration, {})
        return own[metric.name] if metric.name in own else self.general.get(metric.name)


def parse(text: str) -> tuple[Threshold, ...]:
    """Return the thresholds that ``METRIC:THRESHOLD`` stands for, several where the name is of several metrics.

    Raises:
        ThresholdError: It is none.
    """
    name, colon, size = text.partition(":")
    if not colon:
        raise ThresholdError(f"expected METRIC:THRESHOLD, as in {', '.join(DEFAULT)}; found {text!r}")
    try:
        metrics = named(name.strip())
    except ValueError as error:
        raise ThresholdError(f"{text!r}: {error}") from error
    return tuple(_threshold(metric, size, text) for metric in metrics)


def gates(given: Iterable[str] = (), file: Path | None = None) -> Gates:
    """Return the gates of a command line: what it names, else what the file names, else the default ones.

    Args:
        given: Each ``METRIC:THRESHOLD``. They stand above those of the file for all configurations, and below those
            for one.
        file: TOML with a table ``gates``: metrics with their thresholds, and tables of them by configuration.

    Raises:
        ThresholdError: One is none, or the file is no such TOML.
        OSError: It cannot be read.
    """
    general: dict[str, Threshold] = {}
    configurations: dict[str, dict[str, Threshold | None]] = {}
    if file is not None:
        for key, value in _table(file).items():
            if isinstance(value, Mapping):
                configurations[key] = _read(value, f"{file}: gates.{key}")
            else:
                found = _read({key: value}, f"{file}: gates")
                general |= {name: threshold for name, threshold in found.items() if threshold is not None}
    texts = list(given)
    if not texts and file is None:
        texts = list(DEFAULT)
    general |= {threshold.metric.name: threshold for text in texts for threshold in parse(text)}
    return Gates(general, configurations)


def _threshold(metric: Metric, size: str, text: str) -> Threshold:
    parts: dict[str, float] = {}
    for part in size.split("+"):
        match = _PART.fullmatch(part.strip())
        if match is None or match[2] in parts:
            raise ThresholdError(f"expected numbers with units joined by +, as in 5%+8MB; found {text!r}")
        parts[match[2]] = float(match[1])
    allowed = ("%", metric.unit) if metric.is_cost else (metric.unit,)
    if wrong := [unit for unit in parts if unit not in allowed]:
        raise ThresholdError(f"expected {metric.name} in {' or '.join(allowed)}, found {wrong[0]} in {text!r}")
    assert all(map(math.isfinite, parts.values()))
    return Threshold(metric, parts.get("%"), parts.get(metric.unit))


def _table(file: Path) -> Mapping[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # a TOMLDecodeError is one, and a UnicodeDecodeError
        raise ThresholdError(f"{file}: expected TOML, found what is none: {error}") from error
    table = content.get("gates")
    if not isinstance(table, Mapping) or len(content) > 1:
        found = ", ".join(content) or "nothing"
        raise ThresholdError(f"{file}: expected the table [gates] and no other, found {found}")
    return table


def _read(table: Mapping[str, Any], where: str) -> dict[str, Threshold | None]:
    found: dict[str, Threshold | None] = {}
    for name, size in table.items():
        if not isinstance(size, str):
            raise ThresholdError(f'{where}.{name}: expected a text such as "5%", found {size!r}')
        try:
            if size == OFF:
                found |= {metric.name: None for metric in named(name)}
            else:
                found |= {threshold.metric.name: threshold for threshold in parse(f"{name}:{size}")}
        except ValueError as error:
            raise ThresholdError(f"{where}: {error}") from error
    return found
