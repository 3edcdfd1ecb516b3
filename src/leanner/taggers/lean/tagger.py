"""A Flair tagger, run without Flair: the same texts, the same weights, the same spans."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.deciding import decider_of
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.reading import Reading
from leanner.taggers.lean.running import Runner
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import reason_against_prefix
from leanner.taggers.lean.support import task_prompt


if TYPE_CHECKING:
    import torch

    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.lean.bert import PackedBert
    from leanner.taggers.lean.deciding import Decider
    from leanner.taggers.lean.graphs import GraphedBert
    from leanner.taggers.lean.padded import PaddedEncoder


class LeanTagger(Runner):
    """The lean runtime over a Flair tagger's own modules.

    Args:
        tagger: Passes may have changed its modules.
        batch_tokens: Sub-tokens in one forward pass.
        chunk_sentences: Sentences that are sorted by length together; no more than two chunks
            of about so many are held in memory.
        prefix_caching: Whether the prompt is computed once instead of with each sentence. It
            then does not see the sentence, for which the model was not trained.
        deduplicate: Whether a sentence that was seen with the same context is not computed again.
        window_words: The most words of sentences of a document that are computed together; 0 for each alone.

    Raises:
        TaggerError: The tagger has parts that this runtime does not have.
        ValueError: A batch or a chunk of nothing.
    """

    runtime = "lean"
    _decide: Decider

    def __init__(
        self,
        tagger: FlairTagger,
        *,
        batch_tokens: int = 2048,
        chunk_sentences: int = 1024,
        prefix_caching: bool = False,
        deduplicate: bool = False,
        window_words: int = 0,
    ) -> None:
        model: Any = tagger.model
        if (reason := reason_against(model) or (reason_against_prefix(model) if prefix_caching else None)) is not None:
            raise TaggerError(reason)
        reading, parts = Reading.of(model.embeddings, task_prompt(model)), Parts.of_flair(model)
        super().__init__(
            reading,
            tagger.tokenizer,
            decider_of(parts, reading, batch_tokens, prefix_caching=prefix_caching),
            tags=model.label_dictionary.get_items(),
            label_of=tagger.label_of,
            chunk_sentences=chunk_sentences,
            deduplicate=deduplicate,
            window_words=window_words,
        )
        self.parts = parts
        self.model: torch.nn.Module = tagger.model
        self.name = tagger.name
        self.labels = tagger.labels
        self.weights_sha256 = tagger.weights_sha256
        self.quality = tagger.quality
        self.quality.extend(note for note in self._decide.notes if note not in self.quality)

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
