"""A token classifier of transformers, run without its padding where it can be: the same texts, weights and spans."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.deciding import Decider
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.support import reason_against_classifier
from leanner.taggers.lean.text_running import TextRunner


if TYPE_CHECKING:
    import torch

    from leanner.taggers.hf.tagger import HfTagger
    from leanner.taggers.lean.bert import PackedBert
    from leanner.taggers.lean.graphs import GraphedBert
    from leanner.taggers.lean.padded import PaddedEncoder


class LeanTextTagger(TextRunner):
    """The lean runtime over the modules of an encoder with a linear head.

    Rows and spans are made as the tagger makes them; what is between them is :class:`Decider`'s.

    Args:
        tagger: Passes may have changed its modules.
        batch_tokens: Sub-tokens in one forward pass.
        chunk_sentences: As of :class:`TextRunner`.

    Raises:
        TaggerError: The tagger has parts that this runtime does not have.
        ValueError: A batch or a chunk of nothing.
    """

    runtime = "lean"
    _decide: Decider

    def __init__(self, tagger: HfTagger, *, batch_tokens: int = 2048, chunk_sentences: int = 1024) -> None:
        check_limits(batch_tokens, chunk_sentences)
        if (reason := reason_against_classifier(tagger.model, tagger.tokenizer)) is not None:
            raise TaggerError(reason)
        self.parts: Final = Parts.of_transformers(tagger.model)
        decide = Decider(self.parts, batch_tokens)
        super().__init__(tagger.encode, decide, tagger.table, chunk_sentences=chunk_sentences)
        self.model: torch.nn.Module = tagger.model
        self.name = tagger.name
        self.labels = tagger.labels
        self.tags: Final = tagger.tags
        self.weights_sha256 = tagger.weights_sha256
        self.quality = tagger.quality
        self.quality.extend(note for note in decide.notes if note not in self.quality)
        self._tokenizer: Final = type(tagger.tokenizer).__name__

    @property
    def encoder(self) -> PackedBert | PaddedEncoder | GraphedBert:
        """What computes its hidden states."""
        return self._decide.encoder

    def record_small_batches(self) -> None:
        """Have them recorded as CUDA graphs from now on: no weight is to be changed any more.

        Raises:
            TaggerError: The encoder is another one than BERT.
        """
        self._decide.record_small_batches()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return {"tokenizer": self._tokenizer, **super().describe()}
