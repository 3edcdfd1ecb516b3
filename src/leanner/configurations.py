"""The table of cases: name, passes, the F1 loss that is allowed, and why."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

from leanner.passes.compiling import Compile
from leanner.passes.engines import OnnxRuntime
from leanner.passes.engines import OpenVino
from leanner.passes.precision import Precision
from leanner.passes.pruning.depth import LayerPruning
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.pruning.heads import HeadPruning
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.pruning.movement import MovementPruning
from leanner.passes.pruning.second_order import SecondOrderPruning
from leanner.passes.pruning.semi_structured import SemiStructuredKernels
from leanner.passes.pruning.semi_structured import SemiStructuredPruning
from leanner.passes.pruning.wanda import WandaPruning
from leanner.passes.pt2e import Pt2e
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static
from leanner.passes.torchao_kernels import TorchaoQuantization
from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import MOSEC
from leanner.serving.serving import TORCHSERVE
from leanner.serving.serving import Serving


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
        served: By which server and in which batches; ``None`` if the tagger is called here.
    """

    name: str
    family: str
    passes: tuple[Pass, ...] = ()
    bound: Bound | None = None
    unbounded: str | None = None
    default: bool = True
    served: Serving | None = None


BASELINE: Final = "fp32"
#: The baseline measured once more, with ``--leanner-aa``: what differs between the two is chance.
CONTROL: Final = "fp32-again"

_HALF: Final = Bound(0.2, 1.0, "16-bit floats round scores, they do not move them: a decision flips only near a tie")
_INT8: Final = Bound(1.0, 2.0, "8 bits keep a weight to 0.4 % of its row's largest; untrained, that may cost a point")
_SAME: Final = Bound(0.05, 0.1, "the same weights in the same precision: only a tie of two scores can fall otherwise")
_PREFIX: Final = Bound(0.5, 2.0, "the prompt no longer sees the sentence; the sentence still sees the prompt")
_STATIC: Final = Bound(1.0, 2.0, "weights as in int8; next to no activation leaves the range of the calibration text")
_FEW_ZEROS: Final = Bound(0.5, 2.0, "the smallest tenth of the weights carries next to nothing")
_SOME_ZEROS: Final = Bound(2.5, 4.0, "a third of the weights can go before the loss turns steep")
_MADE_UP_FOR: Final = "what stays makes up for what goes as far as the layer's own inputs tell"
_BREAKS: Final = "magnitude pruning without retraining loses over 10 points from about half of the weights on"
_RANKED: Final = "nothing makes up for what goes, and how far a better ranking carries depends on the tagger"
_SIGNED: Final = "without training in between, the weights with the lowest scores are not small ones"
_STEEP: Final = "without retraining the loss turns steep somewhere above half of the weights"
_LEVEL: Final = "neurons that hardly vary: their mean stands for the most of them"
_TOLD: Final = "what stays tells most of what goes, as far as the calibration text shows"
_NEURONS: Final = "the more neurons go, the less of them is in their mean"
_COMPETING: Final = "where layers compete, which of them loses its neurons depends on the tagger"
_HEADS: Final = "which heads can go depends on the tagger, and their mean makes up for little"
_DEEP: Final = "later layers were trained on what the missing ones made, and nothing is trained again"
_FOURS: Final = "two of each four must go, whatever they carry"
_AND_MORE: Final = "what pruning alone may lose, and room for static ranges and a prompt that sees no sentence"
_OF_A_BATCH: Final = "activations have one scale for a batch: what a sentence gets depends on its neighbours"
_NNCFS: Final = "which layers become int8, and by which ranges, is NNCF's choice"
_TORCHAOS: Final = (
    "one range for a whole tensor, cut where torchao's histogram has it: outlying inputs are not smoothed"
)
_UNSEEN: Final = "it was run on no GPU yet"
_TOGETHER: Final = "how much it matters that neighbours are computed with a sentence depends on the tagger's training"
_UNTESTED: Final = "the losses of two passes need not add up"
_INT8_PREFIX: Final = Bound(1.5, 3.5, "what int8 may lose, and a prompt that sees no sentence")
_INT8_HALVED: Final = Bound(2.5, 3.5, "what pruning may lose with what stays making up for it, and room for int8")


