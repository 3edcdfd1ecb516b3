from __future__ import annotations

import random

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from transformers import pipeline

from leanner.taggers.hf.load import load_hf
from leanner.taggers.hf.tagger import HfTagger
from leanner.taggers.hf.tagger import choose
from leanner.taggers.hf.tagger import longest_row
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from taggers.hf.checkpoints import TEXTS
from taggers.hf.checkpoints import save_bert
from taggers.hf.checkpoints import save_distilbert


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


Oracle = Callable[[str], tuple[Span, ...]]

ODD = ("   ", "", "\u200b", "\x00\x81\ufffd", "😀", "x" * 300, "[SEP] Loss of [MASK]", " p53\u200b 😀  siGli1\t(PTEN)")


def one(*texts: str) -> Document:
    return Document("1", "test", "1", frozenset(Label), tuple(Sentence(text) for text in texts))


def documents(count: int = 12) -> list[Document]:
    rng = random.Random(7)
    texts = (*TEXTS, *ODD, "p53 binds MDM2 " * 40)
    return [
        Document(str(n), "test", str(n), frozenset(Label), tuple(Sentence(rng.choice(texts)) for _ in range(n % 6)))
        for n in range(count)
    ]


def spans_of(tagger: HfTagger, text: str) -> tuple[Span, ...]:
    ((spans,),) = tagger.tag([one(text)])
    return spans


def oracle(tagger: HfTagger) -> Oracle:
    """Return transformers' own pipeline, its entity types as labels of ours."""
    model: Any = tagger.model
    run: Any = pipeline(
        "token-classification", model=model, tokenizer=tagger.tokenizer, aggregation_strategy="first", device="cpu"
    )

    def tag(text: str) -> tuple[Span, ...]:
        found = [(entity["start"], entity["end"], Label[entity["entity_group"].upper()]) for entity in run(text)]
        return tuple(Span(start, end, label) for start, end, label in found)

    return tag


@pytest.fixture(scope="module")
def tagger(bert: Path) -> HfTagger:
    return load_hf(f"hf:{bert}")


@pytest.fixture(scope="module")
def pairs(tagger: HfTagger, io_bert: Path) -> dict[str, tuple[HfTagger, Oracle]]:
    io = load_hf(f"hf:{io_bert}")
    return {"bio": (tagger, oracle(tagger)), "io": (io, oracle(io))}


@pytest.mark.parametrize("scheme", ["bio", "io"])
def test_spans_are_those_of_the_pipeline(pairs: dict[str, tuple[HfTagger, Oracle]], scheme: str) -> None:
    tagger, expected = pairs[scheme]
    (found,) = tagger.tag([one(*TEXTS, *ODD)])
    assert list(found) == [expected(text) for text in (*TEXTS, *ODD)]
    assert sum(map(len, found)) > 20
    assert {span.label for spans in found for span in spans} == set(Label)
    assert any(" " in text[span.start : span.end] for text, spans in zip(TEXTS, found, strict=False) for span in spans)


@pytest.mark.parametrize("scheme", ["bio", "io"])
@given(text=st.text(st.sampled_from("lossptenmouse53 .-()’é\u0301\u200b\x00😀"), max_size=40))
@settings(max_examples=50, deadline=None)
def test_and_of_any_text(pairs: dict[str, tuple[HfTagger, Oracle]], scheme: str, text: str) -> None:
    tagger, expected = pairs[scheme]
    assert spans_of(tagger, text) == expected(text)


def test_a_character_that_is_taken_apart_is_a_word_where_the_pipeline_adds_it_to_the_one_before(
    pairs: dict[str, tuple[HfTagger, Oracle]],
) -> None:
    tagger, expected = pairs["bio"]
    texts = [f"{word} 하" for word in ("of", "is", "rare", "loss", "cells", "mouse", "p53")]
    # It takes a sub-token that is not as long as its text for the continuation of a word.
    assert {span.start for text in texts for span in expected(text)} == {0}
    found = [(text, span) for text in texts for span in spans_of(tagger, text)]
    assert {span.start for _, span in found} - {0} <= {len(text) - 1 for text in texts}
    assert any(span.start for _, span in found)


def test_where_the_tokenizer_knows_no_words_the_pipeline_guesses_and_says_so(roberta: Path) -> None:
    tagger = load_hf(f"hf:{roberta}")
    expected = oracle(tagger)
    with pytest.warns(UserWarning, match="Tokenizer does not support real words"):
        assert expected("Loss") == spans_of(tagger, "Loss")
    text = "MLH1/MSH2-deficient cells (p53)"
    begins = {0, 4, 5, 9, 10, 20, 26, 27, 30}
    assert {span.start for span in spans_of(tagger, text)} <= begins
    assert tagger.encode([one(text)]).ends.tolist() == [len(begins)]


@pytest.mark.parametrize("kind", ["bert", "roberta", "sentencepiece"])
def test_order_batches_and_chunks_change_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    name = f"hf:{request.getfixturevalue(kind)}"
    given = documents()
    expected = dict(zip((d.id for d in given), load_hf(name).tag(given), strict=True))
    random.Random(1).shuffle(given)
    for batch, chunk in ((1, 1), (3, 2), (64, 1000)):
        tagger = load_hf(name, mini_batch_size=batch, chunk_sentences=chunk)
        assert dict(zip((d.id for d in given), tagger.tag(given), strict=True)) == expected
    assert sum(len(spans) for prediction in expected.values() for spans in prediction) > 20


