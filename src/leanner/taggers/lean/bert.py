"""BERT over rows without padding.

All positions of a batch lie behind each other, so that linear layers see no padding, as
in ByteTransformer (Zhai et al. 2023, IPDPS, section III-D, packing). Attention runs over
rows of equal length at a time, without a mask. The last layer stops at the positions that
are wanted. Layers are called as modules: quantized and pruned ones work as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.lean.batches import equal_runs


if TYPE_CHECKING:
    from transformers import BertModel


class PackedBert:
    """The encoder of a tagger; its modules are shared, not copied."""

    def __init__(self, model: BertModel) -> None:
        self.model: Final = model
        self.heads: Final = int(model.config.num_attention_heads)
        # What mypy knows of a module's children is Tensor or Module.
        self._embeddings: Any = model.embeddings
        self._layers: list[Any] = list(model.encoder.layer)

    def __call__(self, ids: Tensor, lengths: Sequence[int], wanted: Tensor) -> Tensor:
        """Return the hidden states of the last layer at the wanted positions.

        *Shapes:* ``ids`` ``(positions,)``, the rows behind each other; ``wanted`` ``(n,)`` indices
        into them; result ``(n, hidden)``.

        Args:
            ids: Sub-tokens.
            lengths: Of the rows; equal ones are fastest as neighbours.
            wanted: Positions in the whole batch.
        """
        runs = list(equal_runs(lengths))
        hidden = self._embed(ids, runs)
        last = len(self._layers) - 1
        for number, layer in enumerate(self._layers):
            attended = self._attend(layer.attention.self, hidden, runs)
            if number == last:
                attended, hidden = attended[wanted], hidden[wanted]
            output = layer.attention.output
            hidden = output.LayerNorm(output.dense(attended).add_(hidden))
            inner = layer.intermediate.intermediate_act_fn(layer.intermediate.dense(hidden))
            hidden = layer.output.LayerNorm(layer.output.dense(inner).add_(hidden))
        return hidden

    def _embed(self, ids: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:
        positions = torch.cat([torch.arange(length, device=ids.device).repeat(rows) for rows, length in runs])
        table = self._embeddings
        embedded = table.word_embeddings(ids) + table.token_type_embeddings(torch.zeros_like(ids))
        embedded = embedded + table.position_embeddings(positions)
        result: Tensor = table.LayerNorm(embedded)
        return result

    def _attend(self, attention: Any, hidden: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:  # noqa: ANN401
        query, key, value = attention.query(hidden), attention.key(hidden), attention.value(hidden)
        result = torch.empty_like(query)
        begin = 0
        for rows, length in runs:
            end = begin + rows * length
            by_head = [
                part[begin:end].view(rows, length, self.heads, -1).transpose(1, 2) for part in (query, key, value)
            ]
            attended = nn.functional.scaled_dot_product_attention(*by_head)
            result[begin:end] = attended.transpose(1, 2).reshape(end - begin, -1)
            begin = end
        return result
