"""From rows of sub-tokens to the tag of each word: the encoder in batches, and the head."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import NamedTuple
from typing import Protocol

import numpy as np
import torch

from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.batches import token_batches
from leanner.taggers.lean.bert import CachedPrefix
from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.lean.encoding import WordEncoder
from leanner.taggers.lean.graphs import GraphedBert
from leanner.taggers.lean.int8_encoder import fits
from leanner.taggers.lean.kernels import find_kernels
from leanner.taggers.lean.kernels.layers import find_layer_kernels
from leanner.taggers.lean.padded import PaddedEncoder
from leanner.taggers.lean.support import NO_GRAPHS
from leanner.taggers.lean.viterbi import best_tags


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.lean.parts import Parts
    from leanner.taggers.lean.parts import Transitions
    from leanner.taggers.lean.reading import Reading
    from leanner.taggers.rows import Chunk
    from leanner.taggers.rows import Row


class Decisions(NamedTuple):
    """What a head says of the words of a chunk.

    Attributes:
        tags: The number of each word's tag, ``(words,)``.
        scores: How sure the head is of each of them, ``(words,)``: its probability; with a CRF what Flair says.
    """

    tags: NDArray[np.int64]
    scores: NDArray[np.float64]


class Deciding(Protocol):
    """What makes tags of rows."""

    @property
    def batch_tokens(self) -> int:
        """Sub-tokens in one forward pass."""
        ...

    @property
    def prefix_ids(self) -> NDArray[np.int64] | None:
        """Sub-tokens that rows begin with and that are computed once, if any."""
        ...

    def __call__(self, chunk: Chunk) -> Decisions:
        """Return the tags of the chunk's words."""
        ...


