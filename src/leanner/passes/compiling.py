"""The tagger's encoder compiled by TorchInductor, its weights as they are."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library
from leanner.taggers.compiling import CACHED
from leanner.taggers.compiling import RUNTIME
from leanner.taggers.compiling import reason_against
from leanner.taggers.compiling import reasons_against


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


#: Sentences of the calibration text that are tagged together, so that it is compiled before anything is timed.
_SENTENCES: Final = 3

_NO_TRANSFORMER: Final = "a tagger without a transformer: nothing of it is compiled"


@dataclass(frozen=True, slots=True)
class Compile:
    """The tagger's transformer by ``torch.compile``, TorchInductor alone (Ansel et al. 2024, ASPLOS, section 4).

    It is KAZU's baseline with Inductor (KAZU's notes on quantization, section "Benchmarking"). Weights, precision and
    the library's own loop, padding included, stay. Shapes are dynamic: lengths and numbers of sentences are
    compiled once, but for a batch of one sentence, which TorchDynamo has compiled by itself. Both are
    compiled here, so that their time is in that of preparing. As it is TorchInductor's default, weights are not
    frozen. What was compiled is not to be changed any more: passes that change weights go before.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "compile"

    @property
    def runtime(self) -> str:
        """What the record calls it."""
        return RUNTIME

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "compiler": RUNTIME, "dynamic_shapes": True, "freezing": False}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - the GPU's name does not matter
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (*reasons_against(device), _NO_TRANSFORMER)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Compile the transformer in ``tagger.model``, and tag some text so that it is done.

        Raises:
            NotRunnable: TorchInductor cannot compile here, or there is no transformer.
            WrongOrder: Layers are no longer torch's own, or the tagger has left its library.
        """
        # The table of configurations is read where torch is not.
        from transformers import PreTrainedModel  # noqa: PLC0415

        from leanner.taggers.engines.quiet import quiet  # noqa: PLC0415

        run_by_its_library(tagger, self.name)
        # Of a transformer with a head this is all of it.
        encoder = next((module for module in tagger.model.modules() if isinstance(module, PreTrainedModel)), None)
        if encoder is None:
            raise NotRunnable(_NO_TRANSFORMER)
        _check_layers(tagger, self.name)
        if (reason := reason_against(tagger.device)) is not None:
            raise NotRunnable(reason)
        # In one piece: where TorchDynamo gives up, it would go on without having compiled, and say so nowhere.
        # Compiled in this process: others that only wait would be measured with it.
        encoder.compile(dynamic=True, fullgraph=True, options={"compile_threads": 1})
        with quiet("torchao", "torch.utils._pytree"):
            _warm_up(tagger)
        # Neither Flair's layers nor the lean runtime's are what runs now.
        tagger.runtime = self.runtime
        tagger.quality.append(CACHED)
        return tagger


def _check_layers(tagger: Tagger, name: str) -> None:
    """Refuse layers with kernels of their own; torchao's are made to be compiled.

    Raises:
        WrongOrder: There are some.
    """
    from torch import nn  # noqa: PLC0415 - as above

    from leanner.passes.int8 import quantized_layers  # noqa: PLC0415 - as above
    from leanner.passes.torchao_layers import CastInt8Embedding  # noqa: PLC0415 - as above
    from leanner.passes.torchao_layers import TorchaoLinear  # noqa: PLC0415 - as above
    from leanner.taggers.weights import encoder_linears  # noqa: PLC0415 - as above

    if any(not isinstance(layer, CastInt8Embedding) for layer in quantized_layers(tagger.model)):
        raise WrongOrder(f"{name} after int8: these layers call kernels of their own; pt2e-… compiles its own int8")
    for _, layer in encoder_linears(tagger.model):
        if type(layer) not in (nn.Linear, TorchaoLinear):
            raise WrongOrder(f"{name} after {type(layer).__name__}: these layers call kernels of their own")


def _warm_up(tagger: Tagger) -> None:
    """Tag a batch of several sentences, and one of one."""
    from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415 - as above

    (document,) = calibration_text(1)
    for sentences in (document.sentences[:_SENTENCES], document.sentences[:1]):
        for _ in tagger.tag([replace(document, sentences=sentences)]):
            pass