def _pruned(
    name: str,
    criterion: Callable[[float], Pass],
    bounds: Mapping[float, Bound | None],
    unbounded: str,
    *default: int,
) -> Iterator[Configuration]:
    """Yield a configuration for each percentage, of which the name holds the whole ones."""
    for percent, bound in bounds.items():
        yield Configuration(
            f"{name}-{int(percent)}",
            "pruning",
            (criterion(percent / 100),),
            bound=bound,
            unbounded=None if bound else unbounded,
            default=percent in default,
        )


def _half_of_int8(name: str, pruning: Pass, bound: Bound | None = None) -> Iterator[Configuration]:
    """Yield both orders: the stored integers are pruned, or what is left is quantized."""
    for order, passes in {
        f"int8-{name}-50": (Int8Dynamic(), pruning),
        f"{name}-50-int8": (pruning, Int8Dynamic()),
    }.items():
        yield Configuration(order, "combined", passes, bound, None if bound else _BREAKS, default=False)


def _lean_static(name: str, bound: Bound, *pruning: Pass) -> Configuration:
    """Return static int8 of what is left after pruning, in the lean runtime."""
    passes = (*pruning, Int8Static(), LeanRuntime())
    return Configuration(f"lean-int8-static-{name}", "combined", passes, bound, default=False)


def _leanest(name: str, bound: Bound, *pruning: Pass) -> Configuration:
    """Return the same with the prompt computed once."""
    return Configuration(f"lean-int8-static-prefix-{name}", "combined", (*pruning, Int8Static(), _CACHED), bound=bound)


