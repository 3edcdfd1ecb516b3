"""Quantization to 8 bits after training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_flair


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
            WrongOrder: The model is quantized already, is in half precision, or has left Flair.
        """
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from torch import nn  # noqa: PLC0415

        from leanner.passes.int8 import Int8Embedding  # noqa: PLC0415
        from leanner.passes.int8 import Int8Linear  # noqa: PLC0415
        from leanner.passes.int8 import exact_weight_bits  # noqa: PLC0415
        from leanner.passes.int8 import quantized_layers  # noqa: PLC0415

        run_by_flair(tagger, self.name)
        model = tagger.model
        if next(quantized_layers(model), None) is not None:
            raise WrongOrder("int8 twice: the weights are int8 already")
        if any(p.dtype in (torch.bfloat16, torch.float16) for p in model.parameters()):
            raise WrongOrder("int8 after half precision: quantize the float32 weights instead")
        bits = exact_weight_bits(tagger.device)
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    setattr(parent, name, Int8Linear(child, weight_bits=bits or 8))
                elif type(child) is nn.Embedding:
                    setattr(parent, name, Int8Embedding(child))
        if bits is None:
            tagger.quality.append("int8 products saturate here: F1 can be lower than on another machine")
        elif bits < 8:
            tagger.quality.append(
                f"weights have {bits} bits: products of 8-bit ones would saturate on this CPU, which has no VNNI"
            )
        return tagger
