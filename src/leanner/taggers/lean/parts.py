"""What a tagger computes with, whichever library it is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Self


if TYPE_CHECKING:
    from torch import nn
    from transformers import BertModel


@dataclass(frozen=True, slots=True)
class Parts:
    """Encoder and head of a tagger; they are shared, not copied.

    Attributes:
        encoder: From sub-tokens to hidden states.
        head: From the hidden states of words to the scores of tags.
        mean: Whether a word's state is the mean of those of its sub-tokens, else that of the first.
        in_float32: Whether probabilities are float32, whatever the scores are.
        crf: Flair's, with its Viterbi decoder; ``None`` without.
    """

    encoder: BertModel
    head: nn.Module
    mean: bool = False
    in_float32: bool = False
    crf: tuple[Any, Any] | None = None

    @classmethod
    def of_flair(cls, model: Any) -> Self:  # noqa: ANN401 - Flair's
        """Return those of a ``SequenceTagger``."""
        embeddings = model.embeddings
        crf = (model.crf, model.viterbi_decoder) if model.use_crf else None
        return cls(embeddings.model, model.linear, mean=embeddings.subtoken_pooling == "mean", crf=crf)

    @classmethod
    def of_transformers(cls, model: Any) -> Self:  # noqa: ANN401 - transformers'
        """Return those of a ``BertForTokenClassification``."""
        return cls(model.bert, model.classifier, in_float32=True)
