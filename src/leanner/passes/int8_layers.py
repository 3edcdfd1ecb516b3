"""Putting int8 layers into a tagger, and when that makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from torch import nn

from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import exact_weight_bits
from leanner.passes.int8 import quantized_layers
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


def quantizable_bits(tagger: Tagger, name: str) -> int:
    """Return how many bits a weight gets on the tagger's device, and note in its quality if these are few or inexact.

    Args:
        tagger: Run by its library.
        name: Of the pass that asks, for its errors.

    Raises:
        WrongOrder: The model is quantized already, is in half precision, or has left its library.
    """
    run_by_its_library(tagger, name)
    if next(quantized_layers(tagger.model), None) is not None:
        raise WrongOrder("int8 twice: the weights are int8 already")
    if any(p.dtype in (torch.bfloat16, torch.float16) for p in tagger.model.parameters()):
        raise WrongOrder("int8 after half precision: quantize the float32 weights instead")
    bits = exact_weight_bits(tagger.device)
    if bits is None:
        tagger.quality.append("int8 products saturate here: F1 can be lower than on another machine")
    elif bits < 8:
        tagger.quality.append(
            f"weights have {bits} bits: products of 8-bit ones would saturate on this CPU, which has no VNNI"
        )
    return bits or 8


def quantize_layers(model: nn.Module, bits: int) -> None:
    """Replace all linear layers and embeddings that are float still, by such with a scale for each row and token."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, Int8Linear(child, weight_bits=bits))
            elif type(child) is nn.Embedding:
                setattr(parent, name, Int8Embedding(child))
