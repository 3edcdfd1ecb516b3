"""Other runtimes over the tagger's weights: ONNX Runtime and OpenVINO, in float32 or in their own int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library
from leanner.taggers.engines.support import NOT_A_CPU
from leanner.taggers.engines.support import OTHER_LIBRARY
from leanner.taggers.engines.support import missing_packages
from leanner.taggers.engines.support import reasons_against
from leanner.taggers.libraries import FLAIR


if TYPE_CHECKING:
    from leanner.taggers.lean.tagger import LeanTagger
    from leanner.taggers.protocol import Tagger


#: How many sentences of the calibration text NNCF reads: its own number, as it reads them one by one.
SENTENCES: Final = 300
_FEW_BITS: Final = "weights have 7 bits: products of 8-bit ones would saturate on this CPU, which has no VNNI"


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """Encoder and head as an ONNX model, run by ONNX Runtime over padded batches of the lean runtime's sentences.

    In int8 it is ``onnxruntime.quantization.quantize_dynamic`` with a scale for each channel of the weights: all
    matrices that are multiplied by activations, and embeddings. Activations get one scale for a whole batch at
    run time, so that what a sentence gets depends on what else is in its batch. Nothing is calibrated.

    ``reduce_range``, weights of 7 bits, is what its documentation advises on CPUs without VNNI, above all with scales
    for channels: products of 8-bit weights saturate there. It is used where they do, and only there.

    Attributes:
        int8: Whether weights and activations are int8.
        batch_tokens: Sub-tokens in one batch, padding not counted.
    """

    int8: bool = False
    batch_tokens: int = 2048

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "onnxruntime"

    @property
    def runtime(self) -> str:
        """What the record calls it."""
        return "onnxruntime"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        scales = {"weight_scales": "channel", "activation_scales": "batch", "embeddings": True} if self.int8 else {}
        return {"name": self.name, "int8": self.int8, **scales, "batch_tokens": self.batch_tokens}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every GPU is none to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return reasons_against(self.runtime)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the tagger that ONNX Runtime runs.

        Raises:
            NotRunnable: A package is missing, the tagger is not on a CPU, or no graph can be made of it.
            WrongOrder: It has left its library already, or its weights are not of float32.
        """
        lean = lean_of_floats(tagger, self.name, self.batch_tokens, missing_packages(self.name))
        # The table of configurations is read where torch is not.
        from leanner.taggers.engines.onnx import OnnxEngine  # noqa: PLC0415
        from leanner.taggers.engines.onnx import make_onnx  # noqa: PLC0415
        from leanner.taggers.engines.onnx import stored_in_onnx  # noqa: PLC0415
        from leanner.taggers.engines.tagger import EngineTagger  # noqa: PLC0415

        content = make_onnx(lean.parts, int8=self.int8, reduce_range=self.int8 and saturates(lean))
        return EngineTagger(lean, OnnxEngine(content), stored_in_onnx(content))


@dataclass(frozen=True, slots=True)
class OpenVino:
    """Encoder and head as OpenVINO's graph, run by OpenVINO over padded batches of the lean runtime's sentences.

    In int8 it is NNCF's quantization after training for transformers: symmetric weights with a scale for each
    channel, a range for each activation, SmoothQuant and bias correction, all of NNCF's defaults. It reads
    sentences of leanner's calibration text, one by one as they come.

    Attributes:
        int8: Whether weights and activations are int8.
        batch_tokens: Sub-tokens in one batch, padding not counted.
    """

    int8: bool = False
    batch_tokens: int = 2048

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "openvino"

    @property
    def runtime(self) -> str:
        """What the record calls it."""
        return "openvino"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        scales = {"weight_scales": "channel", "activation_scales": "tensor", "sentences": SENTENCES}
        own = scales if self.int8 else {}
        return {"name": self.name, "int8": self.int8, **own, "batch_tokens": self.batch_tokens}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every GPU is none to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return reasons_against(self.runtime)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the tagger that OpenVINO runs.

        Raises:
            NotRunnable: A package is missing, the tagger is not on a CPU, or no graph can be made of it.
            WrongOrder: It has left its library already, or its weights are not of float32.
        """
        lean = lean_of_floats(tagger, self.name, self.batch_tokens, missing_packages(self.name))
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.taggers.engines.openvino import OpenVinoEngine  # noqa: PLC0415
        from leanner.taggers.engines.openvino import make_openvino  # noqa: PLC0415
        from leanner.taggers.engines.openvino import quantized_openvino  # noqa: PLC0415
        from leanner.taggers.engines.openvino import stored_in_openvino  # noqa: PLC0415
        from leanner.taggers.engines.padding import padded  # noqa: PLC0415
        from leanner.taggers.engines.tagger import EngineTagger  # noqa: PLC0415

        model = make_openvino(lean.parts)
        if self.int8:
            rows = lean.encode(calibration_text()).rows[:SENTENCES]
            model = quantized_openvino(model, [padded([row]) for row in rows], half_range=saturates(lean))
        return EngineTagger(lean, OpenVinoEngine(model, int8=self.int8), stored_in_openvino(model))


def lean_of_floats(tagger: Tagger, name: str, batch_tokens: int, lack: str | None) -> LeanTagger:
    """Return the tagger in the lean runtime, whose reading, batches and decoding an engine shares.

    Args:
        tagger: Run by Flair.
        name: Of the pass that asks, for its errors.
        batch_tokens: Sub-tokens in one batch, padding not counted.
        lack: What the engine misses on this machine, if anything.

    Raises:
        NotRunnable: Something is missing, the tagger is not on a CPU, or no graph can be made of it.
        WrongOrder: It has left its library already, or its weights are not of float32.
    """
    from leanner.taggers.engines.graph import is_of_floats  # noqa: PLC0415 - as above
    from leanner.taggers.errors import TaggerError  # noqa: PLC0415
    from leanner.taggers.lean.make import make_lean  # noqa: PLC0415
    from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415

    run_by_its_library(tagger, name)
    if tagger.device.type != "cpu":
        raise NotRunnable(NOT_A_CPU)
    if tagger.runtime != FLAIR:
        raise NotRunnable(OTHER_LIBRARY)
    if lack is not None:
        raise NotRunnable(lack)
    try:
        lean = make_lean(tagger, batch_tokens=batch_tokens)
    except TaggerError as error:
        raise NotRunnable(str(error)) from error
    assert isinstance(lean, LeanTagger)
    if not is_of_floats(lean.parts):
        raise WrongOrder(f"{name} after a pass that left other layers than float32 ones: it has an int8 of its own")
    return lean


def saturates(lean: LeanTagger, note: str = _FEW_BITS) -> bool:
    """Whether products of 8-bit weights saturate on this CPU, which is noted in the tagger's quality."""
    from leanner.passes.int8 import exact_weight_bits  # noqa: PLC0415 - as above

    if (exact_weight_bits(lean.device) or 0) >= 8:
        return False
    lean.quality.append(note)
    return True
