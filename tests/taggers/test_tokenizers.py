from __future__ import annotations

import re
import sys

from flair.data import Sentence
from flair.tokenization import SpaceTokenizer
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.splitters import TAKEN_OUT
from leanner.taggers.tokenizers import FlairTokens
from leanner.taggers.tokenizers import Words


# Letters and marks, what Flair takes out or replaces, and anything else.
TEXTS = st.text(
    st.one_of(
        st.sampled_from("aB7 -./'’\n\u200b\u200c\ufe0f\ufeff\u2028\x81\x92\u0308α😀"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


def test_flair_takes_out_what_we_think_it_does() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        assert (Sentence._handle_problem_characters(character) == "") == bool(TAKEN_OUT.match(character)), hex(code)


@given(TEXTS)
@example("Sjo\u0308gren’s\u200b syndrome")
@example("a\x92b \x81c")
def test_a_token_is_where_its_offsets_say(text: str) -> None:
    for tokenizer in (FlairTokens(), FlairTokens(SpaceTokenizer()), Words()):
        tokenized = tokenizer(text)
        if tokenized is None:
            continue
        assert len(tokenized.offsets) == len(tokenized.sentence) > 0
        position = 0
        for token, (start, end) in zip(tokenized.sentence, tokenized.offsets, strict=True):
            assert position <= start < end <= len(text)
            position = end
            assert token.text in (text[start:end], Sentence._handle_problem_characters(text[start:end]))


def test_words_are_split_at_every_sign() -> None:
    tokenized = Words()("MLH1/MSH2-deficient")
    assert tokenized is not None
    assert [token.text for token in tokenized.sentence] == ["MLH1", "/", "MSH2", "-", "deficient"]
    assert tokenized.offsets == [(0, 4), (4, 5), (5, 9), (9, 10), (10, 19)]


def test_words_that_bert_cannot_see_are_left_out() -> None:
    tokenized = Words()("Sjo\u0308gren \u200b p53")
    assert tokenized is not None
    assert [token.text for token in tokenized.sentence] == ["Sjo", "gren", "p53"]
    assert tokenized.offsets == [(0, 3), (4, 8), (11, 14)]


def test_texts_without_a_token() -> None:
    for text in ("", "  \n\t", "\u200b\ufeff", "\ufe0f \x81"):
        assert Words()(text) is None
        assert FlairTokens()(text) is None


def test_segtok_is_named() -> None:
    assert re.fullmatch(r"flair\.SegtokTokenizer", FlairTokens().name)
