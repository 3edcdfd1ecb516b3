"""Other runtimes over the tagger's weights: ONNX Runtime and OpenVINO, in float32 or in their own int8."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Mapping
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
from leanner.taggers.lean.support import reason_against_blocks
from leanner.taggers.libraries import FLAIR


if TYPE_CHECKING:
    from leanner.taggers.engines.model import EngineModel
    from leanner.taggers.lean.tagger import LeanTagger
    from leanner.taggers.protocol import Tagger


#: How many sentences of the calibration text NNCF reads: its own number, as it reads them one by one.
SENTENCES: Final = 300
_FEW_BITS: Final = "weights have 7 bits: products of 8-bit ones would saturate on this CPU, which has no VNNI"


@dataclass(frozen=True, slots=True)
class EnginePass(ABC):
    """Encoder and head as an engine's model, run by it over padded batches of the lean runtime's sentences.

    Attributes:
        int8: Whether weights and activations are int8.
        batch_tokens: Sub-tokens in one batch, padding not counted.
    """

    int8: bool = False
    batch_tokens: int = 2048

    @property
    @abstractmethod
    def name(self) -> str:
        """The field's name for it, which the record has for the runtime too."""

    @property
    @abstractmethod
    def scales(self) -> Mapping[str, Any]:
        """What the scales of int8 are of, ready for JSON."""

    @abstractmethod
    def model_of(self, lean: LeanTagger, weight_bits: int | None) -> EngineModel:
        """Return the engine's model.

        Args:
            lean: Of float32.
            weight_bits: Of its weights, 8 or 7; ``None`` for float32.
        """

    @property
    def runtime(self) -> str:
        """What the record calls it."""
        return self.name

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        own = self.scales if self.int8 else {}
        return {"name": self.name, "int8": self.int8, **own, "batch_tokens": self.batch_tokens}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every GPU is none to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return reasons_against(self.name)

    def converted(self, tagger: Tagger) -> tuple[LeanTagger, EngineModel]:
        """Return the tagger in the lean runtime, whose reading and decoding an engine shares, and the engine's model.

        Raises:
            NotRunnable: A package is missing, the tagger is not on a CPU, or no graph can be made of it.
            WrongOrder: It has left its library already, or its weights are not of float32.
        """
        lean = lean_of_floats(tagger, self.name, self.batch_tokens, missing_packages(self.name))
        return lean, self.model_of(lean, weight_bits(lean) if self.int8 else None)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the tagger that the engine runs.

        Raises:
            NotRunnable: A package is missing, the tagger is not on a CPU, or no graph can be made of it.
            WrongOrder: It has left its library already, or its weights are not of float32.
        """
        # The table of configurations is read where torch is not.
        from leanner.taggers.engines.tagger import EngineTagger  # noqa: PLC0415

        lean, model = self.converted(tagger)
        return EngineTagger(lean, model.engine(), model.stored())


@dataclass(frozen=True, slots=True)
class OnnxRuntime(EnginePass):
    """Encoder and head as an ONNX model, run by ONNX Runtime.

    In int8 it is ``onnxruntime.quantization.quantize_dynamic`` with a scale for each channel of the weights: all
    matrices that are multiplied by activations, and embeddings. Activations get one scale for a whole batch at
    run time, so that what a sentence gets depends on what else is in its batch. Nothing is calibrated.

    ``reduce_range``, weights of 7 bits, is what its documentation advises on CPUs without VNNI, above all with scales
    for channels: products of 8-bit weights saturate there. It is used where they do, and only there.
    """

    @property
    def name(self) -> str:
        """The field's name for it, which the record has for the runtime too."""
        return "onnxruntime"

    @property
    def scales(self) -> Mapping[str, Any]:
        """What the scales of int8 are of, ready for JSON."""
        return {"weight_scales": "channel", "activation_scales": "batch", "embeddings": True}

    def model_of(self, lean: LeanTagger, weight_bits: int | None) -> EngineModel:
        """Return the ONNX model."""
        from leanner.taggers.engines.onnx import OnnxModel  # noqa: PLC0415 - as above

        return OnnxModel.of(lean.parts, weight_bits)


@dataclass(frozen=True, slots=True)
class OpenVino(EnginePass):
    """Encoder and head as OpenVINO's model, run by OpenVINO.

    In int8 it is NNCF's quantization after training for transformers: symmetric weights with a scale for each
    channel, a range for each activation, SmoothQuant and bias correction, all of NNCF's defaults. It reads
    sentences of leanner's calibration text, one by one as they come.
    """

    @property
    def name(self) -> str:
        """The field's name for it, which the record has for the runtime too."""
        return "openvino"

    @property
    def scales(self) -> Mapping[str, Any]:
        """What the scales of int8 are of, ready for JSON."""
        return {"weight_scales": "channel", "activation_scales": "tensor", "sentences": SENTENCES}

    def model_of(self, lean: LeanTagger, weight_bits: int | None) -> EngineModel:
        """Return OpenVINO's model."""
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415 - as above
        from leanner.taggers.engines.openvino import OpenVinoModel  # noqa: PLC0415
        from leanner.taggers.engines.padding import padded  # noqa: PLC0415

        model = OpenVinoModel.of(lean.parts)
        if weight_bits is None:
            return model
        rows = lean.encode(calibration_text()).rows[:SENTENCES]
        return model.quantized([padded([row]) for row in rows], weight_bits)


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
    if (reason := reason_against_blocks(lean.parts.encoder)) is not None:
        raise NotRunnable(reason)
    if not is_of_floats(lean.parts):
        raise WrongOrder(f"{name} after a pass that left other layers than float32 ones: it has an int8 of its own")
    return lean


def weight_bits(lean: LeanTagger, note: str = _FEW_BITS) -> int:
    """Return how many bits of a weight this CPU multiplies exactly, 8 or 7; of 7 the tagger's quality gets a note."""
    from leanner.passes.int8 import exact_weight_bits  # noqa: PLC0415 - as above

    if (exact_weight_bits(lean.device) or 0) >= 8:
        return 8
    lean.quality.append(note)
    return 7
