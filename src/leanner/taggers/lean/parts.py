"""What a tagger computes with, whoever loaded it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Self

from leanner.taggers.lean.support import reason_against_blocks


if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn


@dataclass(frozen=True, slots=True)
class Transitions:
    """A linear-chain CRF.

    Attributes:
        scores: Of pairs of neighbours, ``(tags, tags)``, ``[to, from]``.
        start: Number of the tag before a sentence.
        stop: Number of the tag after it.
    """

    scores: Tensor
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Encoder and head of a tagger; they are shared, not copied.

    Attributes:
        encoder: A ``BertModel``, or what has its layers under its names; any other one if ``packs`` is false.
        head: From the hidden states of words to the scores of tags.
        mean: Whether a word's state is the mean of those of its sub-tokens, else that of the first.
        in_float32: Whether probabilities are float32, whatever the scores are.
        crf: What decides together with the scores, if anything.
        packs: Whether the encoder's layers can be called without padding.
        last_layer: As of :class:`~leanner.taggers.lean.padded.PaddedEncoder`.
    """

    encoder: Any
    head: nn.Module
    mean: bool = False
    in_float32: bool = False
    crf: Transitions | None = None
    packs: bool = True
    last_layer: bool = True

    @classmethod
    def of_flair(cls, model: Any) -> Self:  # noqa: ANN401 - Flair's
        """Return those of a ``SequenceTagger``."""
        embeddings = model.embeddings
        crf = None
        if model.use_crf:
            borders = model.viterbi_decoder
            crf = Transitions(model.crf.transitions, int(borders.start_tag), int(borders.stop_tag))
        encoder = embeddings.model
        packs = reason_against_blocks(encoder) is None
        return cls(encoder, model.linear, mean=embeddings.subtoken_pooling == "mean", crf=crf, packs=packs)

    @classmethod
    def of_transformers(cls, model: Any) -> Self:  # noqa: ANN401 - transformers'
        """Return those of a ``…ForTokenClassification`` with a linear head."""
        packs = reason_against_blocks(model.base_model) is None
        return cls(model.base_model, model.classifier, in_float32=True, packs=packs, last_layer=False)
