"""Encoder and head over rectangles of rows: what engines make their graphs of.

It computes what :class:`~leanner.taggers.lean.bert.PackedBert` computes, in a form that these
engines know and fuse: rows are padded to the longest one, and attention does not see the padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.engines.quiet import quiet


if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from leanner.taggers.lean.parts import Parts


#: What is added to the attention scores of padding: ``exp`` of it is 0 in float32, and it is no burden to a
#: quantizer's range as the smallest of all floats would be.
_PADDING: Final = -1e4

#: Names of the inputs, in order.
INPUTS: Final = ("ids", "lengths", "wanted")


class PaddedBert(nn.Module):
    """Encoder and head of a tagger; its modules are shared, not copied."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.embeddings = parts.encoder.embeddings
        self.blocks = parts.encoder.encoder.layer
        self.head = parts.head

    def forward(self, ids: Tensor, lengths: Tensor, wanted: Tensor) -> Tensor:
        """Return the scores of the tags at the wanted positions.

        *Shapes:* ``ids`` ``(rows, longest)``; ``lengths`` ``(rows,)``; ``wanted`` ``(n,)``; all of them int64; result
        ``(n, tags)``.

        Args:
            ids: Sub-tokens; behind the end of a row any.
            lengths: Sub-tokens of each row.
            wanted: ``row * longest + position``.
        """
        table: Any = self.embeddings
        positions = torch.arange(ids.shape[1], device=ids.device)
        embedded = table.word_embeddings(ids) + table.token_type_embeddings.weight[0]
        hidden = table.LayerNorm(embedded + table.position_embeddings(positions))
        seen = positions.unsqueeze(0) < lengths.unsqueeze(1)
        bias = torch.where(seen, 0.0, _PADDING).unsqueeze(1).unsqueeze(1)
        blocks: Any = self.blocks
        for number, block in enumerate(blocks):
            attended = _attend(block.attention.self, hidden, bias)
            if number == len(blocks) - 1:
                attended, hidden = (values.flatten(0, 1).index_select(0, wanted) for values in (attended, hidden))
            output = block.attention.output
            hidden = output.LayerNorm(output.dense(attended) + hidden)
            inner = block.intermediate.intermediate_act_fn(block.intermediate.dense(hidden))
            hidden = block.output.LayerNorm(block.output.dense(inner) + hidden)
        scores: Tensor = self.head(hidden)
        return scores


def traced(parts: Parts) -> ExportedProgram:
    """Return the program of :class:`PaddedBert`, for any number of rows, lengths and wanted positions."""
    module = PaddedBert(parts).eval()
    rows, longest, wanted = (torch.export.Dim(name) for name in ("rows", "longest", "n"))
    # Sizes of 0 and 1 would be taken as fixed.
    example = torch.zeros(3, 5, dtype=torch.int64), torch.tensor([5, 4, 2]), torch.tensor([1, 2, 6, 11])
    with quiet():
        return torch.export.export(
            module, example, dynamic_shapes=({0: rows, 1: longest}, {0: rows}, {0: wanted}), strict=False
        )


def is_of_floats(parts: Parts) -> bool:
    """Whether a graph can be made of the layers: torch's own, of float32."""
    kinds = (nn.Linear, nn.Embedding, nn.LayerNorm)
    graph = PaddedBert(parts)
    stored = [module for module in graph.modules() if _stores(module)]
    return all(type(module) in kinds for module in stored) and all(
        weight.dtype == torch.float32 for weight in graph.parameters()
    )


def _stores(module: nn.Module) -> bool:
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return any(tensor.dtype != torch.int64 for tensor in own)


def _attend(attention: Any, hidden: Tensor, bias: Tensor) -> Tensor:  # noqa: ANN401 - transformers'
    # Pruned layers have fewer than the model's configuration says.
    heads = attention.num_attention_heads
    queries, keys, values = (
        layer(hidden).unflatten(-1, (heads, -1)).transpose(1, 2)
        for layer in (attention.query, attention.key, attention.value)
    )
    attended = nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
    return attended.transpose(1, 2).flatten(2)
