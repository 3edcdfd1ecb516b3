"""A token classifier of transformers, run without its padding: the same texts, the same weights, the same spans."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.taggers.chunks import document_chunks
from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.spans import predictions
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.deciding import Decider
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.running import one_ahead
from leanner.taggers.lean.support import reason_against_classifier


if TYPE_CHECKING:
    import torch

    from leanner.taggers.hf.tagger import HfTagger
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


class LeanTextTagger:
    """The lean runtime over the modules of a BERT with a linear head.

    Rows and spans are made as the tagger makes them; what is between them is :class:`Decider`'s.

    Args:
        tagger: Passes may have changed its modules.
        batch_tokens: Sub-tokens in one forward pass.
        chunk_sentences: Sentences that are sorted by length together; no more than two chunks
            of about so many are held in memory.

    Raises:
        TaggerError: The tagger has parts that this runtime does not have.
    """

    runtime = "lean"

    def __init__(self, tagger: HfTagger, *, batch_tokens: int = 2048, chunk_sentences: int = 1024) -> None:
        check_limits(batch_tokens, chunk_sentences)
        if (reason := reason_against_classifier(tagger.model, tagger.tokenizer)) is not None:
            raise TaggerError(reason)
        self.model: torch.nn.Module = tagger.model
        self.name = tagger.name
        self.labels = tagger.labels
        self.weights_sha256 = tagger.weights_sha256
        self.quality = tagger.quality
        self.batch_tokens: Final = batch_tokens
        self.chunk_sentences: Final = chunk_sentences
        self._reference: Final = tagger
        self._decide: Final = Decider(Parts.of_transformers(tagger.model), batch_tokens)
        self.quality.extend(note for note in self._decide.notes if note not in self.quality)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        of_batches = {"batch_tokens": self.batch_tokens, "chunk_sentences": self.chunk_sentences}
        same = {key: value for key, value in self._reference.describe().items() if key != "mini_batch_size"}
        return {**same, **of_batches, "prefix_caching": False, "deduplicate": False, "window_words": 0}

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        chunks = document_chunks(documents, self.chunk_sentences)
        for chunk in one_ahead(chunks, self._reference.encode):
            yield from predictions(chunk, self._decide(chunk).tags, self._reference.table)
