from __future__ import annotations

import pytest

from leanner.corpora.load import load_corpus
from leanner.passes.calibration.text import calibration_text
from leanner.passes.calibration.text import read_marked
from leanner.types import Label
from leanner.types import Span


def test_it_is_what_the_documentation_says() -> None:
    documents = calibration_text()
    texts = [sentence.text for document in documents for sentence in document.sentences]
    assert (len(documents), len(texts), len(set(texts))) == (80, 560, 560)
    spans = [span for document in documents for sentence in document.sentences for span in sentence.spans]
    assert {label: sum(span.label is label for span in spans) > 200 for label in Label} == dict.fromkeys(Label, True)
    assert calibration_text(3) == documents[:3]


def test_no_sentence_is_in_the_bundled_corpus() -> None:
    evaluated = {sentence.text for document in load_corpus(["bundled"]) for sentence in document.sentences}
    assert not evaluated & {sentence.text for document in calibration_text() for sentence in document.sentences}


def test_marks_become_offsets() -> None:
    first, second = read_marked("[[GENE:TP53]] in [[SPECIES:mice]].\nNothing.\n\n[[DISEASE:β-thalassaemia]]\n")
    assert [sentence.text for sentence in first.sentences] == ["TP53 in mice.", "Nothing."]
    assert first.sentences[0].spans == (Span(0, 4, Label.GENE), Span(8, 12, Label.SPECIES))
    assert second.sentences[0].spans == (Span(0, 14, Label.DISEASE),)
    assert first.labels == frozenset(Label)


@pytest.mark.parametrize("text", ["[[GENE:TP53]", "TP53]]", "[[CELL:HeLa]]"])
def test_marks_that_do_not_match(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected mentions like|not a valid Label"):
        read_marked(text)
