from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import AutoTokenizer

from leanner.taggers.hf.rows import TextEncoder
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


if TYPE_CHECKING:
    from leanner.taggers.rows import DocumentChunk


KINDS = ("bert", "roberta", "sentencepiece")
TEXT = st.text(st.sampled_from("lossptenp53 \t-()/.,’αé\u0301\u200b\x00😀"), max_size=60)


@pytest.fixture(scope="module")
def tokenizers(bert: Path, roberta: Path, sentencepiece: Path) -> dict[str, Any]:
    folders = dict(zip(KINDS, (bert, roberta, sentencepiece), strict=True))
    return {kind: AutoTokenizer.from_pretrained(folder) for kind, folder in folders.items()}  # type: ignore[no-untyped-call]


def document(*texts: str) -> Document:
    return Document("1", "test", "1", frozenset(Label), tuple(Sentence(text) for text in texts))


def words_of(chunk: DocumentChunk, text: str) -> list[str]:
    (((*_, offsets),),) = (chunk.offsets,)
    return [text[begin:end] for begin, end in offsets or ()]


def read(tokenizer: Any, text: str, longest: int = 512) -> list[str]:  # noqa: ANN401 - transformers'
    return words_of(TextEncoder(tokenizer.backend_tokenizer, longest)([document(text)]), text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Loss of PTEN", ["Loss", "of", "PTEN"]),
        ("  (p53)-mediated\tloss ", ["(", "p53", ")", "-", "mediated", "loss"]),
        ("a  siGli1😀", ["a", "siGli1😀"]),
        ("", []),
        (" \t ", []),
    ],
)
def test_words_are_the_same_whatever_the_tokenizer(
    tokenizers: dict[str, Any], kind: str, text: str, words: list[str]
) -> None:
    assert read(tokenizers[kind], text) == words


def test_what_a_tokenizer_joins_is_one_word(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["roberta"]
    assert ")." in tokenizer.get_vocab()
    assert read(tokenizer, "(Fig. 2a).") == ["(", "Fig", ".", "2a", ")."]


def test_blanks_are_the_begin_of_what_follows_at_once(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["sentencepiece"]
    text = "of  (p53)"
    encoder = TextEncoder(tokenizer.backend_tokenizer, 512)
    (row,) = encoder([document(text)]).rows
    firsts = tokenizer.convert_ids_to_tokens(row.ids[row.positions])
    # "of" begins with the blank that SentencePiece puts before a text, "(" with the second of two.
    assert firsts == ["▁", "▁", "p", ")"]
    assert row.positions.tolist()[1] == tokenizer(text).tokens().index("(") - 1


@pytest.mark.parametrize("kind", KINDS)
@given(text=TEXT, longest=st.integers(4, 20))
@settings(max_examples=60, deadline=None)
def test_windows_lose_no_word_and_read_none_twice(
    tokenizers: dict[str, Any], kind: str, text: str, longest: int
) -> None:
    whole = TextEncoder(tokenizers[kind].backend_tokenizer, 10_000)([document(text)])
    parts = TextEncoder(tokenizers[kind].backend_tokenizer, longest)([document(text)])
    assert words_of(parts, text) == words_of(whole, text)
    assert parts.ends.tolist() == whole.ends.tolist()
    assert all(len(row.ids) <= longest for row in parts.rows)

    def decided(chunk: DocumentChunk) -> list[tuple[int, int]]:
        return [
            pair for row in chunk.rows for pair in zip(row.words.tolist(), row.ids[row.positions].tolist(), strict=True)
        ]

    assert decided(parts) == decided(whole)
    assert [number for number, _ in decided(whole)] == list(range(len(words_of(whole, text))))


@pytest.mark.parametrize("kind", ["roberta", "sentencepiece"])
@given(text=TEXT)
@settings(max_examples=60, deadline=None)
def test_every_piece_of_text_begins_a_word_or_lies_in_one(tokenizers: dict[str, Any], kind: str, text: str) -> None:
    encoder = TextEncoder(tokenizers[kind].backend_tokenizer, 10_000)
    (((offsets,),),) = (encoder([document(text)]).offsets,)
    words = offsets or []
    assert all(before[1] <= after[0] for before, after in pairwise(words))
    assert all(text[begin:end] == text[begin:end].strip() for begin, end in words)
    pieces = [span for _, span in BertPreTokenizer().pre_tokenize_str(text)]
    assert {begin for begin, end in words if begin < end} <= {begin for begin, _ in pieces}
    if kind == "roberta":  # which takes nothing out of a text
        assert all(any(begin <= first < end for begin, end in words) for first, _ in pieces)


def test_a_window_in_which_no_word_begins_is_not_read(tokenizers: dict[str, Any]) -> None:
    chunk = TextEncoder(tokenizers["roberta"].backend_tokenizer, 20)([document("x" * 400)])
    assert len(chunk.rows) == 1
    assert chunk.offsets == [[[(0, 400)]]]


def test_numbers_run_over_all_sentences(tokenizers: dict[str, Any]) -> None:
    encoder = TextEncoder(tokenizers["bert"].backend_tokenizer, 48)
    chunk = encoder([document("Loss of", "", "PTEN"), document(), document("is")])
    assert chunk.ends.tolist() == [2, 3, 4]
    assert [row.words.tolist() for row in chunk.rows] == [[0, 1], [2], [3]]
    assert chunk.offsets == [[[(0, 4), (5, 7)], None, [(0, 4)]], [], [[(0, 2)]]]
    none = encoder([])
    assert (none.rows, none.ends.tolist(), none.offsets) == ([], [], [])
    assert none.ends.dtype == np.int64


def test_what_others_set_on_the_tokenizer_does_not_matter(tokenizers: dict[str, Any]) -> None:
    encoder = TextEncoder(tokenizers["bert"].backend_tokenizer, 48)
    tokenizers["bert"]("Loss of", padding="max_length", max_length=8, truncation=True)
    (row,) = encoder([document("Loss of PTEN")]).rows
    assert len(row.ids) == 5


def test_a_row_needs_room_for_a_word(tokenizers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected room for a sub-token in a row, found rows of 2"):
        TextEncoder(tokenizers["bert"].backend_tokenizer, 2)
    assert read(tokenizers["bert"], "Loss of", 3) == ["Loss", "of"]


def test_whose_words_they_are(tokenizers: dict[str, Any]) -> None:
    words = {kind: TextEncoder(tokenizer.backend_tokenizer, 48).words for kind, tokenizer in tokenizers.items()}
    assert words == {"bert": "WordPiece", "roberta": "BertPreTokenizer", "sentencepiece": "BertPreTokenizer"}
