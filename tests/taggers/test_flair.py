from __future__ import annotations

import random

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import flair
import pytest
import torch

from flair.data import Dictionary
from flair.data import Sentence as FlairSentence
from flair.models import SequenceTagger
from flair.models.prefixed_tagger import PrefixedSequenceTagger

from leanner.taggers.flair import FlairTagger
from leanner.taggers.flair import quiet_flair
from leanner.taggers.load import load_tagger
from leanner.taggers.tokenizers import Words
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


TEXTS = (
    "Loss of PTEN is common in glioma.",
    "Mouse p53 suppresses tumours; it isn't rare.",
    "   ",
    "We gave 5 mg\u200b to Danio rerio at 20 °C.",
    "Sjo\u0308gren’s syndrome 😀 and siGli1.",
    "\u200b",
    "IL-6 rose (Fig. 2a).",
)


def documents(count: int = 12) -> list[Document]:
    rng = random.Random(7)
    return [
        Document(
            id=str(number),
            corpus="test",
            article=str(number),
            labels=frozenset(Label),
            sentences=tuple(Sentence(rng.choice(TEXTS)) for _ in range(number % 6)),
        )
        for number in range(count)
    ]


def one(*texts: str) -> Document:
    return Document("1", "test", "1", frozenset(Label), tuple(Sentence(text) for text in texts))


def tag(tagger: Tagger, given: list[Document]) -> dict[str, Prediction]:
    return {document.id: spans for document, spans in zip(given, tagger.tag(given), strict=True)}


def flair_model(tagger: FlairTagger) -> SequenceTagger:
    assert isinstance(tagger.model, SequenceTagger)
    return tagger.model


@pytest.fixture(scope="module")
def tagger(shaped_file: Path) -> FlairTagger:
    return load_tagger(str(shaped_file))


@pytest.fixture
def plain_tagger(tagger: FlairTagger) -> FlairTagger:
    """Without prompt, and of genes and chemicals only."""
    labels = Dictionary(add_unk=False)
    labels.add_item("genes")
    labels.add_item("Chemical")
    labels.span_labels = True
    with torch.random.fork_rng(devices=[]), quiet_flair():
        torch.manual_seed(3)
        model = SequenceTagger(
            embeddings=flair_model(tagger).embeddings,
            tag_dictionary=labels,
            tag_type="ner",
            use_crf=False,
            use_rnn=False,
            reproject_embeddings=False,
        )
    return FlairTagger(model, "plain")


def test_spans_are_those_of_flairs_own_predict(tagger: FlairTagger) -> None:
    model = tagger.model
    assert isinstance(model, PrefixedSequenceTagger)
    found = 0
    for document in documents():
        texts = [sentence.text for sentence in document.sentences if sentence.text.strip(" \u200b")]
        sentences = [FlairSentence(text) for text in texts]
        if not sentences:
            continue
        model.predict(sentences)
        (prediction,) = tagger.tag([document])
        ours = [spans for spans, s in zip(prediction, document.sentences, strict=True) if s.text.strip(" \u200b")]
        for text, sentence, spans in zip(texts, sentences, ours, strict=True):
            expected = [
                (span.text, label)
                for span in sentence.get_spans("ner")
                if (label := span.get_label("ner").value.upper()) in Label.__members__
            ]
            # Flair's text of a span is without zero-width characters, and ends in one blank where they stood.
            assert [(text[s.start : s.end].replace("\u200b", ""), s.label) for s in spans] == expected
            found += len(expected)
    assert found > 20


def test_the_order_of_the_documents_changes_nothing(tagger: FlairTagger) -> None:
    given = documents()
    expected = tag(tagger, given)
    shuffled = given.copy()
    random.Random(1).shuffle(shuffled)
    assert [d.id for d in shuffled] != [d.id for d in given]
    assert tag(tagger, shuffled) == expected


def test_neighbours_count_but_only_of_the_own_document(tagger: FlairTagger) -> None:
    texts = [text for text in TEXTS if text.strip(" \u200b")]
    (together,) = tagger.tag([one(*texts)])
    alone = [tagged for (tagged,) in tagger.tag(one(text) for text in texts)]
    assert list(together) != alone


@pytest.mark.parametrize(("chunk", "batch"), [(1, 1), (2, 3), (5, 2), (1000, 64)])
def test_chunk_and_batch_sizes_change_nothing(tagger: FlairTagger, chunk: int, batch: int) -> None:
    model = flair_model(tagger)
    other = FlairTagger(model, "other", chunk_sentences=chunk, mini_batch_size=batch)
    assert tag(other, documents()) == tag(tagger, documents())


