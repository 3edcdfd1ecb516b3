from __future__ import annotations

import os
import random

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leanner.corpora.load import load_corpus
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.tokenizers import Words
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


TEXTS = (
    "Loss of PTEN is common in glioma.",
    "Mouse p53 suppresses tumours; it isn't rare.",
    "   ",
    "We gave 5 mg\u200b to Danio rerio at 20 °C.",
    "Sjo\u0308gren’s syndrome 😀 and siGli1.",
    "\u200b",
    "",
    "IL-6 rose (Fig. 2a).",
    "MLH1 deficiency " * 300,
    "A" * 700,
)


def documents(count: int = 14) -> list[Document]:
    rng = random.Random(7)
    return [
        Document(
            str(number),
            "test",
            str(number),
            frozenset(Label),
            tuple(Sentence(rng.choice(TEXTS)) for _ in range(number % 6)),
        )
        for number in range(count)
    ]


def shaped(path: Path, **options: Any) -> FlairTagger:  # noqa: ANN401 - handed on
    return load_tagger(str(path), **options)


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("context", [0, 64])
@pytest.mark.parametrize("tokenizer", [None, Words()], ids=["flair", "words"])
def test_the_spans_are_flairs(shaped_file: Path, pooling: str, context: int, tokenizer: Words | None) -> None:
    tagger = shaped(shaped_file, **({"tokenizer": tokenizer} if tokenizer else {}))
    model: Any = tagger.model
    model.embeddings.subtoken_pooling, model.embeddings.context_length = pooling, context
    expected = list(tagger.tag(documents()))
    assert list(LeanTagger(tagger).tag(documents())) == expected
    assert sum(len(spans) for prediction in expected for spans in prediction) > 20


@pytest.mark.parametrize("options", [{"batch_tokens": 1}, {"batch_tokens": 97}, {"chunk_sentences": 1}])
def test_batches_and_chunks_change_nothing(shaped_file: Path, options: dict[str, Any]) -> None:
    expected = list(LeanTagger(shaped(shaped_file)).tag(documents()))
    assert list(LeanTagger(shaped(shaped_file), **options).tag(documents())) == expected


def test_texts_that_are_cut_are_cut_as_flair_cuts_them(shaped_file: Path) -> None:
    tagger = shaped(shaped_file)
    model: Any = tagger.model
    model.embeddings.allow_long_sentences = False
    assert list(LeanTagger(tagger).tag(documents())) == list(tagger.tag(documents()))


def test_the_bundled_tagger_gives_the_same_spans_on_the_bundled_corpus() -> None:
    tagger = load_tagger("bundled")
    corpus = tuple(load_corpus(["bundled"], sentences=150))
    assert list(LeanTagger(tagger).tag(corpus)) == list(tagger.tag(corpus))


@pytest.mark.skipif("not os.environ.get('LEANNER_CORPORA')", reason="LEANNER_CORPORA does not name real corpora")
def test_and_on_real_text() -> None:
    tagger = load_tagger("bundled")
    corpus = tuple(load_corpus([os.environ["LEANNER_CORPORA"]], sentences=200))
    assert list(LeanTagger(tagger).tag(corpus)) == list(tagger.tag(corpus))


def test_a_word_of_100_kb_is_flairs_too_and_poisons_no_neighbour(shaped_file: Path) -> None:
    tagger = shaped(shaped_file)
    alone = [Document(str(n), "test", str(n), frozenset(Label), (Sentence(text),)) for n, text in enumerate(TEXTS[:2])]
    bad = Document("bad", "test", "bad", frozenset(Label), tuple(Sentence(c * 100_000) for c in ("x", "😀")))
    expected = [*tagger.tag([alone[0]]), *tagger.tag([bad]), *tagger.tag([alone[1]])]

    assert list(LeanTagger(tagger).tag([alone[0], bad, alone[1]])) == expected


