"""How the loss on the calibration text changes with each weight; the marked mentions are its truth."""

from __future__ import annotations

import contextlib
import random

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import torch

from flair.data import Sentence
from flair.embeddings.transformer import TransformerEmbeddings
from flair.models import SequenceTagger
from flair.models.prefixed_tagger import PrefixedSequenceTagger
from torch import Tensor
from torch import nn

from leanner.taggers.flair import flair_on


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger
    from leanner.types import Document


def loss_gradients(
    tagger: FlairTagger, layers: Mapping[str, nn.Linear], documents: Sequence[Document]
) -> dict[str, Tensor]:
    """Return the gradient of Flair's own loss by the weights of each layer, summed over the words of ``documents``.

    Nothing is random: dropout is off, also that of context. Neither weights nor settings are changed.

    *Shapes:* of each layer ``(out_features, in_features)``.
    """
    model: Any = tagger.model
    weights = [layer.weight for layer in layers.values()]
    sums = [torch.zeros_like(weight, requires_grad=False) for weight in weights]
    sentences = [sentence for document in documents for sentence in gold_sentences(tagger, document)]
    with flair_on(tagger.device), _differentiable(model, weights):
        for begin in range(0, len(sentences), tagger.mini_batch_size):
            batch = sentences[begin : begin + tagger.mini_batch_size]
            # That of a tagger with a prompt would add a second one.
            loss, _ = SequenceTagger.forward_loss(model, batch)
            # A layer that nothing goes through changes no loss.
            gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
            sums = [total + one for total, one in zip(sums, gradients, strict=True)]
            for sentence in batch:
                sentence.clear_embeddings()
    return dict(zip(layers, sums, strict=True))


def gold_sentences(tagger: FlairTagger, document: Document) -> list[Sentence]:
    """Return Flair's sentences of a document, prompt included, with the spans as their labels.

    A span is the words that it touches. Labels that the tagger does not have are left out.
    """
    model: Any = tagger.model
    entities = {label: entity for entity, label in sorted(tagger.label_of.items(), reverse=True)}
    sentences: list[Sentence] = []
    for given in document.sentences:
        tokenized = tagger.tokenizer(given.text)
        if tokenized is None:
            continue
        sentence, offsets = tokenized
        for span in given.spans:
            touched = [n for n, (start, end) in enumerate(offsets) if start < span.end and span.start < end]
            if touched and span.label in entities:
                sentence[touched[0] : touched[-1] + 1].add_label(model.label_type, entities[span.label])
        sentences.append(sentence)
    if isinstance(model, PrefixedSequenceTagger):
        sentences = list(model.augment_sentences(sentences, model.label_type))
    Sentence.set_context_for_sentences(sentences)
    return sentences


@contextlib.contextmanager
def _differentiable(model: nn.Module, weights: Sequence[Tensor]) -> Iterator[None]:
    """Have Flair keep what a gradient needs; it does so only of embeddings that are trained."""
    required = [weight.requires_grad for weight in weights]
    embeddings = [module for module in model.modules() if isinstance(module, TransformerEmbeddings)]
    before = [(module.training, module.fine_tune, module.context_dropout) for module in embeddings]
    # Flair draws for each context, also where none is dropped.
    drawn = random.getstate()
    try:
        for weight in weights:
            weight.requires_grad_(True)
        for module in embeddings:
            # Of this module alone: those in it stay as in evaluation.
            module.training, module.fine_tune, module.context_dropout = True, True, 0.0
        with torch.enable_grad():
            yield
    finally:
        random.setstate(drawn)
        for weight, was in zip(weights, required, strict=True):
            weight.requires_grad_(was)
        for module, settings in zip(embeddings, before, strict=True):
            module.training, module.fine_tune, module.context_dropout = settings