_CACHED: Final = LeanRuntime(prefix_caching=True)
_BOUNDS: Final[Mapping[float, Bound | None]] = {10: _FEW_ZEROS, 30: _SOME_ZEROS, 50: None, 70: None, 90: None}
_COMPENSATED: Final[Mapping[float, Bound | None]] = {
    10: Bound(0.5, 2.0, _MADE_UP_FOR),
    30: Bound(1.0, 2.5, _MADE_UP_FOR),
    50: Bound(2.0, 3.0, _MADE_UP_FOR),
    70: None,
    90: None,
}
_FLAP: Final[Mapping[float, Bound | None]] = {
    12.5: Bound(1.5, 2.0, _LEVEL),
    25: Bound(2.5, 3.0, _LEVEL),
    37.5: None,
    50: None,
}
_FITTED: Final[Mapping[float, Bound | None]] = {25: Bound(1.5, 2.0, _TOLD), 50: Bound(2.0, 2.5, _TOLD)}
_HALF_OF_NEURONS: Final = FfnPruning(0.5, "layer", "least-squares")
_HALF_OF_HEADS: Final = HeadPruning(0.5, "global", "least-squares")
_CASES: Final = (
    Configuration(BASELINE, "baseline", unbounded="it is the reference"),
    Configuration("bf16", "precision", (Precision("bfloat16"),), bound=_HALF),
    Configuration("fp16", "precision", (Precision("float16"),), bound=_HALF),
    Configuration("int8", "quantization", (Int8Dynamic(),), bound=_INT8),
    Configuration("int8-static", "quantization", (Int8Static(),), bound=_STATIC, default=False),
    Configuration("torchao-w8a8", "quantization", (TorchaoQuantization("w8a8"),), unbounded=_UNSEEN, default=False),
    Configuration(
        "torchao-int8-weights", "quantization", (TorchaoQuantization("int8-weights"),), unbounded=_UNSEEN, default=False
    ),
    Configuration(
        "torchao-int4-weights", "quantization", (TorchaoQuantization("int4-weights"),), unbounded=_UNSEEN, default=False
    ),
    Configuration("torchao-fp8", "quantization", (TorchaoQuantization("fp8"),), unbounded=_UNSEEN, default=False),
    *_pruned("magnitude", MagnitudePruning, _BOUNDS, _BREAKS, 50),
    *_pruned("magnitude-layer", partial(MagnitudePruning, scope="layer"), _BOUNDS, _BREAKS),
    *_pruned("wanda", WandaPruning, dict.fromkeys(_BOUNDS), _RANKED),
    *_pruned("movement", MovementPruning, dict.fromkeys(_BOUNDS), _SIGNED),
    *_pruned("second-order", SecondOrderPruning, _COMPENSATED, _STEEP, 50),
    Configuration("semi-structured", "pruning", (SemiStructuredPruning(),), unbounded=_FOURS, default=False),
    Configuration(
        "semi-structured-fp16", "pruning", (SemiStructuredKernels("float16"),), unbounded=_FOURS, default=False
    ),
    *_pruned("ffn", partial(FfnPruning, scope="layer"), _FLAP, _NEURONS),
    *_pruned("ffn-global", FfnPruning, {25: None}, _COMPETING),
    *_pruned("ffn-ls", partial(FfnPruning, scope="layer", compensation="least-squares"), _FITTED, _NEURONS),
    *_pruned("heads", HeadPruning, {8: None, 17: None, 25: None}, _HEADS),
    *_pruned("heads-ls", partial(HeadPruning, compensation="least-squares"), _FITTED, _HEADS),
    Configuration("heads-ffn-ls-50", "pruning", (_HALF_OF_HEADS, _HALF_OF_NEURONS), unbounded=_UNTESTED, default=False),
    Configuration("layers-1", "pruning", (LayerPruning(1),), unbounded=_DEEP, default=False),
    Configuration("layers-2", "pruning", (LayerPruning(2),), unbounded=_DEEP, default=False),
    Configuration("compile", "runtime", (Compile(),), bound=_SAME, default=False),
    Configuration("lean", "runtime", (LeanRuntime(),), bound=_SAME),
    Configuration("lean-prefix", "runtime", (_CACHED,), bound=_PREFIX, default=False),
    Configuration("lean-deduplicated", "runtime", (LeanRuntime(deduplicate=True),), bound=_SAME, default=False),
    Configuration("lean-windows", "runtime", (LeanRuntime(window_words=128),), unbounded=_TOGETHER, default=False),
    Configuration("lean-bf16", "combined", (Precision("bfloat16"), LeanRuntime()), bound=_HALF, default=False),
    Configuration("lean-fp16", "combined", (Precision("float16"), LeanRuntime()), bound=_HALF, default=False),
    Configuration(
        "lean-fp16-graphs",
        "combined",
        (Precision("float16"), LeanRuntime(cuda_graphs=True)),
        bound=_HALF,
        default=False,
    ),
    Configuration("lean-int8", "combined", (Int8Dynamic(), LeanRuntime()), bound=_INT8),
    Configuration("lean-int8-prefix", "combined", (Int8Dynamic(), _CACHED), bound=_INT8_PREFIX, default=False),
    Configuration("lean-int8-static", "combined", (Int8Static(), LeanRuntime()), bound=_STATIC),
    Configuration("lean-int8-static-prefix", "combined", (Int8Static(), _CACHED), bound=_INT8_PREFIX),
    _lean_static("ffn-25", Bound(3.0, 4.0, _LEVEL), FfnPruning(0.25, "layer")),
    _lean_static("ffn-ls-50", Bound(2.5, 3.5, _TOLD), _HALF_OF_NEURONS),
    _lean_static("heads-ffn-ls-50", Bound(3.0, 4.0, _TOLD), _HALF_OF_HEADS, _HALF_OF_NEURONS),
    _lean_static("second-order-50", _INT8_HALVED, SecondOrderPruning(0.5)),
    Configuration(
        "lean-int8-static-prefix-windows",
        "combined",
        (Int8Static(), LeanRuntime(prefix_caching=True, window_words=128)),
        unbounded=_TOGETHER,
        default=False,
    ),
    _leanest("ffn-ls-50", Bound(2.5, 3.5, _AND_MORE), _HALF_OF_NEURONS),
    _leanest("heads-ffn-ls-50", Bound(3.0, 4.0, _AND_MORE), _HALF_OF_HEADS, _HALF_OF_NEURONS),
    *_half_of_int8("magnitude", MagnitudePruning(0.5, scope="layer")),
    *_half_of_int8("second-order", SecondOrderPruning(0.5), _INT8_HALVED),
    Configuration("onnxruntime-fp32", "engines", (OnnxRuntime(),), bound=_SAME, default=False),
    Configuration("onnxruntime-int8", "engines", (OnnxRuntime(int8=True),), unbounded=_OF_A_BATCH, default=False),
    Configuration("openvino-fp32", "engines", (OpenVino(),), bound=_SAME, default=False),
    Configuration("openvino-int8", "engines", (OpenVino(int8=True),), unbounded=_NNCFS, default=False),
    Configuration("pt2e-static", "engines", (Pt2e(),), unbounded=_TORCHAOS, default=False),
    Configuration("pt2e-dynamic", "engines", (Pt2e(dynamic=True),), unbounded=_OF_A_BATCH, default=False),
)