def test_a_quantized_tagger_gives_nearly_what_it_gives_in_flair() -> None:
    # Not exactly: a sum that differs in its last bit can round to another of 255 steps.
    tagger = Int8Dynamic()(load_tagger("bundled"))
    assert isinstance(tagger, FlairTagger)
    corpus = tuple(load_corpus(["bundled"], sentences=100))
    lean, flair = list(LeanTagger(tagger).tag(corpus)), list(tagger.tag(corpus))
    pairs = [pair for a, b in zip(lean, flair, strict=True) for pair in zip(a, b, strict=True)]
    assert sum(a == b for a, b in pairs) >= 0.95 * len(pairs)


def test_no_document_and_no_text_are_nothing(shaped_file: Path) -> None:
    lean = LeanTagger(shaped(shaped_file))
    empty = Document("1", "test", "1", frozenset(Label), ())
    blank = Document("2", "test", "2", frozenset(Label), (Sentence("  "), Sentence("")))
    assert list(lean.tag([])) == []
    assert list(lean.tag([empty, blank])) == [(), ((), ())]


def test_it_keeps_what_the_flair_tagger_was(shaped_file: Path) -> None:
    tagger = shaped(shaped_file)
    lean = LeanTagger(tagger)
    assert (lean.name, lean.labels, lean.weights_sha256) == (tagger.name, tagger.labels, tagger.weights_sha256)
    assert lean.model is tagger.model
    assert lean.runtime == "lean"
    assert lean.device == torch.device("cpu")
    assert lean.describe()["context_tokens"] == 64


def without_context(path: Path) -> FlairTagger:
    tagger = shaped(path)
    model: Any = tagger.model
    model.embeddings.context_length = 0
    return tagger


def test_a_cached_prefix_is_the_prompt_and_what_stands_before_it(shaped_file: Path) -> None:
    lean = LeanTagger(without_context(shaped_file), prefix_caching=True)
    tokenizer: Any = lean.model.embeddings.tokenizer  # type: ignore[union-attr]
    ids = lean._decide.prefix_ids
    assert ids is not None
    assert tokenizer.decode(ids) == "[CLS] [ tag cell lines, chemicals, diseases, genes and species ]"
    assert lean.describe()["prefix_caching"] is True


@pytest.mark.parametrize("options", [{"batch_tokens": 1}, {"batch_tokens": 97}, {"chunk_sentences": 1}])
def test_batches_and_chunks_change_nothing_with_a_cached_prefix(shaped_file: Path, options: dict[str, Any]) -> None:
    whole = list(LeanTagger(without_context(shaped_file), prefix_caching=True).tag(documents()))
    parts = LeanTagger(without_context(shaped_file), prefix_caching=True, **options).tag(documents())
    assert list(parts) == whole
    assert sum(len(spans) for prediction in whole for spans in prediction) > 20


def test_a_cached_prefix_saves_its_positions_and_nearly_keeps_the_spans() -> None:
    tagger = load_tagger("bundled")
    corpus = tuple(load_corpus(["bundled"], sentences=100))
    flair, cached = list(tagger.tag(corpus)), LeanTagger(tagger, prefix_caching=True)
    counted: list[int] = []
    cached._decide.encoder.model.embeddings.LayerNorm.register_forward_hook(
        lambda module, given, result: counted.append(len(result))  # noqa: ARG005 - what torch hands over
    )
    pairs = [pair for a, b in zip(cached.tag(corpus), flair, strict=True) for pair in zip(a, b, strict=True)]
    assert sum(a == b for a, b in pairs) >= 0.9 * len(pairs)
    assert cached._decide.prefix is not None
    assert cached._decide.prefix.length == 9
    chunk = cached._encode(corpus)
    assert sum(counted) == sum(len(row.ids) - 9 for row in chunk.rows)


def test_without_a_common_prefix_none_is_cached(shaped_file: Path) -> None:
    with pytest.raises(TaggerError, match="context before the prompt"):
        LeanTagger(shaped(shaped_file), prefix_caching=True)
    tagger = without_context(shaped_file)
    tagger.model.augmentation_strategy = None  # type: ignore[assignment]
    with pytest.raises(TaggerError, match="a tagger without a prompt"):
        LeanTagger(tagger, prefix_caching=True)


def twice(given: Sequence[Document]) -> list[Document]:
    return [*given, *(replace(document, id=f"{document.id} again") for document in given)]


