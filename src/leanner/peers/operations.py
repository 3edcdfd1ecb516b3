"""How many operations the linear layers of a tagger really execute for a text, padding and zeros included.

A product and its sum are two. Attention scores are left out, for all taggers alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from torch import Tensor
from torch import nn

from leanner.measure.rounds import tag_all
from leanner.passes.int8 import Int8Linear
from leanner.taggers.chunks import document_chunks
from leanner.taggers.engines.padding import rectangles
from leanner.taggers.engines.tagger import EngineTagger
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.weights import CompressedLinear


if TYPE_CHECKING:
    from leanner.taggers.lean.parts import Parts
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations of linear layers, by what is multiplied."""

    int8: float
    floats: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of linear layers, by where a graph multiplies them.

    Attributes:
        everywhere: At every position, padding included.
        wanted: At wanted positions only: the last layer behind its keys and values, and the head.
    """

    everywhere: int
    wanted: int

    @classmethod
    def of(cls, parts: Parts) -> Weights:
        """Return those of the graph that is made of these parts."""
        blocks: list[Any] = list(parts.encoder.encoder.layer)
        attended = sum(_size(getattr(b.attention.self, name)) for b in blocks for name in ("query", "key", "value"))
        behind = [_size(b.attention.output.dense) + _size(b.intermediate.dense) + _size(b.output.dense) for b in blocks]
        return cls(attended + sum(behind[:-1]), behind[-1] + _size(parts.head))


def executed(tagger: Tagger, documents: Sequence[Document], weights: Weights) -> Operations:
    """Return what a tagger executes to tag ``documents``.

    Args:
        tagger: Run by torch, whose layers are watched while it tags; by a kernel of all layers, which counts itself,
            without the lanes that no position fills; or by an engine, whose batches are counted.
        documents: The text.
        weights: Of an engine's graph.
    """
    if isinstance(tagger, EngineTagger):
        return _by_engine(tagger, documents, weights)
    return _by_torch(tagger, documents)


def _by_engine(tagger: EngineTagger, documents: Sequence[Document], weights: Weights) -> Operations:
    total = 0.0
    for chunk in document_chunks(documents, tagger.chunk_sentences):
        for batch in rectangles(tagger.encode(chunk).rows, tagger.batch_tokens):
            total += 2.0 * (batch.ids.size * weights.everywhere + len(batch.wanted) * weights.wanted)
    return Operations(total, 0.0) if tagger.in_int8 else Operations(0.0, total)


def _by_torch(tagger: Tagger, documents: Sequence[Document]) -> Operations:
    sums = {True: 0.0, False: 0.0}

    def count(module: Any, given: tuple[Tensor, ...]) -> None:  # noqa: ANN401 - a linear layer
        positions = given[0].numel() // module.in_features
        sums[isinstance(module, Int8Linear)] += 2.0 * positions * module.in_features * module.out_features

    layers = [module for module in tagger.model.modules() if isinstance(module, nn.Linear | CompressedLinear)]
    handles = [layer.register_forward_pre_hook(count) for layer in layers]
    # Such layers are not called one by one.
    whole = tagger.encoder.whole if isinstance(tagger, LeanTagger) else None
    before = 0 if whole is None else whole.multiplied
    try:
        tag_all(tagger, documents)
    finally:
        for handle in handles:
            handle.remove()
    if whole is not None:
        sums[True] += 2.0 * (whole.multiplied - before)
    return Operations(int8=sums[True], floats=sums[False])


def _size(layer: Any) -> int:  # noqa: ANN401 - a linear layer
    return int(layer.in_features * layer.out_features)