class Decider:
    """Encoder and head of a tagger over rows; its modules are shared, not copied.

    Args:
        parts: Of the tagger.
        batch_tokens: Sub-tokens in one forward pass.
        prefix_ids: Sub-tokens that rows begin with and that are computed once.

    Attributes:
        encoder: What computes hidden states.
        prefix: What was computed of them.
        notes: What a reader of its results must know.
    """

    encoder: PackedBert | PaddedEncoder | GraphedBert
    notes: tuple[str, ...]

    def __init__(
        self,
        parts: Parts,
        batch_tokens: int,
        prefix_ids: NDArray[np.int64] | None = None,
    ) -> None:
        self.batch_tokens: Final = batch_tokens
        self._parts: Final = parts
        self.encoder, self.notes = _encoder_of(parts)
        self.prefix_ids: Final = prefix_ids
        self.prefix: Final = None if prefix_ids is None else self._cached(prefix_ids)

    def __call__(self, chunk: Chunk) -> Decisions:
        """Return the tags of the chunk's words."""
        words = int(chunk.ends[-1]) if len(chunk.ends) else 0
        if not words:
            return Decisions(np.zeros(0, dtype=np.int64), np.zeros(0))
        with torch.inference_mode():
            # A word of which the tokenizer leaves nothing has a hidden state of zeros, as Flair has it.
            states = self._weight.new_zeros(words, self.encoder.model.config.hidden_size)
            for rows, prefix in self._by_prefix(chunk.rows):
                held = 0 if prefix is None else prefix.length
                lengths = [len(row.ids) - held for row in rows]
                for batch in token_batches(lengths, self.batch_tokens, padded=not self._parts.packs):
                    self._run([rows[number] for number in batch], states, prefix)
            if self._parts.mean:
                counts = np.bincount(np.concatenate([row.words for row in chunk.rows]), minlength=words)
                states /= torch.from_numpy(counts).clamp_(min=1).to(states).unsqueeze(-1)
            scores = self._parts.head(states)
            return choose(scores.float() if self._parts.in_float32 else scores, chunk.ends, self._parts.crf)

    def record_small_batches(self) -> None:
        """Have the encoder record small batches as CUDA graphs, and replay them.

        Raises:
            TaggerError: It is another one than BERT.
        """
        if not isinstance(self.encoder, PackedBert):
            raise TaggerError(NO_GRAPHS)
        self.encoder = GraphedBert(self.encoder)

    def _run(self, rows: Sequence[Row], states: torch.Tensor, prefix: CachedPrefix | None) -> None:
        skipped = 0 if prefix is None else prefix.length
        lengths = [len(row.ids) - skipped for row in rows]
        begins = np.cumsum([0, *lengths[:-1]]) - skipped
        computed = [row.positions >= skipped for row in rows]
        parts = list(zip(rows, begins, computed, strict=True))
        hidden = self.encoder(
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
        assert isinstance(self.encoder, PackedBert), "who asks for a prefix has asked reason_against_prefix before"
        with torch.inference_mode():
            return self.encoder.prefix(torch.from_numpy(ids).to(self._weight.device))

    def _by_prefix(self, rows: Sequence[Row]) -> Iterator[tuple[Sequence[Row], CachedPrefix | None]]:
        """Yield the rows that begin with the cached prefix, and those that do not: later windows of a long text."""
        ids = self.prefix_ids
        if ids is None:
            yield rows, None
            return
        begin = [np.array_equal(row.ids[: len(ids)], ids) for row in rows]
        yield [row for row, does in zip(rows, begin, strict=True) if does], self.prefix
        yield [row for row, does in zip(rows, begin, strict=True) if not does], None

    @property
    def _weight(self) -> torch.Tensor:
        """A weight that no pass quantizes: states have its type, and lie where it lies."""
        encoder = self._parts.encoder
        of_floats = (parameter for parameter in encoder.parameters() if parameter.is_floating_point())
        weight: torch.Tensor = encoder.embeddings.LayerNorm.weight if self._parts.packs else next(of_floats)
        return weight


def _encoder_of(parts: Parts) -> tuple[PackedBert | PaddedEncoder, tuple[str, ...]]:
    """Return what computes hidden states, and what a reader of them must know."""
    if not parts.packs:
        return PaddedEncoder(parts.encoder, last_layer=parts.last_layer), ()
    kernels, notes = find_kernels(parts.encoder.embeddings.LayerNorm.weight.device)
    # Seconds of compilation that no other encoder needs.
    layer_kernels, more = find_layer_kernels() if fits(parts.encoder) else (None, ())
    return PackedBert(parts.encoder, kernels, layer_kernels), (*notes, *more)


def decider_of(parts: Parts, reading: Reading, batch_tokens: int, *, prefix_caching: bool) -> Decider:
    """Return what decides for a tagger that reads so.

    Args:
        parts: Of the tagger.
        reading: How words become sub-tokens.
        batch_tokens: Sub-tokens in one forward pass.
        prefix_caching: Whether the prompt is computed once instead of with each sentence. It
            then does not see the sentence, for which the model was not trained.
    """
    return Decider(parts, batch_tokens, WordEncoder(reading).prefix() if prefix_caching else None)


def choose(scores: torch.Tensor, ends: NDArray[np.int64], crf: Transitions | None) -> Decisions:
    """Return the tags with the largest probability, or the CRF's best sequences of them.

    *Shapes:* ``scores`` ``(words, tags)``; ``ends`` as of :class:`~leanner.taggers.rows.Chunk`.
    """
    if crf is None:
        # The largest probability, not the largest score: two of them can round to one.
        chosen: Any = scores.softmax(-1).max(-1)
        return Decisions(chosen.indices.cpu().numpy(), chosen.values.cpu().double().numpy())
    # Prompt words are words of the sentence to Flair's CRF, too.
    best = best_tags(scores, ends, crf.scores, start=crf.start, stop=crf.stop)
    return Decisions(best.tags.cpu().numpy(), best.confidences.cpu().double().numpy())


def _on(states: torch.Tensor, values: NDArray[np.int64]) -> torch.Tensor:
    return torch.from_numpy(values).to(states.device, non_blocking=True)