@pytest.mark.parametrize("options", [{}, {"chunk_sentences": 1}, {"chunk_sentences": 7}])
@pytest.mark.parametrize("tagger", [shaped, without_context], ids=["context", "alone"])
def test_sentences_tagged_once_have_the_same_spans(
    shaped_file: Path, tagger: Callable[[Path], FlairTagger], options: dict[str, Any]
) -> None:
    given = twice(documents())
    lean, once = LeanTagger(tagger(shaped_file)), LeanTagger(tagger(shaped_file), deduplicate=True, **options)
    counted: list[int] = []
    once._decide.encoder.model.embeddings.LayerNorm.register_forward_hook(
        lambda module, given, result: counted.append(len(result))  # noqa: ARG005 - what torch hands over
    )
    assert list(once.tag(given)) == list(lean.tag(given))
    assert 0 < sum(counted) <= sum(len(row.ids) for row in lean._encode(documents()).rows)
    assert list(once.tag(given)) == list(lean.tag(given))


def test_the_share_of_repeated_sentences_is_told(shaped_file: Path) -> None:
    once = LeanTagger(without_context(shaped_file), deduplicate=True)
    given = [
        Document(str(number), "test", "1", frozenset(Label), (Sentence("BRCA1 was lost."),)) for number in range(4)
    ]
    assert once.notes_on(given) == ("75.0 % of the sentences repeat an earlier one",)
    assert once.notes_on([]) == ()
    assert LeanTagger(without_context(shaped_file)).notes_on(given) == ()


@pytest.mark.parametrize("tagger", [shaped, without_context], ids=["context", "alone"])
def test_windows_of_one_sentence_have_the_same_spans(shaped_file: Path, tagger: Callable[[Path], FlairTagger]) -> None:
    lean, windows = LeanTagger(tagger(shaped_file)), LeanTagger(tagger(shaped_file), window_words=1)
    assert list(windows.tag(documents())) == list(lean.tag(documents()))


def test_a_window_is_a_longer_sentence(shaped_file: Path) -> None:
    lean, windows = LeanTagger(without_context(shaped_file)), LeanTagger(without_context(shaped_file), window_words=12)
    texts = ("Loss of PTEN is common.", "IL-6 rose.", "  ", "Mouse p53 suppresses tumours in Danio rerio.")
    together = Document("1", "test", "1", frozenset(Label), (Sentence(" ".join(texts[:2])), Sentence(texts[3])))
    apart = Document("1", "test", "1", frozenset(Label), tuple(map(Sentence, texts)))

    (whole,), (found,) = list(lean.tag([together])), list(windows.tag([apart]))

    length = len(texts[0])
    crossing = [span for span in whole[0] if span.start < length < span.end]
    first, second, blank, last = found
    assert blank == ()
    assert last == whole[1]
    shifted = [Span(span.start + length + 1, span.end + length + 1, span.label) for span in second]
    parts = [
        span for span in (*first, *shifted) if not any(span.start < c.end and c.start < span.end for c in crossing)
    ]
    assert parts == [span for span in whole[0] if span not in crossing]


@pytest.mark.parametrize("options", [{"batch_tokens": 1}, {"chunk_sentences": 1}, {"deduplicate": True}])
@pytest.mark.parametrize("tagger", [shaped, without_context], ids=["context", "alone"])
def test_batches_and_chunks_change_nothing_with_windows(
    shaped_file: Path, tagger: Callable[[Path], FlairTagger], options: dict[str, Any]
) -> None:
    whole = list(LeanTagger(tagger(shaped_file), window_words=40).tag(twice(documents())))
    assert list(LeanTagger(tagger(shaped_file), window_words=40, **options).tag(twice(documents()))) == whole
    assert sum(len(spans) for prediction in whole for spans in prediction) > 20


def test_less_than_no_window_is_refused(shaped_file: Path) -> None:
    with pytest.raises(ValueError, match="expected windows of at least one word, or 0 for none, found -1"):
        LeanTagger(shaped(shaped_file), window_words=-1)


def test_a_budget_of_nothing_is_refused(shaped_file: Path) -> None:
    with pytest.raises(ValueError, match="expected at least one sub-token a batch"):
        LeanTagger(shaped(shaped_file), batch_tokens=0)
