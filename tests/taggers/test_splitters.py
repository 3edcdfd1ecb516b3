from __future__ import annotations

import pytest

from flair.data import Sentence
from flair.embeddings.transformer import SENTENCE_BOUNDARY_TAG
from flair.tokenization import SegtokTokenizer
from flair.tokenization import SpaceTokenizer
from flair.tokenization import Tokenizer
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.taggers.lean.reading import SEPARATOR
from leanner.taggers.splitters import TAKEN_OUT
from leanner.taggers.splitters import SegtokWords
from leanner.taggers.splitters import SpacedWords
from leanner.taggers.splitters import Splitter
from leanner.taggers.tokenizers import FlairTokens
from leanner.taggers.tokenizers import Words


PIECES = (
    *("PTEN", "p53", "siGli1", "Danio rerio", "MLH1/MSH2-deficient", "5'-ACGT-3'", "IL-6", "Fig. 2a", "e.g.", "et al."),
    *(
        "isn't",
        "a\u02bcb\u02bcs",
        "Sjo\u0308gren’s",
        "rats'",
        "can’t've",
        "...",
        "mg/ml",
        "kg⁻¹",
        "m²",
        "Ca2+",
        "H₂O",
        "20 °C",
    ),
    *("https://x.org/a?b=c#d", "a.b@c-d.org", "10.1038/s41586-020-2012-7", "😀", "👩‍🔬", "中文", "α-synuclein", "µM"),
    *("\u200b", "\u200c", "\ufe0f", "\ufeff", "\u2028", "\u2029", "\u00a0", "\u202f", "\x81", "\x92", "\x85", "\x0b"),
    *(
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "-\r",
        "- \r b",
        ".",
        ",",
        ";",
        ":",
        "(",
        ")",
        "[",
        "]",
        '"',
        "'",
        "’",
        "/",
        "-",
    ),
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cs"])), max_size=25).map("".join)
TOKENIZERS: tuple[tuple[Tokenizer, Splitter], ...] = (
    (SegtokTokenizer(), SegtokWords()),
    (SegtokTokenizer(["-", "/", "]"]), SegtokWords(("-", "/", "]"))),
    (SpaceTokenizer(), SpacedWords()),
)


@settings(deadline=None, max_examples=400)
@given(TEXTS)
@example("")
@example(" \n")
@example("\u200b\ufeff")
@example("MLH1/MSH2-deficient mice (Fig. 2a) didn't survive; see https://x.org/a?b=c#d.")
@example("Sjo\u0308gren’s\u200b syndrome 😀👩‍🔬\ufe0f")
@example("a\x92b \x81c\x85")
@example("\x85")
def test_words_and_offsets_are_those_of_flair(text: str) -> None:
    for tokenizer, splitter in TOKENIZERS:
        try:
            expected = FlairTokens(tokenizer)(text)
        except ValueError:
            # Flair makes no sentence of it; there is a test of its own below.
            continue
        found = splitter.split(text)
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            assert found.texts == [token.text for token in expected.sentence]
            assert found.offsets == expected.offsets
            # And without leanner's own bookkeeping.
            assert found.texts == [token.text for token in Sentence(text, use_tokenizer=tokenizer)]


@pytest.mark.parametrize("text", ["beta-\rlactamase of E. coli", "the a\u02bcb\u02bcs"])
def test_a_text_that_flair_cannot_read_is_split_all_the_same(text: str) -> None:
    with pytest.raises(ValueError, match="substring not found"):
        Sentence(text, use_tokenizer=SegtokTokenizer())
    words = SegtokWords().split(text)
    assert words is not None
    assert [text[start:end] for start, end in words.offsets] == words.texts
    assert "".join(words.texts) == "".join(text.split())


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_a_word_is_where_its_offsets_say(text: str) -> None:
    for splitter in (*(splitter for _, splitter in TOKENIZERS), Words()):
        words = splitter.split(text)
        if words is None:
            continue
        position = 0
        for word, (start, end) in zip(words.texts, words.offsets, strict=True):
            assert position <= start < end <= len(text)
            position = end
            assert word in (text[start:end], Sentence._handle_problem_characters(text[start:end]))
            assert not TAKEN_OUT.match(text[start])


def test_what_splits_as_flair_does_is_known_by_its_exact_type() -> None:
    class Another(SegtokTokenizer):
        """It might split otherwise."""

    assert FlairTokens().splitter == SegtokWords()
    assert FlairTokens(SegtokTokenizer(["§"])).splitter == SegtokWords(("§",))
    assert FlairTokens(SpaceTokenizer()).splitter == SpacedWords()
    assert FlairTokens(Another()).splitter is None
    assert FlairTokens(Another()).split("p53 rose.") == SegtokWords().split("p53 rose.")
    for tokenizer, splitter in TOKENIZERS:
        assert FlairTokens(tokenizer).name == splitter.name


def test_the_separator_is_flairs() -> None:
    assert SEPARATOR == SENTENCE_BOUNDARY_TAG
