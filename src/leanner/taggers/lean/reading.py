"""How a tagger reads: from words to sub-tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Final
from typing import Literal
from typing import Self

from leanner.taggers.positions import positions_of


#: Between a sentence and its context: ``flair.embeddings.transformer.SENTENCE_BOUNDARY_TAG``.
SEPARATOR: Final = "[FLERT]"

#: Which sub-tokens stand for a word.
Pooling = Literal["first", "mean"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How words become sub-tokens.

    Attributes:
        subtokens: A ``tokenizers.Tokenizer``.
        prompt: Words before each sentence.
        context: Words of context to each side.
        separator: What stands between a sentence and its context, if anything.
        pooling: Which sub-tokens stand for a word.
        longest: Sub-tokens that the encoder takes at once, ``None`` if any number.
        stride: By how many sub-tokens the windows of a longer text overlap.
        windows: Whether a longer text is read in windows; else it is cut.
    """

    subtokens: Any
    prompt: tuple[str, ...]
    context: int
    separator: str | None
    pooling: Pooling
    longest: int | None
    stride: int
    windows: bool

    @classmethod
    def of(cls, embeddings: Any, prompt: Sequence[str]) -> Self:  # noqa: ANN401 - Flair's
        """Return how Flair's ``TransformerWordEmbeddings`` read, with ``prompt`` before each sentence."""
        context = int(embeddings.context_length)
        longest: int | None = int(embeddings.tokenizer.model_max_length)
        stride, windows = int(embeddings.stride), bool(embeddings.allow_long_sentences)
        if not embeddings.truncate:
            # A tokenizer without a limit: Flair cuts nothing, and fails where the encoder's positions end.
            longest = positions_of(embeddings.model)
            stride, windows = (longest or 0) // 2, longest is not None
        return cls(
            subtokens=embeddings.tokenizer.backend_tokenizer,
            prompt=tuple(prompt),
            context=context,
            separator=SEPARATOR if context and embeddings.use_context_separator else None,
            pooling="mean" if embeddings.subtoken_pooling == "mean" else "first",
            longest=longest,
            stride=stride,
            windows=windows,
        )
