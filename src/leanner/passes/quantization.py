"""Quantization to 8 bits after training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


@dataclass(frozen=True, slots=True)
class Int8Dynamic:
    """int8 linear layers and embeddings, without calibration or training.

    After Q8BERT (Zafrir et al. 2019, section 3): all fully connected layers, the tagging
    head too, and all embeddings, symmetric; the rest (LayerNorm, softmax, GELU, biases)
    stays float32. Otherwise than there, nothing is trained, activations get their scale at run
    time, and scales are finer: one for each row of the weights and each token. On a CPU
    without VNNI the weights of linear layers get 7 bits, so that no product saturates.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "int8-dynamic"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "bits": 8, "weight_scales": "row", "activation_scales": "token", "embeddings": True}

    def __call__(self, tagger: Tagger) -> Tagger:
        """Replace the layers of ``tagger.model``.

        Raises:
            WrongOrder: The model is quantized already, is in half precision, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.int8_layers import quantizable_bits  # noqa: PLC0415
        from leanner.passes.int8_layers import quantize_layers  # noqa: PLC0415

        quantize_layers(tagger.model, quantizable_bits(tagger, self.name))
        return tagger
