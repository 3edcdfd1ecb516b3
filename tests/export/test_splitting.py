from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.export.manifest import WordSplitting
from leanner.export.splitting import document_of
from leanner.export.splitting import named_splitting
from leanner.export.splitting import spans_in_text
from leanner.export.splitting import splitter_of
from leanner.taggers.errors import TaggerError
from leanner.taggers.splitters import SegtokWords
from leanner.taggers.splitters import SpacedWords
from leanner.taggers.splitters import VisibleWords
from leanner.taggers.tokenizers import FlairTokens
from leanner.taggers.tokenizers import Words
from leanner.types import Label
from leanner.types import Span


TEXTS = st.lists(
    st.sampled_from(
        ["p53 rose. ", "Loss of PTEN", " ", "\n", "\n\n", "\r\n", "😀", "e.g. ", "\u200b", "A.", "?! ", "\u2028"]
    )
).map("".join)


@settings(deadline=None)
@given(TEXTS, st.data())
def test_sentences_and_spans_are_where_they_say(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    document = document_of(text, [(0, cut), (cut, len(text))])
    position = 0
    for sentence in document.sentences:
        assert position <= sentence.start
        position = sentence.start + len(sentence.text)
        assert text[sentence.start : position] == sentence.text
        assert position <= cut or sentence.start >= cut
    # Nothing but white space is in no sentence.
    rest = list(text)
    for sentence in document.sentences:
        rest[sentence.start : sentence.start + len(sentence.text)] = " " * len(sentence.text)
    assert not "".join(rest).strip()
    prediction = tuple((Span(0, len(sentence.text), Label.GENE),) for sentence in document.sentences)
    found = [text[span.start : span.end] for span in spans_in_text(document, prediction)]
    assert found == [sentence.text for sentence in document.sentences]


@pytest.mark.parametrize(
    ("splitter", "plain"),
    [
        (Words(), VisibleWords()),
        (VisibleWords(), VisibleWords()),
        (FlairTokens(), SegtokWords()),
        (SegtokWords(("-", "/")), SegtokWords(("-", "/"))),
        (SpacedWords(), SpacedWords()),
    ],
)
def test_a_splitter_by_its_name(splitter: Words | FlairTokens, plain: VisibleWords) -> None:
    named = named_splitting(splitter)
    assert splitter_of(named) == plain
    assert splitter_of(named).name == splitter.name
    assert type(splitter_of(named)) is type(plain)


def test_an_unknown_name() -> None:
    with pytest.raises(TaggerError, match=r"expected words that are split by one of leanner\.words, .*, found moses"):
        splitter_of(WordSplitting("moses"))
