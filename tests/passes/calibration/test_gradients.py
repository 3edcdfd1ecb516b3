from __future__ import annotations

import random

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import flair
import pytest
import torch

from flair.data import Sentence
from flair.models import SequenceTagger
from torch import nn

from leanner.passes.calibration.gradients import gold_sentences
from leanner.passes.calibration.gradients import loss_gradients
from leanner.passes.calibration.text import calibration_text
from leanner.passes.calibration.text import read_marked
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger


TEXT = """[[GENE:TP53]] in [[SPECIES:mice]].
\u200b
No [[DISEASE:breast cancer]]-like [[GENE:p5]]3.

[[GENE:PTEN]] is lost."""


def linears(tagger: FlairTagger) -> dict[str, nn.Linear]:
    return {name: layer for name, layer in encoder_linears(tagger.model) if isinstance(layer, nn.Linear)}


def flairs_loss(tagger: FlairTagger) -> float:
    """The loss of all texts by Flair's own method, document by document, neighbours in their order."""
    model: Any = tagger.model
    names = {"GENE": "Gene", "SPECIES": "Species", "DISEASE": "Disease"}
    total = 0.0
    for document in read_marked(TEXT):
        sentences = []
        for given in document.sentences:
            tokenized = tagger.tokenizer(given.text)
            if tokenized is None:
                continue
            for span in given.spans:
                words = [
                    token
                    for token, (start, end) in zip(tokenized.sentence, tokenized.offsets, strict=True)
                    if start < span.end and end > span.start
                ]
                tokenized.sentence[words[0].idx - 1 : words[-1].idx].add_label("ner", names[span.label])
            sentences.append(tokenized.sentence)
        augmented = model.augment_sentences(sentences)
        Sentence.set_context_for_sentences(augmented)
        with torch.no_grad():
            total += float(SequenceTagger.forward_loss(model, augmented)[0])
    return total


@pytest.fixture
def doubled(shaped_file: Path) -> FlairTagger:
    """A tagger in float64, in which differences can be taken."""
    tagger = load_tagger(str(shaped_file), mini_batch_size=2)
    tagger.model.double()
    return tagger


def test_it_is_what_the_loss_changes_by(doubled: FlairTagger) -> None:
    layers = linears(doubled)
    gradients = loss_gradients(doubled, layers, read_marked(TEXT))
    assert gradients.keys() == layers.keys()
    rng = random.Random(3)
    for name, layer in layers.items():
        row, column = rng.randrange(layer.out_features), rng.randrange(layer.in_features)
        losses = []
        for step in (1e-5, -2e-5):
            layer.weight.data[row, column] += step
            losses.append(flairs_loss(doubled))
        layer.weight.data[row, column] += 1e-5
        difference = (losses[0] - losses[1]) / 2e-5
        assert float(gradients[name][row, column]) == pytest.approx(difference, rel=1e-3, abs=1e-6), name


@pytest.mark.parametrize("size", [1, 3, 100])
def test_batches_change_nothing_but_rounding(doubled: FlairTagger, size: int) -> None:
    layers, documents = linears(doubled), calibration_text(2)
    expected = loss_gradients(doubled, layers, documents)
    doubled.mini_batch_size = size
    for name, gradient in loss_gradients(doubled, layers, documents).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-6, atol=1e-9)


def test_mentions_are_the_words_that_they_touch(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    model: Any = tagger.model
    prompt = ["O"] * len(model.augmentation_strategy.task_prompt)
    first, _ = read_marked(TEXT)
    one, two = gold_sentences(tagger, first)
    assert model._get_gold_labels([one]) == [*prompt, "S-Gene", "O", "S-Species", "O"]
    tags = dict(zip([token.text for token in two], model._get_gold_labels([two]), strict=True))
    assert (tags["breast"], tags["p53"]) == ("B-Disease", "S-Gene")
    assert one.is_context_set()
    assert one._next_sentence is two


def test_labels_that_the_tagger_does_not_have_are_left_out(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    tagger.label_of = {entity: label for entity, label in tagger.label_of.items() if entity != "Gene"}
    first, _ = read_marked(TEXT)
    labels = {label.value for sentence in gold_sentences(tagger, first) for label in sentence.get_labels("ner")}
    assert labels == {"Species", "Disease"}


@pytest.mark.parametrize("fine_tune", [True, False])
def test_nothing_stays_changed(shaped_file: Path, *, fine_tune: bool) -> None:
    tagger = load_tagger(str(shaped_file))
    model: Any = tagger.model
    embeddings = model.embeddings
    embeddings.fine_tune = fine_tune
    model.requires_grad_(fine_tune)
    before = (embeddings.training, embeddings.fine_tune, embeddings.context_dropout, flair.device)
    state, drawn = {name: value.clone() for name, value in model.state_dict().items()}, random.getstate()
    gradients = loss_gradients(tagger, linears(tagger), calibration_text(1))
    assert (embeddings.training, embeddings.fine_tune, embeddings.context_dropout, flair.device) == before
    assert all(parameter.requires_grad is fine_tune and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert random.getstate() == drawn
    assert not any(module.training for module in model.modules())
    assert all(bool(gradient.any()) and not gradient.requires_grad for gradient in gradients.values())


def test_without_text_there_is_no_gradient(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    (document,) = read_marked("\u200b")
    nothing = loss_gradients(tagger, linears(tagger), [replace(document, sentences=())])
    assert not any(gradient.any() for gradient in nothing.values())
    assert gold_sentences(tagger, document) == []


def test_a_layer_that_nothing_goes_through_changes_no_loss(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    layers = {**linears(tagger), "aside": nn.Linear(3, 2)}
    gradients = loss_gradients(tagger, layers, read_marked(TEXT))
    assert gradients["aside"].shape == (2, 3)
    assert not gradients["aside"].any()
    assert all(gradient.any() for name, gradient in gradients.items() if name != "aside")


def test_a_tagger_without_a_prompt(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    prompted: Any = tagger.model
    prompted.__class__ = SequenceTagger
    (sentence,) = gold_sentences(tagger, read_marked(TEXT)[1])
    assert isinstance(sentence, Sentence)
    assert prompted._get_gold_labels([sentence]) == ["S-Gene", "O", "O", "O"]
