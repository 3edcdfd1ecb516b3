"""Flair's ``predict`` by the lean runtime: the user's own sentences in, the labels that Flair leaves on them out.

Words and context are those of Flair's objects: a tagger with a prompt takes context from the order in
which the sentences are given, another one from what Flair has linked them to.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import cast

import numpy as np

from flair.data import Sentence
from flair.models import SequenceTagger
from flair.models.prefixed_tagger import PrefixedSentence
from flair.models.prefixed_tagger import PrefixedSequenceTagger

from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.deciding import Decider
from leanner.taggers.lean.decoding import TagSet
from leanner.taggers.lean.decoding import spans_of
from leanner.taggers.lean.encoding import InContext
from leanner.taggers.lean.encoding import WordEncoder
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.reading import Reading
from leanner.taggers.lean.running import one_ahead
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import task_prompt
from leanner.taggers.load import load_model


if TYPE_CHECKING:
    from leanner.taggers.rows import Chunk


#: Arguments of Flair's ``predict``, and the only value of each that leaves span labels and nothing else.
_ONLY: Final[Mapping[str, object]] = {
    "return_probabilities_for_all_classes": False,
    "return_loss": False,
    "embedding_storage_mode": "none",
    "force_token_predictions": False,
}


def lean(
    tagger: SequenceTagger | FlairTagger | str | Path,
    *,
    batch_tokens: int = 2048,
    chunk_sentences: int = 1024,
) -> LeanPredictor:
    """Return what predicts as ``tagger`` does, by the lean runtime.

    Warning:
        A name or a path other than ``bundled`` loads a pickle, which runs the code in it.
        Name only taggers that you trust.

    Args:
        tagger: A tagger of Flair or of leanner, whose modules are shared and not copied; or the
            name or path of one, loaded onto ``flair.device``: ``hunflair2``, ``bundled``,
            ``model.pt``, whatever ``flair.nn.Classifier.load`` takes.
        batch_tokens: Sub-tokens in one forward pass.
        chunk_sentences: Sentences that are sorted by length together.

    Raises:
        TaggerError: There is no such tagger, or it has parts that the lean runtime does not have.
        ValueError: A batch or a chunk of nothing.
    """
    model: object = load_model(str(tagger)) if isinstance(tagger, str | Path) else tagger
    if isinstance(model, FlairTagger):
        model = model.model
    # A subclass may predict otherwise.
    if type(model) not in (SequenceTagger, PrefixedSequenceTagger):
        raise TaggerError(
            "expected Flair's SequenceTagger or PrefixedSequenceTagger itself, a FlairTagger, or the name of one, "
            f"found {type(model).__name__}: run this tagger by Flair"
        )
    return LeanPredictor(cast("SequenceTagger", model), batch_tokens=batch_tokens, chunk_sentences=chunk_sentences)


class LeanPredictor:
    """A Flair tagger with another ``predict``; :func:`lean` makes it.

    It computes as in evaluation mode, whatever mode the model is in.

    Attributes:
        model: Flair's tagger.
        label_type: The label type that it predicts if none is named.
    """

    def __init__(self, model: SequenceTagger, *, batch_tokens: int, chunk_sentences: int) -> None:
        check_limits(batch_tokens, chunk_sentences)
        if (reason := reason_against(model)) is not None:
            raise TaggerError(reason)
        self.model: Final = model
        self.label_type: Final = str(model.label_type)
        self.chunk_sentences: Final = chunk_sentences
        embeddings: Any = model.embeddings
        self._boundaries: Final = bool(embeddings.respect_document_boundaries)
        self._encoder: Final = WordEncoder(Reading.of(embeddings, task_prompt(model)))
        self._decide: Final = Decider(Parts.of_flair(model), batch_tokens)
        self._tags: Final = TagSet.of(model.label_dictionary.get_items())

    def predict(
        self,
        sentences: Sentence | Iterable[Sentence],
        mini_batch_size: int | None = None,  # noqa: ARG002 - Flair's: batches are filled by sub-tokens here
        *,
        label_name: str | None = None,
        verbose: bool = False,  # noqa: ARG002 - Flair's progress bar
        **options: Any,  # noqa: ANN401 - Flair's
    ) -> None:
        """Label spans as Flair's ``predict`` does: the same words, values and, but for rounding, scores.

        What was labelled so before is removed as Flair does it: a tagger with a prompt adds to
        it if no ``label_name`` is given. Sentences without a token get no label.

        Args:
            sentences: One, or some that follow each other.
            mini_batch_size: Without effect.
            label_name: Label type; :attr:`label_type` if ``None``.
            verbose: Without effect.
            options: Further arguments of Flair's ``predict``, with their default values.

        Raises:
            TaggerError: An option has a value of which the lean runtime has no result.
            TypeError: One is no sentence, or an option is none of Flair's.
        """
        _check_options(options)
        given = [sentences] if isinstance(sentences, Sentence) else list(sentences)
        _check_sentences(given)
        name = self.label_type if label_name is None else label_name
        skipped = len(self._encoder.prompt)
        if skipped and all(isinstance(sentence, PrefixedSentence) for sentence in given):
            # The prompt is there already, and its words are words like others to Flair.
            skipped = 0
        if skipped:
            if label_name is not None:
                for sentence in given:
                    sentence.remove_labels(name)
            contexts = self._encoder.in_order([_words(sentence.tokens) for sentence in given])
        else:
            Sentence.set_context_for_sentences(given)
            given = [sentence for sentence in given if sentence.tokens]
            contexts = map(self._as_linked, given)
        self._encoder.forget()
        for chunk, encoded in one_ahead(self._chunks(given, contexts), self._encode):
            if not skipped:
                for sentence in chunk:
                    sentence.remove_labels(name)
            self._label(chunk, encoded, name, skipped)

    def _as_linked(self, sentence: Sentence) -> InContext:
        length = self._encoder.context
        if not length:
            return InContext([], _words(sentence.tokens), [])
        left = sentence.left_context(length, self._boundaries)
        right = sentence.right_context(length, self._boundaries)
        return InContext(_words(left), _words(sentence.tokens), _words(right))

    def _chunks(
        self, sentences: Iterable[Sentence], contexts: Iterable[InContext]
    ) -> Iterator[list[tuple[Sentence, InContext]]]:
        pairs = zip(sentences, contexts, strict=True)
        while chunk := list(islice(pairs, self.chunk_sentences)):
            yield chunk

    def _encode(self, pairs: Sequence[tuple[Sentence, InContext]]) -> tuple[list[Sentence], Chunk]:
        return [sentence for sentence, _ in pairs], self._encoder.encode([context for _, context in pairs])

    def _label(self, sentences: Sequence[Sentence], chunk: Chunk, name: str, skipped: int) -> None:
        decided = self._decide(chunk)
        first, last, kinds = spans_of(decided.tags, chunk.ends, self._tags)
        holders = np.searchsorted(chunk.ends, first, side="right")
        begins = np.concatenate(([0], chunk.ends[:-1])) + skipped
        scores = decided.scores.tolist()
        found = zip(first.tolist(), last.tolist(), kinds.tolist(), holders.tolist(), strict=True)
        for begin, end, kind, holder in found:
            text = int(begins[holder])
            # What begins in the prompt is no span of the text.
            if begin >= text:
                score = sum(scores[begin:end]) / (end - begin)
                sentences[holder][begin - text : end - text].add_label(name, self._tags.types[kind], score)


def _words(tokens: Iterable[Any]) -> list[str]:
    return [token.text for token in tokens]


def _check_sentences(sentences: Iterable[object]) -> None:
    for sentence in sentences:
        if not isinstance(sentence, Sentence):
            raise TypeError(
                f"expected a flair.data.Sentence or a list of them, found {type(sentence).__name__} among them: "
                "flair.data.Sentence(text) makes one of a text"
            )


def _check_options(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if name not in _ONLY:
            raise TypeError(f"expected arguments of Flair's predict, {', '.join(_ONLY)} among them, found {name!r}")
        if value != _ONLY[name]:
            raise TaggerError(
                f"expected {name}={_ONLY[name]!r}, found {value!r}: the lean runtime leaves span labels only; "
                "run this call by Flair"
            )
