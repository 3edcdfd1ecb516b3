"""Encoder and head as plain modules, named as in transformers' ``BertModel``: nothing of it is imported.

They are made without memory, on torch's meta device; what is stored is put into them.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import Final
from typing import Self

import torch

from torch import nn


#: Activations by their names in BERT's configurations; those that transformers computes so, too.
ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {"gelu": nn.GELU, "relu": nn.ReLU}


@dataclass(frozen=True, slots=True)
class BertShape:
    """What BERT's configuration says of the encoder, under its names."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    hidden_act: str

    @classmethod
    def of(cls, config: Any) -> Self:  # noqa: ANN401 - transformers'
        """Return the shape of a ``BertModel`` with this configuration."""
        return cls(**{name: getattr(config, name) for name in cls.__slots__})


def build_model(shape: BertShape, tags: int) -> nn.Module:
    """Return ``encoder`` and ``head`` without weights.

    Args:
        shape: Of the encoder.
        tags: Rows of the head.

    Raises:
        KeyError: The activation is none of ``ACTIVATIONS``.
    """
    with torch.device("meta"):
        model = _group(encoder=_Encoder(shape), head=nn.Linear(shape.hidden_size, tags))
    return model.requires_grad_(requires_grad=False).eval()


def layers_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield name and module of each layer of a model that :func:`build_model` made."""
    for name, module in model.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            yield name, module


class _Encoder(nn.Module):
    """BERT without its pooler."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.config = shape
        size = shape.hidden_size
        self.embeddings = _group(
            word_embeddings=nn.Embedding(shape.vocab_size, size),
            position_embeddings=nn.Embedding(shape.max_position_embeddings, size),
            token_type_embeddings=nn.Embedding(shape.type_vocab_size, size),
            LayerNorm=nn.LayerNorm(size, shape.layer_norm_eps),
        )
        self.encoder = _group(layer=nn.ModuleList(_layer(shape) for _ in range(shape.num_hidden_layers)))


def _layer(shape: BertShape) -> nn.Module:
    size, inner = shape.hidden_size, shape.intermediate_size
    attention = {name: nn.Linear(size, size) for name in ("query", "key", "value")}
    return _group(
        attention=_group(
            self=_group(**attention),
            output=_group(dense=nn.Linear(size, size), LayerNorm=nn.LayerNorm(size, shape.layer_norm_eps)),
        ),
        intermediate=_group(
            dense=nn.Linear(size, inner),
            intermediate_act_fn=ACTIVATIONS[shape.hidden_act](),
        ),
        output=_group(dense=nn.Linear(inner, size), LayerNorm=nn.LayerNorm(size, shape.layer_norm_eps)),
    )


def _group(**children: nn.Module) -> nn.Module:
    group = nn.Module()
    for name, child in children.items():
        group.add_module(name, child)
    return group
