"""BERT over rows without padding.

All positions of a batch lie behind each other, so that linear layers see no padding, as
in ByteTransformer (Zhai et al. 2023, IPDPS, section III-D, packing). Attention needs no mask. The
last layer stops at the positions that are wanted. Layers are called as modules: quantized and
pruned ones work as they are.

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

import torch

from torch import Tensor

from leanner.taggers.lean.batches import equal_runs
from leanner.taggers.lean.int8_encoder import Int8Encoder
from leanner.taggers.lean.int8_encoder import fits
from leanner.taggers.lean.kernels import HEAD_STEP
from leanner.taggers.lean.kernels import WIDTH_STEP
from leanner.taggers.lean.steps import CompiledSteps
from leanner.taggers.lean.steps import Rows
from leanner.taggers.lean.steps import Steps
from leanner.taggers.lean.steps import TorchSteps
from leanner.taggers.lean.varlen import VarlenSteps
from leanner.taggers.lean.varlen import attention_for


if TYPE_CHECKING:
    from transformers import BertModel

    from leanner.taggers.lean.kernels import Kernels
    from leanner.taggers.lean.kernels.layers import LayerKernels


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


class PackedBert:
    """The encoder of a tagger; its modules are shared, not copied.

    Args:
        model: As passes have left it.
        kernels: Of this CPU, if there are some.
        layer_kernels: The same, for all layers of an int8 encoder together.

    Attributes:
        steps: What lies between its matrix products.
        whole: What computes all layers together, if they are such as its kernels have.
    """

    def __init__(
        self, model: BertModel, kernels: Kernels | None = None, layer_kernels: LayerKernels | None = None
    ) -> None:
        self.model: Final = model
        self.steps: Steps = _steps_for(model, kernels)
        fused = None if layer_kernels is None or not fits(model) else Int8Encoder(model, layer_kernels)
        self.whole: Final = fused
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
        rows = Rows.of(lengths)
        if self.whole is not None:
            return self.whole(ids, rows, wanted, prefix)
        hidden = self._embed(ids, lengths, 0 if prefix is None else prefix.length)
        given = self.steps.given(hidden, self._layers[0].attention.self.query)
        for number, layer in enumerate(self._layers):
            attention = layer.attention.self
            held = None if prefix is None else (prefix.keys[number], prefix.values[number])
            parts = attention.query(given), attention.key(given), attention.value(given)
            # Pruned layers have fewer heads than the model's configuration says.
            attended = self.steps.attend(parts, rows, attention.num_attention_heads, held)
            if number == len(self._layers) - 1:
                attended, hidden = attended[wanted], hidden[wanted]
            hidden, given = self._finish(number, attended, hidden)
        return hidden

    def prefix(self, ids: Tensor) -> CachedPrefix:
        """Return what rows that begin with ``ids`` need of them.

        *Shapes:* ``ids`` ``(length,)``.
        """
        rows = Rows.of([len(ids)])
        hidden = self._embed(ids, rows.lengths, 0)
        given = self.steps.given(hidden, self._layers[0].attention.self.query)
        keys, values = [], []
        for number, layer in enumerate(self._layers):
            attention = layer.attention.self
            parts = attention.query(given), attention.key(given), attention.value(given)
            keys.append(parts[1])
            values.append(parts[2])
            attended = self.steps.attend(parts, rows, attention.num_attention_heads, None)
            hidden, given = self._finish(number, attended, hidden)
        return CachedPrefix(tuple(keys), tuple(values), hidden)

    def _embed(self, ids: Tensor, lengths: Sequence[int], begin: int) -> Tensor:
        positions = torch.cat(
            [
                torch.arange(begin, begin + length, device=ids.device).repeat(rows)
                for rows, length in equal_runs(lengths)
            ]
        )
        table = self._embeddings
        embedded = table.word_embeddings(ids).add_(table.token_type_embeddings(torch.zeros_like(ids[:1])))
        embedded = embedded.add_(table.position_embeddings(positions))
        result: Tensor = table.LayerNorm(embedded)
        return result

    def _finish(self, number: int, attended: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a layer makes of its attention's result and of what went into it, and what the next one takes."""
        layer, steps = self._layers[number], self.steps
        following = self._layers[number + 1].attention.self.query if number + 1 < len(self._layers) else None
        output, inner = layer.attention.output, layer.intermediate
        hidden, given = steps.add_norm(
            output.dense(steps.given(attended, output.dense)), hidden, output.LayerNorm, inner.dense
        )
        made = layer.output.dense(inner.intermediate_act_fn(inner.dense(given)))
        return steps.add_norm(made, hidden, layer.output.LayerNorm, following)


def _steps_for(encoder: Any, kernels: Kernels | None) -> Steps:  # noqa: ANN401 - transformers'
    """Return the steps of an encoder: by kernels where there are some and they have its sizes; in one call on a GPU."""
    norm = encoder.embeddings.LayerNorm.weight
    attentions = [layer.attention.self for layer in encoder.encoder.layer]
    head_sizes = {one.query.out_features // one.num_attention_heads for one in attentions}
    if norm.device.type == "cuda":
        return VarlenSteps(attention_for(norm.dtype, head_sizes, torch.cuda.get_device_capability(norm.device)))
    fits = (
        norm.device.type == "cpu"
        and norm.dtype == torch.float32
        and len(norm) % WIDTH_STEP == 0
        and all(size % HEAD_STEP == 0 for size in head_sizes)
    )
    return CompiledSteps(kernels) if kernels is not None and fits else TorchSteps()
