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
class BlockShape:
    """What a layer of the encoder has, which pruning may have taken from.

    Attributes:
        heads: Of its attention.
        inner: Neurons of its feed-forward block.
    """

    heads: int
    inner: int


@dataclass(frozen=True, slots=True)
class BertShape:
    """What BERT's configuration says of the encoder, under its names, and its layers as they are."""

    vocab_size: int
    hidden_size: int
    head_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    hidden_act: str
    layers: tuple[BlockShape, ...]

    @classmethod
    def of(cls, encoder: Any) -> Self:  # noqa: ANN401 - transformers'
        """Return the shape of a ``BertModel``."""
        config, blocks = encoder.config, encoder.encoder.layer
        return cls(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            head_size=config.hidden_size // config.num_attention_heads,
            max_position_embeddings=config.max_position_embeddings,
            type_vocab_size=config.type_vocab_size,
            layer_norm_eps=config.layer_norm_eps,
            hidden_act=config.hidden_act,
            layers=tuple(
                BlockShape(block.attention.self.num_attention_heads, block.intermediate.dense.out_features)
                for block in blocks
            ),
        )


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
        self.encoder = _group(layer=nn.ModuleList(_layer(shape, block) for block in shape.layers))


class _Attention(nn.Module):
    """What makes queries, keys and values."""

    def __init__(self, shape: BertShape, heads: int) -> None:
        super().__init__()
        self.num_attention_heads = heads
        self.query, self.key, self.value = (
            nn.Linear(shape.hidden_size, heads * shape.head_size) for _ in ("query", "key", "value")
        )


def _layer(shape: BertShape, block: BlockShape) -> nn.Module:
    size = shape.hidden_size
    attention: dict[str, nn.Module] = {
        "self": _Attention(shape, block.heads),
        "output": _group(
            dense=nn.Linear(block.heads * shape.head_size, size), LayerNorm=nn.LayerNorm(size, shape.layer_norm_eps)
        ),
    }
    return _group(
        attention=_group(**attention),
        intermediate=_group(dense=nn.Linear(size, block.inner), intermediate_act_fn=ACTIVATIONS[shape.hidden_act]()),
        output=_group(dense=nn.Linear(block.inner, size), LayerNorm=nn.LayerNorm(size, shape.layer_norm_eps)),
    )


def _group(**children: nn.Module) -> nn.Module:
    group = nn.Module()
    for name, child in children.items():
        group.add_module(name, child)
    return group
