"""The table of cases: name, passes, the F1 loss that is allowed, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal

from leanner.passes.precision import Precision
from leanner.passes.pruning import MagnitudePruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass


@dataclass(frozen=True, slots=True)
class Bound:
    """Loss of micro F1, in percentage points, that a configuration promises not to exceed.

    Attributes:
        real: On real corpora.
        bundled: On the bundled corpus, whose size cannot show less.
        reason: Why this much.
    """

    real: float
    bundled: float
    reason: str

    def on(self, corpus: str) -> float:
        """Return the bound for the corpus of this name."""
        return self.bundled if corpus == "bundled" else self.real


@dataclass(frozen=True, slots=True)
class Configuration:
    """A named list of passes with its F1 bound.

    Attributes:
        name: As in the case's id.
        family: The file in ``benchmarks/`` that runs it.
        passes: Applied in this order.
        bound: ``None`` if nothing can be promised; the verdict is then ``recorded``.
        unbounded: Why there is no bound.
        default: Whether it runs without ``--leanner-all``.
    """

    name: str
    family: str
    passes: tuple[Pass, ...] = ()
    bound: Bound | None = None
    unbounded: str | None = None
    default: bool = True


BASELINE: Final = "fp32"

_HALF: Final = Bound(0.2, 1.0, "16-bit floats round scores, they do not move them: a decision flips only near a tie")
_INT8: Final = Bound(1.0, 2.0, "8 bits keep a weight to 0.4 % of its row's largest; untrained, that may cost a point")
_SAME: Final = Bound(0.05, 0.1, "the same weights in the same precision: only a tie of two scores can fall otherwise")
_PREFIX: Final = Bound(0.5, 2.0, "the prompt no longer sees the sentence; the sentence still sees the prompt")
_FEW_ZEROS: Final = Bound(0.5, 2.0, "the smallest tenth of the weights carries next to nothing")
_SOME_ZEROS: Final = Bound(2.5, 4.0, "a third of the weights can go before the loss turns steep")
_BREAKS: Final = "magnitude pruning without retraining loses over 10 points from about half of the weights on"
_UNTESTED: Final = "the losses of two passes need not add up"


def _pruned(percent: int, scope: Literal["global", "layer"], bound: Bound | None, *, default: bool) -> Configuration:
    return Configuration(
        f"magnitude-{percent}" if scope == "global" else f"magnitude-layer-{percent}",
        "pruning",
        (MagnitudePruning(sparsity=percent / 100, scope=scope),),
        bound=bound,
        unbounded=None if bound else _BREAKS,
        default=default,
    )


_PRUNING_BOUNDS: Final = {10: _FEW_ZEROS, 30: _SOME_ZEROS, 50: None, 70: None, 90: None}

CONFIGURATIONS: Final = (
    Configuration(BASELINE, "baseline", unbounded="it is the reference"),
    Configuration("bf16", "precision", (Precision("bfloat16"),), bound=_HALF),
    Configuration("fp16", "precision", (Precision("float16"),), bound=_HALF),
    Configuration("int8", "quantization", (Int8Dynamic(),), bound=_INT8),
    *(_pruned(percent, "global", bound, default=True) for percent, bound in _PRUNING_BOUNDS.items()),
    *(_pruned(percent, "layer", bound, default=False) for percent, bound in _PRUNING_BOUNDS.items()),
    Configuration("lean", "runtime", (LeanRuntime(),), bound=_SAME),
    Configuration("lean-prefix", "runtime", (LeanRuntime(prefix_caching=True),), bound=_PREFIX, default=False),
    Configuration("lean-bf16", "combined", (Precision("bfloat16"), LeanRuntime()), bound=_HALF, default=False),
    Configuration("lean-fp16", "combined", (Precision("float16"), LeanRuntime()), bound=_HALF, default=False),
    Configuration("lean-int8", "combined", (Int8Dynamic(), LeanRuntime()), bound=_INT8),
    Configuration(
        "lean-int8-prefix", "combined", (Int8Dynamic(), LeanRuntime(prefix_caching=True)), unbounded=_UNTESTED
    ),
    Configuration(
        "int8-magnitude-30",
        "combined",
        (MagnitudePruning(sparsity=0.3), Int8Dynamic()),
        unbounded=_UNTESTED,
        default=False,
    ),
)


def named(name: str) -> Configuration:
    """Return the configuration of this name.

    Raises:
        KeyError: There is none; the message lists those that there are.
    """
    for configuration in CONFIGURATIONS:
        if configuration.name == name:
            return configuration
    known = ", ".join(configuration.name for configuration in CONFIGURATIONS)
    raise KeyError(f"expected one of {known}, found {name!r}")


def family(name: str, *, everything: bool = False) -> tuple[Configuration, ...]:
    """Return the configurations of one family; those outside the default run only with ``everything``."""
    return tuple(c for c in CONFIGURATIONS if c.family == name and (c.default or everything))