def test_a_long_text_is_read_in_windows_each_in_its_middle(tagger: HfTagger) -> None:
    text = "p53 binds MDM2, Loss of PTEN (siGli1) is rare. " * 12
    tokenizer, model = tagger.tokenizer, tagger.model
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    size, step, half = 46, 34, 6
    assert (tagger.encode.longest, tagger.encode.overlap) == (size + 2, size - step)
    chosen: dict[int, int] = {}
    starts = [0]
    while starts[-1] + size < len(ids):
        starts.append(starts[-1] + step)
    assert len(starts) > 5
    for start in starts:
        window = torch.tensor([[2, *ids[start : start + size], 3]])
        with torch.inference_mode():
            tags = model(window).logits[0, 1:-1].argmax(-1).tolist()
        first = start + half if start else 0
        for position in range(first, min(start + size, len(ids))):
            # A later window overrides what it has more in its middle.
            chosen[position] = tags[position - start]
    encoding = tokenizer(text, add_special_tokens=False).encodings[0]
    firsts = [n for n, word in enumerate(encoding.word_ids) if not n or word != encoding.word_ids[n - 1]]
    chunk = tagger.encode([one(text)])
    assert tagger._decide(chunk).tolist() == [chosen[position] for position in firsts]
    assert spans_of(tagger, text)[-1].end > len(text) - 50


@pytest.mark.parametrize("kind", ["bert", "roberta", "sentencepiece"])
def test_odd_texts_poison_no_batch(kind: str, request: pytest.FixtureRequest) -> None:
    tagger = load_hf(f"hf:{request.getfixturevalue(kind)}")
    good = [one(text) for text in TEXTS]
    alone = [next(iter(tagger.tag([document]))) for document in good]
    bad = [one(text) for text in (*ODD, "x" * 100_000, "\ufffd", "\u2028\u2029")]
    bad += [one(), one("", "")]
    predictions = list(tagger.tag([*good[:2], *bad, *good[2:]]))
    assert predictions[:2] + predictions[2 + len(bad) :] == alone
    assert predictions[2 + len(bad) - 2] == ()
    assert predictions[2 + len(bad) - 1] == ((), ())
    assert predictions[2] == ((),)


def test_documents_are_read_only_as_they_are_needed(bert: Path) -> None:
    small = load_hf(f"hf:{bert}", chunk_sentences=3)
    read = 0

    def stream() -> Iterator[Document]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield one(TEXTS[0])

    predictions: Iterator[Prediction] = small.tag(stream())
    for expected in (3, 3, 3, 6):
        next(predictions)
        assert read == expected


def test_nothing_of_nothing(tagger: HfTagger) -> None:
    assert list(tagger.tag([])) == []


def test_of_two_equal_scores_the_first_one_is_chosen() -> None:
    scores = torch.tensor([[1.0, 2.0, 2.0], [2.0, 1.0, 2.0]], dtype=torch.bfloat16)
    assert choose(scores).tolist() == [1, 0]


def test_a_model_without_segments_is_not_given_any(tmp_path: Path) -> None:
    tagger = load_hf(f"hf:{save_distilbert(tmp_path / 'distilbert')}")
    assert "token_type_ids" in tagger.tokenizer.model_input_names
    (found,) = tagger.tag([one(*TEXTS)])
    assert sum(map(len, found)) > 5


def test_segments_are_those_of_the_tokenizer(tagger: HfTagger) -> None:
    chunk = tagger.encode([one("Loss of", "PTEN")])
    for row in chunk.rows:
        row.types[-1] = 1  # type: ignore[attr-defined]
    inputs = tagger._inputs(chunk.rows)
    assert inputs["token_type_ids"].tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert inputs["input_ids"][1, -1] == tagger.tokenizer.pad_token_id


def test_how_long_a_row_may_be(bert: Path, roberta: Path, tmp_path: Path) -> None:
    for folder, longest in ((bert, 48), (roberta, 48), (save_bert(tmp_path / "long", positions=600), 512)):
        tagger = load_hf(f"hf:{folder}")
        model: Any = tagger.model
        assert longest_row(model, tagger.tokenizer) == longest
    tagger.tokenizer.model_max_length = 128
    assert longest_row(model, tagger.tokenizer) == 128


def test_missing_labels_and_types_of_others_are_said(tmp_path: Path) -> None:
    labels = ("O", "B-Gene", "I-Gene", "B-Chemical", "I-Chemical", "Cell")
    tagger = load_hf(f"hf:{save_bert(tmp_path / 'genes', labels)}")
    assert tagger.labels == {Label.GENE}
    assert tagger.missing_labels == (Label.SPECIES, Label.DISEASE)
    missing, ignored = tagger.quality
    assert "has no label for SPECIES and DISEASE (its entity types: Cell, Chemical, Gene): not scored" in missing
    assert ignored == "entity types that are none of ours and not scored: Cell, Chemical"
    (found,) = tagger.tag([one(*TEXTS)])
    assert {span.label for spans in found for span in spans} == {Label.GENE}


def test_it_says_what_it_is(tagger: HfTagger, bert: Path) -> None:
    assert (tagger.name, tagger.runtime, tagger.device) == (f"hf:{bert}", "transformers", torch.device("cpu"))
    assert tagger.labels == frozenset(Label)
    assert tagger.quality == []
    assert not tagger.model.training
    assert tagger.describe() == {
        "tokenizer": "BertTokenizerFast",
        "words": "WordPiece",
        "longest": 48,
        "overlap": 12,
        "mini_batch_size": 32,
        "chunk_sentences": 256,
        "context_tokens": 0,
    }


def test_sizes_must_be_positive(tagger: HfTagger) -> None:
    model: Any = tagger.model
    with pytest.raises(ValueError, match="at least one sentence"):
        HfTagger(model, tagger.tokenizer, "none", mini_batch_size=0)
