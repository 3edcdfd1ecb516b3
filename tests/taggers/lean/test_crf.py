"""The lean runtime over a tagger with a CRF: Flair's spans."""

from __future__ import annotations

import random

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from flair.data import Dictionary
from flair.models import SequenceTagger

from leanner.corpora.load import load_corpus
from leanner.taggers.flair import FlairTagger
from leanner.taggers.flair import quiet_flair
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


WORDS = ("Loss", "of", "PTEN", "p53", ",", "mouse", "Danio rerio", "glioma", "\u200b", "siGli1", "(", "20", "😀", ".")


def documents(count: int = 12) -> list[Document]:
    rng = random.Random(5)
    return [
        Document(
            str(number),
            "test",
            str(number),
            frozenset(Label),
            tuple(Sentence(" ".join(rng.choices(WORDS, k=rng.choice((0, 1, 2, 9, 20, 45))))) for _ in range(8)),
        )
        for number in range(count)
    ]


def with_crf(path: Path, scale: float = 1.0) -> FlairTagger:
    tagger = load_tagger(str(path))
    model: Any = tagger.model
    model.crf.transitions.detach().mul_(scale)
    return tagger


def count(predictions: list[Prediction]) -> int:
    return sum(len(spans) for prediction in predictions for spans in prediction)


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("context", [0, 64])
def test_the_spans_are_flairs(shaped_crf_file: Path, pooling: str, context: int) -> None:
    tagger = with_crf(shaped_crf_file)
    model: Any = tagger.model
    assert reason_against(model) is None
    model.embeddings.subtoken_pooling, model.embeddings.context_length = pooling, context
    expected = list(tagger.tag(documents()))
    assert list(LeanTagger(tagger).tag(documents())) == expected
    assert count(expected) > 100
    # The transitions have a say.
    model.crf.transitions.detach().zero_()
    assert list(LeanTagger(tagger).tag(documents())) != expected


def test_and_where_the_borders_are_tags_of_words(shaped_crf_file: Path) -> None:
    tagger = with_crf(shaped_crf_file)
    model: Any = tagger.model
    transitions = model.crf.transitions.detach()
    transitions.copy_(torch.randn(transitions.shape, generator=torch.Generator().manual_seed(2)))
    lean = LeanTagger(tagger)
    chunk = lean._encode(documents())
    assert {model.viterbi_decoder.start_tag, model.viterbi_decoder.stop_tag} & set(lean._decide(chunk).tags.tolist())
    expected = list(tagger.tag(documents()))
    assert list(lean.tag(documents())) == expected
    assert count(expected) > 100


@pytest.mark.parametrize("tag_format", ["BIOES", "BIO"])
def test_and_without_a_prompt(shaped_crf_file: Path, tag_format: str) -> None:
    prompted: Any = load_tagger(str(shaped_crf_file)).model
    labels = Dictionary(add_unk=False)
    for name in ("Gene", "Species"):
        labels.add_item(name)
    labels.span_labels = True
    with torch.random.fork_rng(devices=[]), quiet_flair():
        torch.manual_seed(3)
        model = SequenceTagger(
            embeddings=prompted.embeddings,
            tag_dictionary=labels,
            tag_type="ner",
            tag_format=tag_format,
            use_crf=True,
            use_rnn=False,
            reproject_embeddings=False,
        )
    tagger = FlairTagger(model, "plain")
    expected = list(tagger.tag(documents()))
    assert list(LeanTagger(tagger).tag(documents())) == expected
    assert count(expected) > 100


def test_and_on_the_bundled_corpus(shaped_crf_file: Path) -> None:
    tagger = with_crf(shaped_crf_file, 0.5)
    corpus = tuple(load_corpus(["bundled"], sentences=150))
    expected = list(tagger.tag(corpus))
    assert list(LeanTagger(tagger).tag(corpus)) == expected
    assert count(expected) > 100


@pytest.mark.parametrize("prefix_caching", [False, True])
@pytest.mark.parametrize("options", [{"batch_tokens": 1}, {"batch_tokens": 97}, {"chunk_sentences": 1}])
def test_batches_and_chunks_change_nothing(
    shaped_crf_file: Path,
    options: dict[str, Any],
    prefix_caching: bool,  # noqa: FBT001 - pytest's
) -> None:
    tagger = with_crf(shaped_crf_file)
    model: Any = tagger.model
    model.embeddings.context_length = 0
    given = documents(6)
    whole = list(LeanTagger(tagger, prefix_caching=prefix_caching).tag(given))
    assert list(LeanTagger(tagger, prefix_caching=prefix_caching, **options).tag(given)) == whole
    assert count(whole) > 20
