"""Quantization to 8 bits after training, activations by ranges that were seen on the calibration text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


#: How many times as far as the median one an input may reach before it is brought down.
REACH: Final = 1.5
NO_ONEDNN: Final = "static int8 needs oneDNN's int8 kernels: an x86 CPU, and a torch built with oneDNN"


@dataclass(frozen=True, slots=True)
class Int8Static:
    """int8 linear layers and embeddings; the range of every activation is known beforehand (W8A8 static).

    Weights are as with ``Int8Dynamic``: symmetric, a scale for each row. The input of each linear
    layer of the encoder has one range, the smallest and largest value seen while the tagger read the
    calibration text, outlying inputs brought down and their weights up. So GELU and quantization happen in
    the kernel of the first feed-forward layer. The tagging head's activations keep a scale for each token. Nothing is
    trained. On a CPU without VNNI the weights of linear layers get 7 bits.

    Attributes:
        articles: How many articles of the calibration text are read; all by default.
    """

    articles: int | None = None

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "int8-static"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        scales = {"weight_scales": "row", "activation_scales": "tensor", "reach": REACH, "embeddings": True}
        return {"name": self.name, "bits": 8, **scales, "articles": self.articles}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - the GPU's name does not matter
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (NO_ONEDNN,) if device != "cpu" else (NO_ONEDNN, *REASONS)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Replace the layers of ``tagger.model``.

        Raises:
            NotRunnable: There is no oneDNN, or the lean runtime cannot run the tagger.
            WrongOrder: The model is quantized already, is in half precision, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.inputs import input_ranges  # noqa: PLC0415
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.int8 import has_onednn  # noqa: PLC0415
        from leanner.passes.int8_layers import quantizable_bits  # noqa: PLC0415
        from leanner.passes.int8_layers import quantize_layers  # noqa: PLC0415
        from leanner.passes.int8_static import quantize_encoder  # noqa: PLC0415
        from leanner.taggers.weights import encoder_linears  # noqa: PLC0415

        bits = quantizable_bits(tagger, self.name)
        if tagger.device.type != "cpu" or not has_onednn():
            raise NotRunnable(NO_ONEDNN)
        ranges = input_ranges(tagger, dict(encoder_linears(tagger.model)), calibration_text(self.articles))
        quantize_encoder(tagger.model, ranges, bits)
        quantize_layers(tagger.model, bits)
        return tagger
