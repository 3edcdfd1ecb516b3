"""A token classifier, run by transformers: the reference that every leaner one is held against.

In BIO and IO its spans are those of transformers' own ``pipeline("token-classification",
aggregation_strategy="first")``, but that long texts are not cut off, and that words are found otherwise where the
pipeline warns that it guesses them: see ``rows``.
"""

from __future__ import annotations

import inspect

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np
import torch

from torch import nn

from leanner.taggers.chunks import document_chunks
from leanner.taggers.entity_names import missing_note
from leanner.taggers.hf.rows import TextEncoder
from leanner.taggers.hf.spans import TagTable
from leanner.taggers.hf.spans import predictions
from leanner.taggers.hf.tags import entity_types
from leanner.taggers.hf.tags import read_tags
from leanner.taggers.positions import positions_of
from leanner.taggers.weights import weights_sha256
from leanner.types import Document
from leanner.types import Label


if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerFast

    from leanner.taggers.hf.label_map import LabelMap
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.rows import DocumentChunk

#: Sub-tokens in a row, whatever the model takes: what encoders were trained on, and what attention is affordable for.
LONGEST: Final = 512


class HfTagger:
    """A model of transformers with a head for token classification.

    A sentence is read alone, without context.

    Args:
        model: The model.
        tokenizer: A fast one.
        name: What the user called it.
        label_map: What its labels are, where their names do not say it.
        mini_batch_size: Rows in one forward pass.
        chunk_sentences: Sentences that are sorted by length together.

    Attributes:
        tags: What its labels mean, in the order of its scores.
        label_of: The label of ours of each of its entity types, ``None`` if it has none.
    """

    runtime = "transformers"

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        name: str,
        *,
        label_map: LabelMap | None = None,
        mini_batch_size: int = 32,
        chunk_sentences: int = 256,
    ) -> None:
        if min(mini_batch_size, chunk_sentences) < 1:
            raise ValueError(
                f"expected at least one sentence a mini-batch and a chunk, found {mini_batch_size}, {chunk_sentences}"
            )
        self.model: nn.Module = model.eval()  # type: ignore[no-untyped-call]
        self.tokenizer: Final = tokenizer
        self.name = name
        self.mini_batch_size = mini_batch_size
        self.chunk_sentences = chunk_sentences
        self.weights_sha256 = weights_sha256(model)
        self.encode: Final = TextEncoder(tokenizer.backend_tokenizer, longest_row(model, tokenizer))
        names = label_names(model)
        self.tags: Final = read_tags(names, label_map)
        self.table: Final = TagTable.of(self.tags)
        self.label_of: Final = entity_types(names, self.tags)
        self.labels = frozenset(label for label in self.label_of.values() if label is not None)
        self.quality: list[str] = []
        if self.missing_labels:
            self.quality.append(missing_note(name, self.missing_labels, frozenset(self.label_of)))
        if self.ignored:
            self.quality.append(f"entity types that are none of ours and not scored: {', '.join(self.ignored)}")
        if label_map is not None:
            ours = ", ".join(f"{kind} is {label}" for kind, label in sorted(self.label_of.items()) if label)
            self.quality.append(f"labels as {label_map.path} has them: {ours}")
        takes = inspect.signature(model.forward).parameters
        self._takes_types: Final = "token_type_ids" in takes and "token_type_ids" in tokenizer.model_input_names
        # Masked, so that any number would do.
        self._padding: Final = tokenizer.pad_token_id or 0

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def missing_labels(self) -> tuple[Label, ...]:
        """The labels that this tagger cannot give."""
        return tuple(label for label in Label if label not in self.labels)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The entity types that are none of ours."""
        return tuple(sorted(kind for kind, label in self.label_of.items() if label is None))

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return {
            "tokenizer": type(self.tokenizer).__name__,
            "words": self.encode.words,
            "longest": self.encode.longest,
            "overlap": self.encode.overlap,
            "mini_batch_size": self.mini_batch_size,
            "chunk_sentences": self.chunk_sentences,
            "context_tokens": 0,
        }

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order; no more than a chunk is held in memory."""
        for chunk in map(self.encode, document_chunks(documents, self.chunk_sentences)):
            yield from predictions(chunk, self._decide(chunk), self.table)

    def _decide(self, chunk: DocumentChunk) -> NDArray[np.int64]:
        """Return the number of each word's tag.

        *Shapes:* ``(words,)``.
        """
        rows = sorted(chunk.rows, key=lambda row: -len(row.ids))
        tags = np.zeros(chunk.ends[-1] if len(chunk.ends) else 0, dtype=np.int64)
        with torch.inference_mode():
            for begin in range(0, len(rows), self.mini_batch_size):
                batch = rows[begin : begin + self.mini_batch_size]
                logits = self.model(**self._inputs(batch)).logits
                holders = np.concatenate([np.full(len(row.words), number) for number, row in enumerate(batch)])
                positions = np.concatenate([row.positions for row in batch])
                wanted = logits[torch.from_numpy(holders), torch.from_numpy(positions)]
                tags[np.concatenate([row.words for row in batch])] = choose(wanted)
        return tags

    def _inputs(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Return what the model takes, padded on the right.

        *Shapes:* each ``(rows, length of the longest)``.
        """
        shape = (len(rows), max(len(row.ids) for row in rows))
        ids = np.full(shape, self._padding, dtype=np.int64)
        mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row.ids)] = row.ids
            types[number, : len(row.ids)] = row.types
            mask[number, : len(row.ids)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._takes_types:
            inputs["token_type_ids"] = types
        return {name: torch.from_numpy(values).to(self.device) for name, values in inputs.items()}


def choose(scores: torch.Tensor) -> NDArray[np.int64]:
    """Return the most probable tag of each word, of equal ones the first, as the pipeline does: in float32.

    *Shapes:* ``scores`` ``(words, tags)``; result ``(words,)``.
    """
    chosen: NDArray[np.int64] = scores.float().softmax(-1).argmax(-1).cpu().numpy()
    return chosen


def label_names(model: PreTrainedModel) -> list[str]:
    """Return the labels of ``model`` in the order of its scores."""
    names = model.config.id2label or {}
    return [str(names[number]) for number in range(len(names))]


def longest_row(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> int:
    """Return how many sub-tokens a row may have, special ones included."""
    longest = min(LONGEST, int(tokenizer.model_max_length))
    positions = positions_of(model)
    return longest if positions is None else min(longest, positions)
