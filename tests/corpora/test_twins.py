from __future__ import annotations

from corpora.synthetic import native
from leanner.corpora.twins import Twins


def test_same_caption_in_other_white_space_is_left_out() -> None:
    twins = Twins()
    assert not twins.left_out("bioid", native("(A) siGli1 cells.", name="a"))
    assert twins.left_out("sourcedata", native("( A ) siGli1 cells .", name="b"))
    assert not twins.left_out("sourcedata", native("(B) siGli1 cells.", name="c"))


def test_same_doi_is_left_out_whatever_the_text() -> None:
    twins = Twins()
    assert not twins.left_out("bioid", native("One caption.", article="3616", doi="10.1038/Nature12043"))
    assert twins.left_out("sourcedata", native("Its corrected caption.", doi="10.1038/nature12043"))
    assert not twins.left_out("sourcedata", native("Another caption.", doi="10.1038/nature12044"))


def test_article_without_doi_is_no_twin_by_name() -> None:
    twins = Twins()
    assert not twins.left_out("bioid", native("One.", article="7"))
    assert not twins.left_out("sourcedata", native("Two.", article="7"))


def test_captions_repeated_within_a_corpus_stay() -> None:
    twins = Twins()
    for name in ("a", "b"):
        assert not twins.left_out("bioid", native("The same.", name=name))
    for name in ("a", "b"):
        assert not twins.left_out("sourcedata", native("Another.", name=name))


def test_empty_captions_and_other_corpora_are_never_twins() -> None:
    twins = Twins()
    assert not twins.left_out("bioid", native(""))
    assert not twins.left_out("sourcedata", native(" "))
    twins.left_out("bioid", native("One."))
    assert not twins.left_out("tmvar", native("One."))
