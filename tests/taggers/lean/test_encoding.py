from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flair.data import Sentence as FlairSentence

from leanner.taggers.lean.encoding import Encoder
from leanner.taggers.lean.reading import Reading
from leanner.taggers.load import load_tagger
from leanner.taggers.tokenizers import Words
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


PROMPT = ("[", "Tag", "genes", "]")
SHORT = ("Loss of PTEN is common.", "\u200b", "Sjo\u0308gren’s 😀 siGli1.", "IL-6 rose.")
LONG = (*SHORT, "MLH1 and deficiency " * 400, "It isn't.")


@pytest.fixture
def embeddings(shaped_file: Path) -> Any:  # noqa: ANN401 - Flair's
    model: Any = load_tagger(str(shaped_file)).model
    return model.embeddings


def document(*texts: str) -> Document:
    return Document("1", "test", "1", frozenset(Label), tuple(Sentence(text) for text in texts))


def flair_rows(embeddings: Any, texts: tuple[str, ...]) -> tuple[list[list[int]], list[set[int]]]:  # noqa: ANN401
    split = [words for text in texts if (words := Words().split(text)) is not None]
    sentences = [FlairSentence([*PROMPT, *words.texts]) for words in split]
    FlairSentence.set_context_for_sentences(sentences)
    tensors = embeddings.prepare_tensors(sentences)
    rows = zip(tensors["input_ids"].tolist(), tensors["attention_mask"].sum(1).tolist(), strict=True)
    return [ids[:length] for ids, length in rows], [
        {word for word in row if word >= 0} for row in tensors["word_ids"].tolist()
    ]


@pytest.mark.parametrize("context", [0, 5, 64])
@pytest.mark.parametrize("separator", [True, False])
@pytest.mark.parametrize("texts", [SHORT, LONG], ids=["short", "long"])
def test_flair_makes_the_same_rows(
    embeddings: Any,  # noqa: ANN401
    context: int,
    separator: bool,  # noqa: FBT001
    texts: tuple[str, ...],
) -> None:
    embeddings.context_length, embeddings.use_context_separator = context, separator
    expected, _ = flair_rows(embeddings, texts)
    chunk = Encoder(Reading.of(embeddings, PROMPT), Words())([document(*texts)])
    assert [row.ids.tolist() for row in chunk.rows] == expected


def test_a_tokenizer_without_a_limit_has_that_of_the_encoder(embeddings: Any) -> None:  # noqa: ANN401
    """Flair fails there: more positions than there are vectors for."""
    limited = Encoder(Reading.of(embeddings, PROMPT), Words())([document(*LONG)])
    # As Flair sets it for ``model_max_length`` above a million.
    embeddings.truncate, embeddings.allow_long_sentences, embeddings.stride = False, False, 0
    embeddings.tokenizer.model_max_length = int(1e30)
    with pytest.raises(RuntimeError, match="must match the existing size \\(512\\)"):
        embeddings.embed([FlairSentence([*PROMPT, *LONG[-2].split()])])
    reading = Reading.of(embeddings, PROMPT)
    assert (reading.longest, reading.stride, reading.windows) == (512, 256, True)
    chunk = Encoder(reading, Words())([document(*LONG)])
    assert [row.ids.tolist() for row in chunk.rows] == [row.ids.tolist() for row in limited.rows]


def test_context_ends_with_the_document(embeddings: Any) -> None:  # noqa: ANN401
    encode = Encoder(Reading.of(embeddings, PROMPT), Words())
    alone = encode([document(*SHORT)])
    among = encode([document("Mouse."), document(*SHORT), document("Rat.")])
    assert [row.ids.tolist() for row in among.rows[1:-1]] == [row.ids.tolist() for row in alone.rows]


def test_a_word_has_one_position_or_all_of_its_own(embeddings: Any) -> None:  # noqa: ANN401
    first = Encoder(Reading.of(embeddings, PROMPT), Words())([document(*LONG)])
    numbers = [number for row in first.rows for number in row.words.tolist()]
    assert numbers == sorted(set(numbers))
    begins = [token for row in first.rows for token in row.ids[row.positions].tolist()]
    assert not any(token.startswith("##") for token in embeddings.tokenizer.convert_ids_to_tokens(begins))
    assert len(numbers) == int(first.ends[-1])
    embeddings.subtoken_pooling = "mean"
    every = Encoder(Reading.of(embeddings, PROMPT), Words())([document(*LONG)])
    numbers = [number for row in every.rows for number in row.words.tolist()]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == int(first.ends[-1]) < len(numbers)


def test_offsets_are_those_of_the_words(embeddings: Any) -> None:  # noqa: ANN401
    chunk = Encoder(Reading.of(embeddings, PROMPT), Words())([document("p53, ok", " "), document()])
    assert chunk.offsets == [[[(0, 3), (3, 4), (5, 7)], None], []]
    assert chunk.ends.tolist() == [7]