#: What is served, by which server; the names of the first two run by default.
_SERVED: Final[Mapping[str, tuple[str, ...]]] = {
    TORCHSERVE: (
        *(BASELINE, "lean-int8-static-prefix-ffn-ls-50", "bf16", "fp16", "int8", "lean", "lean-int8-static"),
        *("second-order-50", "int8-second-order-50", "second-order-50-int8"),
    ),
    MOSEC: (BASELINE, "lean-int8-static-prefix-ffn-ls-50", "int8", "lean"),
    IN_PROCESS: (BASELINE, "lean-int8-static-prefix-ffn-ls-50", "int8", "lean", "onnxruntime-int8"),
}
_BATCHED: Final = DynamicBatching(16, 5.0)


def _served() -> Iterator[Configuration]:
    """Yield what is served: each request by itself, and in batches of 16 that wait for 5 ms."""
    known = {configuration.name: configuration for configuration in _CASES}
    for server, names in _SERVED.items():
        for place, name in enumerate(names):
            for batching in (ONE_BY_ONE, _BATCHED):
                yield replace(
                    known[name],
                    name=f"{server}-{name}-b{batching.max_batch_size}",
                    family="served",
                    bound=_SAME if name == BASELINE else known[name].bound,
                    default=place < 2,
                    served=Serving(server, batching),
                )
    yield replace(
        known[BASELINE],
        name=f"{IN_PROCESS}-{BASELINE}-b16-by-length",
        family="served",
        bound=_SAME,
        default=False,
        served=Serving(IN_PROCESS, replace(_BATCHED, by_length=True)),
    )


CONFIGURATIONS: Final = (*_CASES, *_served())


_CONTROL: Final = Configuration(CONTROL, "baseline", unbounded="it is the reference once more", default=False)


def known() -> tuple[Configuration, ...]:
    """Return the table in its order, with the control behind the baseline."""
    return (CONFIGURATIONS[0], _CONTROL, *CONFIGURATIONS[1:])


def named(name: str) -> Configuration:
    """Return the configuration of this name.

    Raises:
        KeyError: There is none; the message lists those that there are.
    """
    for configuration in known():
        if configuration.name == name:
            return configuration
    names = ", ".join(configuration.name for configuration in CONFIGURATIONS)
    raise KeyError(f"expected one of {names}, found {name!r}")


def family(name: str, *, everything: bool = False, control: bool = False) -> tuple[Configuration, ...]:
    """Return the configurations of one family.

    Args:
        name: Of the family.
        everything: Whether those outside the default are among them.
        control: Whether the control is, which ``everything`` does not add.
    """
    chosen = (c for c in known() if (control if c.name == CONTROL else c.default or everything))
    return tuple(c for c in chosen if c.family == name)


def is_interleaved(name: str, *, interleave: bool) -> bool:
    """Return whether rounds of the baseline lie between those of a case: of the control's always.

    Args:
        name: Of the configuration.
        interleave: Whether ``--leanner-interleave`` is on.
    """
    return name == CONTROL or (interleave and name != BASELINE)
