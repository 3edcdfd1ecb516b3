"""A Flair tagger whose encoder and head are an engine's graph."""

from __future__ import annotations

import copy

from typing import TYPE_CHECKING
from typing import Final
from typing import Self

import torch

from torch import nn

from leanner.taggers.dtypes import BYTES
from leanner.taggers.engines.deciding import EngineDecider
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.running import Runner
from leanner.taggers.weights import Weights
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from collections.abc import Mapping

    from leanner.taggers.engines.deciding import Engine
    from leanner.taggers.lean.tagger import LeanTagger


class Graph(nn.Module):
    """What stands for torch's modules where an engine holds the weights: it knows what they weigh, no more.

    Args:
        weights: What they weigh.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._weights: Final = weights

    def weigh(self) -> Weights:
        """Return what the weights are and weigh."""
        return self._weights


class EngineTagger(Runner):
    """A tagger that reads and decodes as in the lean runtime, and computes by an engine; torch's modules are let go.

    Args:
        lean: The tagger in the lean runtime.
        engine: Made of its parts.
        stored: Bytes of the weights in the engine's graph, by dtype.
    """

    def __init__(self, lean: LeanTagger, engine: Engine, stored: Mapping[str, int]) -> None:
        parts = lean.parts
        decide = EngineDecider(
            engine,
            parts.head.get_parameter("bias").detach().numpy().copy(),
            mean=parts.mean,
            crf=parts.crf,
            batch_tokens=lean.batch_tokens,
        )
        super().__init__(
            lean.reading,
            lean.splitter,
            decide,
            tags=lean.tags,
            label_of=lean.label_of,
            chunk_sentences=lean.chunk_sentences,
        )
        self._decide: EngineDecider = decide
        self.runtime = engine.runtime
        self.model: nn.Module = Graph(_weights(stored, weigh(lean.model)))
        self.name = lean.name
        self.labels = lean.labels
        self.weights_sha256 = lean.weights_sha256
        self.quality = lean.quality

    @property
    def in_int8(self) -> bool:
        """Whether the graph's matrix products are of integers."""
        return "int8" in weigh(self.model).bytes_by_dtype

    def in_batches_of(self, batch_tokens: int) -> Self:
        """Return the tagger over the same engine with so many sub-tokens in a batch."""
        check_limits(batch_tokens, self.chunk_sentences)
        other = copy.copy(self)
        other._decide = self._decide.in_batches_of(batch_tokens)  # noqa: SLF001 - its own
        return other

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device("cpu")


def _weights(stored: Mapping[str, int], original: Weights) -> Weights:
    """Return what a graph's weights are and weigh.

    Args:
        stored: Their bytes, by dtype.
        original: What the modules weighed that the graph was made of.
    """
    return Weights(
        parameters=sum(size // BYTES.get(dtype, 1) for dtype, size in stored.items()),
        bytes_by_dtype=dict(stored),
        linear=original.linear,
        linear_nonzero=original.linear_nonzero,
        flops=original.flops,
    )
