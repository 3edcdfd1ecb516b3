"""A Flair tagger, run by Flair's own ``predict``: the reference that every leaner one is held against."""

from __future__ import annotations

import contextlib
import logging

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import cast

import flair

from flair.data import Sentence
from flair.models.prefixed_tagger import PrefixedSequenceTagger

from leanner.taggers.entity_names import LABEL_NAMES
from leanner.taggers.entity_names import missing_note
from leanner.taggers.entity_names import plain
from leanner.taggers.tokenizers import FlairTokens
from leanner.taggers.tokenizers import SentenceTokenizer
from leanner.taggers.tokenizers import Tokenized
from leanner.taggers.weights import weights_sha256
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    import torch

    from flair.models import SequenceTagger

    from leanner.taggers.protocol import Prediction


_LAYER: Final = "leanner"


class FlairTagger:
    """A Flair ``SequenceTagger`` or ``PrefixedSequenceTagger``.

    A tagger with context (FLERT) gets neighbours from its own document only, so that the
    order of the documents does not matter. A sentence without a token has no spans and is
    no neighbour either.

    Args:
        model: Flair's tagger.
        name: What the user called it.
        tokenizer: Splits a sentence as the tagger was trained on.
        mini_batch_size: Sentences in one forward pass.
        chunk_sentences: Flair's ``predict`` clears all sentences that it was given after
            every mini-batch, which is quadratic; it is given whole documents up to about
            this many sentences at a time.
        label_names: Further names of entity types, beside ``LABEL_NAMES``.
    """

    runtime = "flair"

    def __init__(
        self,
        model: SequenceTagger,
        name: str,
        *,
        tokenizer: SentenceTokenizer | None = None,
        mini_batch_size: int = 32,
        chunk_sentences: int = 256,
        label_names: Mapping[str, Label] | None = None,
    ) -> None:
        if min(mini_batch_size, chunk_sentences) < 1:
            raise ValueError(
                f"expected at least one sentence a mini-batch and a chunk, found {mini_batch_size}, {chunk_sentences}"
            )
        self.model: torch.nn.Module = model.eval()
        self.name = name
        self.tokenizer: SentenceTokenizer = FlairTokens() if tokenizer is None else tokenizer
        self.mini_batch_size = mini_batch_size
        self.chunk_sentences = chunk_sentences
        self.weights_sha256 = weights_sha256(model)
        names = {**LABEL_NAMES, **{plain(key): label for key, label in (label_names or {}).items()}}
        self.label_of = {entity: names[plain(entity)] for entity in entity_types(model) if plain(entity) in names}
        self.labels = frozenset(self.label_of.values())
        self.quality: list[str] = []
        if self.missing_labels:
            self.quality.append(missing_note(name, self.missing_labels, entity_types(model)))

    @property
    def _flair(self) -> SequenceTagger:
        return cast("SequenceTagger", self.model)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def context_tokens(self) -> int:
        """Tokens of context to each side that the model reads, 0 without context."""
        return int(getattr(self._flair.embeddings, "context_length", 0))

    @property
    def entity_types(self) -> frozenset[str]:
        """The types that the model tags, as it names them, also those of no label."""
        return entity_types(self._flair)

    @property
    def missing_labels(self) -> tuple[Label, ...]:
        """The labels that this tagger cannot give."""
        return tuple(label for label in Label if label not in self.labels)

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return {
            "tokenizer": self.tokenizer.name,
            "mini_batch_size": self.mini_batch_size,
            "chunk_sentences": self.chunk_sentences,
            "context_tokens": self.context_tokens,
        }

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order; no more than a chunk is held in memory."""
        chunk: list[_Prepared] = []
        sentences = 0
        for document in documents:
            chunk.append(self._prepare(document))
            sentences += len(chunk[-1].given)
            if sentences >= self.chunk_sentences:
                yield from self._predict(chunk)
                chunk, sentences = [], 0
        yield from self._predict(chunk)

    def _prepare(self, document: Document) -> _Prepared:
        tokenized = [self.tokenizer(sentence.text) for sentence in document.sentences]
        given: list[Sentence] = [t.sentence for t in tokenized if t is not None]
        if isinstance(self.model, PrefixedSequenceTagger):
            given = list(self.model.augment_sentences(given))
        Sentence.set_context_for_sentences(given)
        return _Prepared(tokenized, given)

    def _predict(self, chunk: Sequence[_Prepared]) -> Iterator[Prediction]:
        given = [sentence for prepared in chunk for sentence in prepared.given]
        # One document may be longer than a chunk. Its sentences know their neighbours already.
        pieces = max(1, len(given) // self.chunk_sentences)
        borders = [len(given) * piece // pieces for piece in range(pieces + 1)]
        with flair_on(self.device):
            for start, end in pairwise(borders):
                self._flair.predict(given[start:end], mini_batch_size=self.mini_batch_size, label_name=_LAYER)
        for prepared in chunk:
            yield self._spans(prepared)

    def _spans(self, prepared: _Prepared) -> Prediction:
        given = iter(prepared.given)
        return tuple(() if t is None else self._spans_of(t, next(given)) for t in prepared.tokenized)

    def _spans_of(self, tokenized: Tokenized, given: Sentence) -> tuple[Span, ...]:
        sentence, offsets = tokenized
        if isinstance(self.model, PrefixedSequenceTagger):
            self.model.augmentation_strategy.apply_predictions(given, sentence, _LAYER, _LAYER)
        spans = []
        for found in sentence.get_spans(_LAYER):
            label = self.label_of.get(found.get_label(_LAYER).value)
            if label is not None:
                first, last = found.tokens[0].idx - 1, found.tokens[-1].idx - 1
                spans.append(Span(offsets[first][0], offsets[last][1], label))
        return tuple(sorted(spans))


class _Prepared:
    """A document's sentences with their offsets, and what Flair is given of them."""

    __slots__ = ("given", "tokenized")

    def __init__(self, tokenized: list[Tokenized | None], given: list[Sentence]) -> None:
        self.tokenized = tokenized
        self.given = given


@contextlib.contextmanager
def quiet_flair(level: int = logging.WARNING) -> Iterator[None]:
    """Keep Flair's log below ``level`` off standard output."""
    logger = logging.getLogger("flair")
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def flair_on(device: torch.device) -> Iterator[None]:
    """Have Flair make its tensors on ``device``: it knows one for the whole process."""
    before = flair.device
    flair.device = device
    try:
        yield
    finally:
        flair.device = before


def entity_types(model: SequenceTagger) -> frozenset[str]:
    """Return the entity types that a model tags, as it names them."""
    tags = [tag for tag in model.label_dictionary.get_items() if tag[1:2] == "-"]
    return frozenset(tag[2:] for tag in tags)
