"""BERT over rows without padding.

All positions of a batch lie behind each other, so that linear layers see no padding, as
in ByteTransformer (Zhai et al. 2023, IPDPS, section III-D, packing). Attention runs over
rows of equal length at a time, without a mask. The last layer stops at the positions that
are wanted. Layers are called as modules: quantized and pruned ones work as they are.

A :class:`CachedPrefix` holds what every row begins with. Its positions attend to themselves only,
as in Prompt Cache (Gim et al. 2024, MLSys, section 3), so that keys and values are the same
for every row and are computed once. An encoder was not trained so: its other positions see
a prefix that has not seen them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Protocol
from typing import runtime_checkable

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.lean.batches import equal_runs


if TYPE_CHECKING:
    from transformers import BertModel


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """Positions that rows begin with, computed once.

    Attributes:
        keys: Of each layer, ``(length, width)``, the heads beside each other; layers may differ in heads.
        values: The same.
        hidden: States of the last layer, ``(length, hidden)``.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    hidden: Tensor

    @property
    def length(self) -> int:
        """The number of positions."""
        return len(self.hidden)


@runtime_checkable
class Quantizing(Protocol):
    """A linear layer that stores its input as integers; all layers with one input store it alike."""

    def quantize(self, x: Tensor) -> Tensor:
        """Return the integers, which these layers take instead."""
        ...


class PackedBert:
    """The encoder of a tagger; its modules are shared, not copied."""

    def __init__(self, model: BertModel) -> None:
        self.model: Final = model
        # What mypy knows of a module's children is Tensor or Module.
        self._embeddings: Any = model.embeddings
        self._layers: list[Any] = list(model.encoder.layer)

    def __call__(
        self, ids: Tensor, lengths: Sequence[int], wanted: Tensor, prefix: CachedPrefix | None = None
    ) -> Tensor:
        """Return the hidden states of the last layer at the wanted positions.

        *Shapes:* ``ids`` ``(positions,)``, the rows behind each other; ``wanted`` ``(n,)`` indices
        into them; result ``(n, hidden)``.

        Args:
            ids: Sub-tokens.
            lengths: Of the rows; equal ones are fastest as neighbours.
            wanted: Positions in the whole batch.
            prefix: What stands before each row; ``ids`` and ``lengths`` are without it.
        """
        runs = list(equal_runs(lengths))
        hidden = self._embed(ids, runs, 0 if prefix is None else prefix.length)
        last = len(self._layers) - 1
        for number, layer in enumerate(self._layers):
            before = None if prefix is None else (prefix.keys[number], prefix.values[number])
            attended = self._attend(layer.attention.self, hidden, runs, before)
            if number == last:
                attended, hidden = attended[wanted], hidden[wanted]
            hidden = _finish(layer, attended, hidden)
        return hidden

    def prefix(self, ids: Tensor) -> CachedPrefix:
        """Return what rows that begin with ``ids`` need of them.

        *Shapes:* ``ids`` ``(length,)``.
        """
        runs = [(1, len(ids))]
        hidden = self._embed(ids, runs, 0)
        keys, values = [], []
        for layer in self._layers:
            attention = layer.attention.self
            keys.append(attention.key(hidden))
            values.append(attention.value(hidden))
            hidden = _finish(layer, self._attend(attention, hidden, runs, None), hidden)
        return CachedPrefix(tuple(keys), tuple(values), hidden)

    def _embed(self, ids: Tensor, runs: Sequence[tuple[int, int]], begin: int) -> Tensor:
        positions = torch.cat(
            [torch.arange(begin, begin + length, device=ids.device).repeat(rows) for rows, length in runs]
        )
        table = self._embeddings
        embedded = table.word_embeddings(ids).add_(table.token_type_embeddings(torch.zeros_like(ids[:1])))
        embedded = embedded.add_(table.position_embeddings(positions))
        result: Tensor = table.LayerNorm(embedded)
        return result

    def _attend(
        self,
        attention: Any,  # noqa: ANN401 - transformers'
        hidden: Tensor,
        runs: Sequence[tuple[int, int]],
        before: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        given = attention.query.quantize(hidden) if isinstance(attention.query, Quantizing) else hidden
        query, key, value = attention.query(given), attention.key(given), attention.value(given)
        # Pruned layers have fewer than the model's configuration says.
        heads = attention.num_attention_heads
        result = torch.empty_like(query)
        begin = 0
        for rows, length in runs:
            end = begin + rows * length
            parts = [part[begin:end].view(rows, length, -1) for part in (query, key, value)]
            if before is not None:
                # Whole rows are copied at once; heads apart would be copied one by one.
                parts[1:] = [
                    torch.cat((held.expand(rows, -1, -1), part), 1)
                    for held, part in zip(before, parts[1:], strict=True)
                ]
            queries, keys, values = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)
            attended = nn.functional.scaled_dot_product_attention(queries, keys, values)
            result[begin:end] = attended.transpose(1, 2).reshape(end - begin, -1)
            begin = end
        return result


def _finish(layer: Any, attended: Tensor, hidden: Tensor) -> Tensor:  # noqa: ANN401 - transformers'
    """Return what a layer makes of the attention's result and of what went into it."""
    output = layer.attention.output
    hidden = output.LayerNorm(output.dense(attended).add_(hidden))
    inner = layer.intermediate.intermediate_act_fn(layer.intermediate.dense(hidden))
    result: Tensor = layer.output.LayerNorm(layer.output.dense(inner).add_(hidden))
    return result
