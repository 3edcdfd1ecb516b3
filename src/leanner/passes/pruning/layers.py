"""What is pruned: the linear layers of the encoder, as float or as the integers that are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Final

from torch import nn

from leanner.passes.int8 import Int8Linear
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library
from leanner.passes.pruning.sparsity import ZEROS
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from torch import Tensor

    from leanner.taggers.protocol import Tagger


#: Share of a layer's floats that may be zero all the same.
_CHANCE: Final = 0.01


def prunable(tagger: Tagger, name: str) -> dict[str, nn.Linear | Int8Linear]:
    """Return the encoder's linear layers by name; embeddings, LayerNorms and the tagging head are no part of it.

    Args:
        tagger: Run by its library.
        name: Of the pass that asks, for its errors.

    Raises:
        WrongOrder: The model has left its library, or has int8 layers with activation ranges, which
            other weights would not have.
    """
    run_by_its_library(tagger, name)
    layers: dict[str, nn.Linear | Int8Linear] = {}
    for layer_name, layer in encoder_linears(tagger.model):
        # Not one of its kind with more parts: a weight that is smoothed, a GELU in the kernel.
        if type(layer) is not nn.Linear and type(layer) is not Int8Linear:
            raise WrongOrder(f"{name} after {type(layer).__name__}: prune first")
        layers[layer_name] = layer
    return layers


def refuse_zeros(layers: Iterable[nn.Module]) -> None:
    """Refuse layers of floats with zeros, for a pass that has what stays make up for what goes: it would fill them in.

    Integers are not looked at: some of them are zero because they are small.

    Args:
        layers: As the tagger, or an earlier pass, has them.

    Raises:
        NotRunnable: There are more than a training leaves.
    """
    for layer in layers:
        if type(layer) is nn.Linear and layer.weight.count_nonzero() < (1.0 - _CHANCE) * layer.weight.numel():
            raise NotRunnable(ZEROS)


def replace_weight(layer: nn.Linear | Int8Linear, weight: Tensor) -> None:
    """Give the layer these weights; one of int8 stores the nearest on its scales, and zeros as zeros.

    *Shapes:* ``(out_features, in_features)``.
    """
    if isinstance(layer, Int8Linear):
        layer.store(weight)
    else:
        layer.weight.data.copy_(weight)
