"""What is pruned: the linear layers of the encoder, in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from leanner.passes.int8 import quantized_layers
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_flair
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


def prunable(tagger: Tagger, name: str) -> dict[str, nn.Linear]:
    """Return the encoder's linear layers by name; embeddings, LayerNorms and the tagging head are no part of it.

    Args:
        tagger: Run by Flair.
        name: Of the pass that asks, for its errors.

    Raises:
        WrongOrder: The model is quantized already, or has left Flair.
    """
    run_by_flair(tagger, name)
    if next(quantized_layers(tagger.model), None) is not None:
        raise WrongOrder(f"{name} after int8: prune the float32 weights, then quantize")
    return {name: layer for name, layer in encoder_linears(tagger.model) if isinstance(layer, nn.Linear)}
