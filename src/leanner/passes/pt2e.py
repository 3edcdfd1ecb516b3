"""int8 weights and activations by torchao's PT2E quantization, compiled by TorchInductor."""

from __future__ import annotations

import importlib.util

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.engines import SENTENCES
from leanner.passes.engines import lean_of_floats
from leanner.passes.engines import weight_bits
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.taggers.compiling import CACHED
from leanner.taggers.compiling import RUNTIME
from leanner.taggers.compiling import reason_against
from leanner.taggers.compiling import reasons_against
from leanner.taggers.engines.support import NOT_A_CPU
from leanner.taggers.engines.support import OTHER_LIBRARY
from leanner.taggers.lean.support import BLOCKS
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


NO_TORCHAO: Final = "PT2E quantization needs torchao: pip install 'leanner[torchao]'"
UNSUITED: Final = (
    "the torchao that is installed has no PT2E quantization for the torch that is: pip install 'leanner[torchao]' "
    "brings one that has"
)
NO_X86: Final = "TorchInductor's int8 products are oneDNN's: an x86 CPU is needed, and a torch built with oneDNN"

_FEW_BITS: Final = "activations have 7 bits: products of 8-bit ones would saturate on this CPU, which has no VNNI"


@dataclass(frozen=True, slots=True)
class Pt2e:
    """W8A8 of encoder and head by torchao, run by TorchInductor over padded batches of the lean runtime's sentences.

    KAZU's recipe (its notes on quantization, sections "Usage" and "Benchmarking"): ``X86InductorQuantizer`` over an
    exported model, converted, compiled by TorchInductor with frozen weights; KAZU's is the dynamic one. Weights of
    linear layers are int8, symmetric, with a scale for each channel; their inputs are uint8 with one scale for a
    tensor. Where that is static, torchao's ``HistogramObserver`` sets it, which reads sentences of leanner's
    calibration text, one by one as they come. Where it is dynamic, it is found in each batch, so that what a sentence
    gets depends on what else is in its batch. Embeddings stay float32. ``reduce_range``, inputs of 7 bits, is what
    torchao advises on CPUs without VNNI; it is used where products saturate, and only there.

    Attributes:
        dynamic: Whether scales of activations are found at run time.
        batch_tokens: Sub-tokens in one batch, padding not counted.
    """

    dynamic: bool = False
    batch_tokens: int = 2048

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "pt2e-dynamic" if self.dynamic else "pt2e-static"

    @property
    def runtime(self) -> str:
        """What the record calls it."""
        return RUNTIME

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        own = (
            {"activation_scales": "batch"} if self.dynamic else {"activation_scales": "tensor", "sentences": SENTENCES}
        )
        scales = {"weight_scales": "channel", **own, "embeddings": False}
        return {"name": self.name, "bits": 8, **scales, "batch_tokens": self.batch_tokens}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every GPU is none to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        own = (NOT_A_CPU, OTHER_LIBRARY, NO_TORCHAO, UNSUITED, NO_X86)
        return (*own, *reasons_against("cpu"), *REASONS, BLOCKS)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the tagger that TorchInductor runs, quantized and compiled.

        Raises:
            NotRunnable: torchao or a compiler is missing, this is no x86 CPU, or no graph can be made of the tagger.
            WrongOrder: It is quantized already, has left its library, or its weights are not of float32.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.int8 import quantized_layers  # noqa: PLC0415
        from leanner.taggers.engines.inductor import InductorEngine  # noqa: PLC0415
        from leanner.taggers.engines.inductor import quantized_pt2e  # noqa: PLC0415
        from leanner.taggers.engines.inductor import stored_in_graph  # noqa: PLC0415
        from leanner.taggers.engines.padding import padded  # noqa: PLC0415
        from leanner.taggers.engines.tagger import EngineTagger  # noqa: PLC0415

        if next(quantized_layers(tagger.model), None) is not None:
            raise WrongOrder("int8 twice: the weights are int8 already")
        lean = lean_of_floats(tagger, self.name, self.batch_tokens, _lack(tagger))
        rows = lean.encode(calibration_text()).rows[: 1 if self.dynamic else SENTENCES]
        reduce_range = weight_bits(lean, _FEW_BITS) < 8
        try:
            graph = quantized_pt2e(
                lean.parts, [padded([row]) for row in rows], dynamic=self.dynamic, reduce_range=reduce_range
            )
        except ImportError as error:
            raise NotRunnable(UNSUITED) from error
        lean.quality.append(CACHED)
        return EngineTagger(lean, InductorEngine(graph), stored_in_graph(graph))


def _lack(tagger: Tagger) -> str | None:
    """Return what is missing here, if anything."""
    from leanner.passes.int8 import has_onednn  # noqa: PLC0415 - as above

    if importlib.util.find_spec("torchao") is None:
        return NO_TORCHAO
    return reason_against(tagger.device) if has_onednn() else NO_X86
