"""From rows of sub-tokens to the tag of each word, by an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final
from typing import Protocol

import numpy as np
import torch

from leanner.taggers.engines.padding import Padded
from leanner.taggers.engines.padding import rectangles
from leanner.taggers.lean.deciding import Decisions
from leanner.taggers.lean.deciding import choose


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.lean.parts import Transitions
    from leanner.taggers.rows import Chunk


class Engine(Protocol):
    """A graph made of :class:`~leanner.taggers.engines.graph.PaddedBert`, ready to run."""

    @property
    def runtime(self) -> str:
        """What runs it: ``onnxruntime`` or ``openvino``."""
        ...

    def scores(self, batch: Padded) -> NDArray[np.float32]:
        """Return the scores of the tags at the wanted positions, ``(n, tags)``."""
        ...


class EngineDecider:
    """An engine over rows, in the batches of the lean runtime.

    Args:
        engine: Encoder and head.
        missing: Scores of a word of which the tokenizer leaves nothing: the head's bias, ``(tags,)``.
        mean: Whether a word has the mean of its sub-tokens, else the first of them.
        crf: What decides together with the scores, if anything.
        batch_tokens: Sub-tokens in one batch, padding not counted.
    """

    #: These graphs have no place for a prefix that is computed once.
    prefix_ids: Final = None

    def __init__(
        self,
        engine: Engine,
        missing: NDArray[np.float32],
        *,
        mean: bool,
        crf: Transitions | None,
        batch_tokens: int,
    ) -> None:
        self.engine: Final = engine
        self.missing: Final = missing
        self.mean: Final = mean
        self.crf: Final = crf
        self.batch_tokens: Final = batch_tokens

    def in_batches_of(self, batch_tokens: int) -> EngineDecider:
        """Return the same with so many sub-tokens in a batch."""
        return EngineDecider(self.engine, self.missing, mean=self.mean, crf=self.crf, batch_tokens=batch_tokens)

    def __call__(self, chunk: Chunk) -> Decisions:
        """Return the tags of the chunk's words."""
        words = int(chunk.ends[-1]) if len(chunk.ends) else 0
        if not words:
            return Decisions(np.zeros(0, dtype=np.int64), np.zeros(0))
        counts = np.bincount(np.concatenate([row.words for row in chunk.rows]), minlength=words)
        with torch.inference_mode():
            scores = torch.zeros(words, len(self.missing))
            for batch in rectangles(chunk.rows, self.batch_tokens):
                scores.index_add_(0, torch.from_numpy(batch.words), torch.from_numpy(self.engine.scores(batch)))
            if self.mean:
                # The head is linear: the scores of a mean are the mean of the scores.
                scores /= torch.from_numpy(counts).clamp(min=1).unsqueeze(-1)
            scores[torch.from_numpy(counts == 0)] = torch.from_numpy(self.missing)
            return choose(scores, chunk.ends, self.crf)