def test_no_call_of_predict_gets_two_chunks(tagger: FlairTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    model = flair_model(tagger)
    predict = model.predict

    def counted(sentences: list[FlairSentence], mini_batch_size: int, label_name: str) -> None:
        sizes.append(len(sentences))
        predict(sentences, mini_batch_size=mini_batch_size, label_name=label_name)

    monkeypatch.setattr(model, "predict", counted)
    small = FlairTagger(model, "small", chunk_sentences=4)
    list(small.tag([one(*[TEXTS[0]] * 19), one(TEXTS[1]), one(TEXTS[1])]))
    assert sum(sizes) == 21
    assert max(sizes) < 8


def test_documents_are_read_only_as_they_are_needed(tagger: FlairTagger) -> None:
    model = flair_model(tagger)
    small = FlairTagger(model, "small", chunk_sentences=3)
    read = 0

    def stream() -> Iterator[Document]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield one(TEXTS[0])

    predictions = small.tag(stream())
    next(predictions)
    assert read == 3
    next(predictions)
    next(predictions)
    next(predictions)
    assert read == 6


def test_what_has_no_words_has_no_spans(tagger: FlairTagger) -> None:
    given = [one(), one("", " \n", "\u200b\ufeff"), one("😀"), one(" ", TEXTS[0])]
    empty, blank, emoji, mixed = tagger.tag(given)
    assert empty == ()
    assert blank == ((), (), ())
    assert len(emoji) == 1
    assert mixed[0] == ()
    assert mixed[1:] == next(iter(tagger.tag([one(TEXTS[0])])))


def test_f30_nothing_is_cut_off_beyond_512_positions(tagger: FlairTagger) -> None:
    long = "p53 binds MDM2 " * 200
    word, sentence = tagger.tag([one("x" * 100_000), one(long)])
    assert all(span.end <= 100_000 for span in word[0])
    assert sentence[0][-1].end > len(long) / 2


def test_f31_one_bad_document_does_not_poison_the_batch(tagger: FlairTagger) -> None:
    good = [one(text) for text in TEXTS if text.strip()]
    alone = [next(iter(tagger.tag([document]))) for document in good]
    bad = [one("\x00\x81\ufffd"), one("\u200b\ufeff"), one("x" * 100_000), one("")]
    together = [*good[:2], bad[0], good[2], *bad[1:], *good[3:]]
    spans = dict(zip(map(id, together), tagger.tag(together), strict=True))

    assert [spans[id(document)] for document in good] == alone


def test_words_as_tokens(tagger: FlairTagger) -> None:
    model = flair_model(tagger)
    words = FlairTagger(model, "words", tokenizer=Words())
    text = "Sjo\u0308gren’s MLH1/MSH2-deficient"
    ((spans,),) = words.tag([one(text)])
    edges = {0, 3, 4, 8, 9, 10, 11, 15, 16, 20, 21, 30}
    assert spans
    assert {span.start for span in spans} | {span.end for span in spans} <= edges


def test_without_prompt(plain_tagger: FlairTagger) -> None:
    predictions = tag(plain_tagger, documents())
    labels = {span.label for prediction in predictions.values() for spans in prediction for span in spans}
    assert labels == {Label.GENE}


def test_a_missing_label_is_said(plain_tagger: FlairTagger, tagger: FlairTagger) -> None:
    assert plain_tagger.labels == {Label.GENE}
    assert plain_tagger.missing_labels == (Label.SPECIES, Label.DISEASE)
    (note,) = plain_tagger.quality
    assert "no label for SPECIES and DISEASE (its entity types: Chemical, genes): not scored" in note
    assert tagger.labels == frozenset(Label)
    assert tagger.missing_labels == ()
    assert tagger.quality == []


def test_further_label_names(plain_tagger: FlairTagger) -> None:
    model = flair_model(plain_tagger)
    assert FlairTagger(model, "named", label_names={"CHEMICAL": Label.DISEASE}).labels == {Label.GENE, Label.DISEASE}


def test_it_says_how_texts_reach_the_model(tagger: FlairTagger) -> None:
    assert tagger.runtime == "flair"
    assert tagger.device == torch.device("cpu")
    assert tagger.describe() == {
        "tokenizer": "flair.SegtokTokenizer",
        "mini_batch_size": 32,
        "chunk_sentences": 256,
        "context_tokens": 64,
    }


def test_flairs_device_is_left_as_it_was(tagger: FlairTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flair, "device", torch.device("meta"))
    list(tagger.tag([one(TEXTS[0])]))
    assert flair.device == torch.device("meta")


def test_sizes_must_be_positive(tagger: FlairTagger) -> None:
    model = flair_model(tagger)
    with pytest.raises(ValueError, match="at least one sentence"):
        FlairTagger(model, "none", mini_batch_size=0)
