"""What is pruned: the linear layers of the encoder, as float or as the integers that are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Final

from torch import nn

from leanner.passes.int8 import Int8Linear
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from torch import Tensor

    from leanner.taggers.protocol import Tagger


#: Share of a layer's floats that may be zero by chance, or because a training left them so.
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


def refuse_zeros(layers: Iterable[nn.Module], name: str, most: float = 0.0) -> None:
    """Refuse layers of floats with more zeros than what makes up for others would leave.

    Integers are not looked at: some of them are zero because they are small.

    Args:
        layers: As they are.
        name: Of the pass that asks, for its errors.
        most: Share of zeros that the pass leaves.

    Raises:
        WrongOrder: An earlier pass has made them.
    """
    for layer in layers:
        if type(layer) is nn.Linear:
            zeros = 1.0 - int(layer.weight.count_nonzero()) / layer.weight.numel()
            if zeros > most + _CHANCE:
                raise WrongOrder(
                    f"{name} after zeros ({zeros:.0%} of a layer): making up for what goes would fill them in; "
                    "remove features first, and prune weights once"
                )


def replace_weight(layer: nn.Linear | Int8Linear, weight: Tensor) -> None:
    """Give the layer these weights; one of int8 stores the nearest on its scales, and zeros as zeros.

    *Shapes:* ``(out_features, in_features)``.
    """
    if isinstance(layer, Int8Linear):
        layer.store(weight)
    else:
        layer.weight.data.copy_(weight)
