"""A Flair tagger, run without Flair: the same texts, the same weights, the same spans."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from itertools import islice
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import TypeVar

import numpy as np
import torch

from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.batches import token_batches
from leanner.taggers.lean.bert import CachedPrefix
from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.lean.decoding import TagSet
from leanner.taggers.lean.decoding import spans_of
from leanner.taggers.lean.encoding import Chunk
from leanner.taggers.lean.encoding import Encoder
from leanner.taggers.lean.encoding import Row
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import reason_against_prefix
from leanner.taggers.lean.viterbi import best_tags
from leanner.types import Document
from leanner.types import Span


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.protocol import Prediction

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
        if min(batch_tokens, chunk_sentences) < 1:
            raise ValueError(
                f"expected at least one sub-token a batch and one sentence a chunk, "
                f"found {batch_tokens}, {chunk_sentences}"
            )
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
        # mypy would take it for the base class of strategies, which has no prompt.
        strategy: Any = getattr(model, "augmentation_strategy", None)
        prompt: list[str] = [] if strategy is None else strategy.task_prompt
        self._skipped: Final = len(prompt)
        self._mean: Final = model.embeddings.subtoken_pooling == "mean"
        self._encode: Final = Encoder(model.embeddings, prompt, tagger.tokenizer)
        self._encoder: Final = PackedBert(model.embeddings.model)
        self._head: Final[torch.nn.Module] = model.linear
        self._crf: Final[Any] = model.crf if model.use_crf else None
        self._borders: Final[Any] = model.viterbi_decoder if model.use_crf else None
        self._prefix_ids: Final = self._encode.prefix() if prefix_caching else None
        self._prefix: Final = None if self._prefix_ids is None else self._cached(self._prefix_ids)
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
            "prefix_caching": self._prefix is not None,
        }

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        for chunk in one_ahead(self._chunks(documents), self._encode):
            yield from self._spans(chunk, self._decide(chunk))

    def _chunks(self, documents: Iterable[Document]) -> Iterator[list[Document]]:
        chunk: list[Document] = []
        sentences = 0
        for document in documents:
            chunk.append(document)
            sentences += len(document.sentences)
            if sentences >= self.chunk_sentences:
                yield chunk
                chunk, sentences = [], 0
        if chunk:
            yield chunk

    def _decide(self, chunk: Chunk) -> NDArray[np.int64]:
        """Return the number of each word's tag."""
        words = int(chunk.ends[-1]) if len(chunk.ends) else 0
        tags = np.zeros(words, dtype=np.int64)
        if not words:
            return tags
        with torch.inference_mode():
            # A word of which the tokenizer leaves nothing has a hidden state of zeros, as Flair has it.
            states = torch.zeros(words, self._encoder.model.config.hidden_size, device=self.device, dtype=self._dtype)
            for rows, prefix in self._by_prefix(chunk.rows):
                held = 0 if prefix is None else prefix.length
                for batch in token_batches([len(row.ids) - held for row in rows], self.batch_tokens):
                    self._run([rows[number] for number in batch], states, prefix)
            if self._mean:
                counts = np.bincount(np.concatenate([row.words for row in chunk.rows]), minlength=words)
                states /= torch.from_numpy(counts).clamp_(min=1).to(states).unsqueeze(-1)
            tags[:] = self._choose(self._head(states), chunk.ends).cpu().numpy()
        return tags

    def _choose(self, scores: torch.Tensor, ends: NDArray[np.int64]) -> torch.Tensor:
        if self._crf is None:
            # Flair takes the largest probability: in half precision two scores can round to one.
            return scores.softmax(-1).max(-1).indices
        # Prompt words are words of the sentence to Flair's CRF, too.
        borders = self._borders
        return best_tags(scores, ends, self._crf.transitions, start=borders.start_tag, stop=borders.stop_tag)

    def _run(self, rows: Sequence[Row], states: torch.Tensor, prefix: CachedPrefix | None) -> None:
        skipped = 0 if prefix is None else prefix.length
        lengths = [len(row.ids) - skipped for row in rows]
        begins = np.cumsum([0, *lengths[:-1]]) - skipped
        computed = [row.positions >= skipped for row in rows]
        parts = list(zip(rows, begins, computed, strict=True))
        hidden = self._encoder(
            _on(states, np.concatenate([row.ids[skipped:] for row in rows])),
            lengths,
            _on(states, np.concatenate([row.positions[those] + begin for row, begin, those in parts])),
            prefix,
        )
        states.index_add_(0, _on(states, np.concatenate([row.words[those] for row, _, those in parts])), hidden)
        if prefix is not None:
            positions = np.concatenate([row.positions[~those] for row, _, those in parts])
            words = np.concatenate([row.words[~those] for row, _, those in parts])
            states.index_add_(0, _on(states, words), prefix.hidden[_on(states, positions)])

    def _cached(self, ids: NDArray[np.int64]) -> CachedPrefix:
        with torch.inference_mode():
            return self._encoder.prefix(torch.from_numpy(ids).to(self.device))

    def _by_prefix(self, rows: Sequence[Row]) -> Iterator[tuple[Sequence[Row], CachedPrefix | None]]:
        """Yield the rows that begin with the cached prefix, and those that do not: later windows of a long text."""
        ids = self._prefix_ids
        if ids is None:
            yield rows, None
            return
        begin = [np.array_equal(row.ids[: len(ids)], ids) for row in rows]
        yield [row for row, does in zip(rows, begin, strict=True) if does], self._prefix
        yield [row for row, does in zip(rows, begin, strict=True) if not does], None

    @property
    def _dtype(self) -> torch.dtype:
        weight: torch.Tensor = self._encoder.model.embeddings.LayerNorm.weight
        return weight.dtype

    def _spans(self, chunk: Chunk, tags: NDArray[np.int64]) -> Iterator[Prediction]:
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


def _on(states: torch.Tensor, values: NDArray[np.int64]) -> torch.Tensor:
    return torch.from_numpy(values).to(states.device, non_blocking=True)


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
