from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.corpora.texts import document_of
from leanner.corpora.texts import spans_in_text
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
