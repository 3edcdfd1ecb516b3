"""Layers whose weights torchao stores and multiplies, and embeddings that fit beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import torch

from torch import Tensor
from torch import nn

from leanner.passes.int8 import Int8Embedding
from leanner.taggers.engines.quiet import quiet


if TYPE_CHECKING:
    from leanner.passes.torchao_kernels import Scheme
    from leanner.taggers.protocol import Tagger


#: Neighbouring weights with one scale where weights have 4 bits: torchao's own number.
_GROUP = 128


class TorchaoLinear(nn.Module):
    """A linear layer with a weight of torchao's, a subclass of ``Tensor`` that brings its product with it.

    Args:
        linear: Quantized in place; its weight and its bias are taken.
        config: torchao's, as ``quantize_`` takes it.
    """

    def __init__(self, linear: nn.Linear, config: Any) -> None:  # noqa: ANN401 - torchao's
        # The package is not there everywhere.
        from torchao.quantization import quantize_  # noqa: PLC0415

        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias: Tensor | None = linear.bias
        quantize_(linear, config)
        self._weight = linear.weight.detach()

    def weights(self) -> Tensor:
        """Return the weights that the layer multiplies with.

        *Shapes:* ``(out_features, in_features)``.
        """
        if "dequantize" in vars(type(self._weight)):
            made: Tensor = self._weight.dequantize()
            return made
        # Those of 4 bits cannot be made floats again, but they multiply.
        like = self.bias if self.bias is not None else self._weight
        rows = torch.eye(self.in_features, dtype=like.dtype, device=like.device)
        with torch.no_grad():
            return nn.functional.linear(rows, self._weight).t().contiguous()

    def packed(self) -> tuple[Tensor, ...]:
        """Return what is stored: integers or 8-bit floats, and their scales."""
        names, _ = self._weight.__tensor_flatten__()  # type: ignore[attr-defined] # every subclass that torch can trace has it
        return tuple(getattr(self._weight, name) for name in names)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``.

        *Shapes:* ``x`` ``(…, in_features)``; result ``(…, out_features)``.
        """
        return nn.functional.linear(x, self._weight, self.bias)


class CastInt8Embedding(Int8Embedding):
    """An embedding with int8 rows, looked up in the precision of the layers behind it."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__(embedding)
        self._dtype = embedding.weight.dtype

    def forward(self, indices: Tensor) -> Tensor:
        """Return the embeddings.

        *Shapes:* ``indices`` ``(…)``; result ``(…, embedding_dim)``.
        """
        return super().forward(indices).to(self._dtype)


def config_of(scheme: Scheme) -> Any:  # noqa: ANN401 - torchao's
    """Return torchao's configuration of a scheme.

    Raises:
        ImportError: torchao is not here, or another one.
    """
    with quiet("torchao", "torch.utils._pytree"):
        from torchao import quantization  # noqa: PLC0415 - as above
        from torchao.quantization.granularity import PerRow  # noqa: PLC0415 - as above
        from torchao.quantization.quantize_.workflows import Int4PackingFormat  # noqa: PLC0415 - as above

    # What it recommends for TorchInductor are settings of the whole process.
    keep = {"set_inductor_config": False}
    match scheme:
        case "w8a8":
            return quantization.Int8DynamicActivationInt8WeightConfig(granularity=PerRow(), **keep)
        case "int8-weights":
            return quantization.Int8WeightOnlyConfig(granularity=PerRow(), **keep)
        case "int4-weights":
            # Multiplied by torch's own kernel: other formats need a further package.
            packing = Int4PackingFormat.TILE_PACKED_TO_4D
            return quantization.Int4WeightOnlyConfig(group_size=_GROUP, int4_packing_format=packing, **keep)
        case "fp8":
            return quantization.Float8DynamicActivationFloat8WeightConfig(granularity=PerRow(), **keep)


def use_torchao(tagger: Tagger, config: Any) -> None:  # noqa: ANN401 - torchao's
    """Replace linear layers by torchao's, and embeddings by int8 ones. The tagging head stays as it is.

    The head has too few rows for some kernels, and next to no weights.

    Args:
        tagger: The layers are in its model.
        config: As ``quantize_`` takes it.
    """
    from leanner.taggers.weights import encoder_linears  # noqa: PLC0415 - it takes transformers along

    inner = dict(encoder_linears(tagger.model))
    for name, layer in inner.items():
        if type(layer) is nn.Linear:
            parent, _, own = name.rpartition(".")
            setattr(tagger.model.get_submodule(parent), own, TorchaoLinear(layer, config))
    for parent_module in list(tagger.model.modules()):
        for own, child in list(parent_module.named_children()):
            if type(child) is nn.Embedding:
                setattr(parent_module, own, CastInt8Embedding(child))
