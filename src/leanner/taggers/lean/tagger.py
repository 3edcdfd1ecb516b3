"""A Flair tagger, run without Flair: the same texts, the same weights, the same spans."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from itertools import islice
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import TypeVar

from leanner.taggers.chunks import document_chunks
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.deciding import Decider
from leanner.taggers.lean.decoding import TagSet
from leanner.taggers.lean.decoding import spans_of
from leanner.taggers.lean.encoding import Encoder
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import reason_against_prefix
from leanner.taggers.lean.support import task_prompt
from leanner.types import Document
from leanner.types import Span


if TYPE_CHECKING:
    import numpy as np
    import torch

    from numpy.typing import NDArray

    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.rows import DocumentChunk

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class LeanTagger:
    """The lean runtime over a Flair tagger's own modules.

    Args:
        tagger: Passes may have changed its modules.
        batch_tokens: Sub-tokens in one forward pass.
        chunk_sentences: Sentences that are sorted by length together; no more than two chunks
            of about so many are held in memory.
        prefix_caching: Whether the prompt is computed once instead of with each sentence. It
            then does not see the sentence, for which the model was not trained.

    Raises:
        TaggerError: The tagger has parts that this runtime does not have.
    """

    runtime = "lean"

    def __init__(
        self,
        tagger: FlairTagger,
        *,
        batch_tokens: int = 2048,
        chunk_sentences: int = 1024,
        prefix_caching: bool = False,
    ) -> None:
        check_limits(batch_tokens, chunk_sentences)
        model: Any = tagger.model
        if (reason := reason_against(model) or (reason_against_prefix(model) if prefix_caching else None)) is not None:
            raise TaggerError(reason)
        self.model: torch.nn.Module = tagger.model
        self.name = tagger.name
        self.labels = tagger.labels
        self.weights_sha256 = tagger.weights_sha256
        self.quality = tagger.quality
        self.batch_tokens: Final = batch_tokens
        self.chunk_sentences: Final = chunk_sentences
        prompt = task_prompt(model)
        self._skipped: Final = len(prompt)
        self._encode: Final = Encoder(model.embeddings, prompt, tagger.tokenizer)
        self._decide: Final = Decider(
            Parts.of_flair(model), batch_tokens, self._encode.prefix() if prefix_caching else None
        )
        self._tags: Final = TagSet.of(model.label_dictionary.get_items())
        self._labels: Final = [tagger.label_of.get(name) for name in self._tags.types]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return {
            "tokenizer": self._encode.words.name,
            "batch_tokens": self.batch_tokens,
            "chunk_sentences": self.chunk_sentences,
            "context_tokens": self._encode.context,
            "prefix_caching": self._decide.prefix is not None,
        }

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        for chunk in one_ahead(document_chunks(documents, self.chunk_sentences), self._encode):
            yield from self._spans(chunk, self._decide(chunk).tags)

    def _spans(self, chunk: DocumentChunk, tags: NDArray[np.int64]) -> Iterator[Prediction]:
        first, last, kinds = (values.tolist() for values in spans_of(tags, chunk.ends, self._tags))
        found = zip(first, last, kinds, strict=True)
        span = next(found, None)
        begin, ends = 0, iter(chunk.ends.tolist())
        for document in chunk.offsets:
            sentences: list[tuple[Span, ...]] = []
            for offsets in document:
                if offsets is None:
                    sentences.append(())
                    continue
                end = next(ends)
                text = begin + self._skipped
                spans: list[Span] = []
                while span is not None and span[0] < end:
                    label = self._labels[span[2]]
                    # What begins in the prompt is no span of the text.
                    if label is not None and span[0] >= text:
                        spans.append(Span(offsets[span[0] - text][0], offsets[span[1] - text - 1][1], label))
                    span = next(found, None)
                sentences.append(tuple(sorted(spans)))
                begin = end
            yield tuple(sentences)


def one_ahead(items: Iterable[_Given], make: Callable[[_Given], _Made]) -> Iterator[_Made]:
    """Yield ``make(item)`` of each item in order, the next one being made in a thread meanwhile."""
    remaining = iter(items)
    begin = list(islice(remaining, 2))
    if len(begin) < 2:
        # A thread would only delay a single one.
        yield from map(make, begin)
        return
    with ThreadPoolExecutor(1, "leanner-encode") as pool:
        waiting = pool.submit(make, begin[0])
        for item in chain(begin[1:], remaining):
            following = pool.submit(make, item)
            yield waiting.result()
            waiting = following
        yield waiting.result()
