from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from torch import Tensor
from torch import nn

from leanner.passes.calibration.inputs import gram_matrices
from leanner.passes.calibration.inputs import input_moments
from leanner.passes.calibration.text import calibration_text
from leanner.passes.protocol import NotRunnable
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.support import RNN
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears


def shaped(path: Path) -> tuple[FlairTagger, dict[str, nn.Module]]:
    tagger = load_tagger(str(path))
    assert isinstance(tagger, FlairTagger)
    return tagger, dict(encoder_linears(tagger.model))


def test_they_are_those_of_flair_one_sentence_at_a_time(shaped_file: Path) -> None:
    documents = calibration_text(2)
    tagger, layers = shaped(shaped_file)
    found = gram_matrices(tagger, layers, documents)

    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.register_forward_pre_hook(lambda _, given, name=name: seen[name].append(given[0].detach()[0]))
    alone = FlairTagger(tagger.model, "alone", tokenizer=tagger.tokenizer, mini_batch_size=1)  # type: ignore[arg-type]
    list(alone.tag(documents))

    # The last layer computes only what the head needs.
    last = max(name.split("layer.")[1].split(".")[0] for name in layers)
    compared = [name for name in layers if f"layer.{last}." not in name or "attention.self" in name]
    assert len(compared) > 6
    for name in compared:
        inputs = torch.cat(seen[name]).double()
        torch.testing.assert_close(found[name], inputs.T @ inputs / len(inputs), rtol=1e-4, atol=1e-5)


def test_mean_and_variance_do_not_depend_on_batches(shaped_file: Path) -> None:
    documents = calibration_text(2)
    tagger, layers = shaped(shaped_file)
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    handles = [
        layer.register_forward_pre_hook(lambda _, given, name=name: seen[name].append(given[0].detach().clone()))
        for name, layer in layers.items()
    ]
    found = input_moments(tagger, layers, documents)
    for handle in handles:
        handle.remove()
    together = input_moments(tagger, layers, documents, together=True)
    for name, parts in seen.items():
        assert len(parts) > 1
        inputs = torch.cat(parts).double()
        torch.testing.assert_close(found[name].mean, inputs.mean(0), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(found[name].variance, inputs.var(0), rtol=1e-9, atol=1e-12)
        assert found[name].covariance is None
        torch.testing.assert_close(together[name].covariance, torch.cov(inputs.T), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together[name].variance, inputs.var(0), rtol=1e-4, atol=1e-5)


def test_nothing_stays_behind(shaped_file: Path) -> None:
    tagger, layers = shaped(shaped_file)
    gram_matrices(tagger, layers, calibration_text(1))
    assert not any(layer._forward_pre_hooks for layer in layers.values())


def test_a_tagger_that_the_lean_runtime_cannot_run(shaped_file: Path) -> None:
    tagger, layers = shaped(shaped_file)
    model: Any = tagger.model
    model.use_rnn = True
    with pytest.raises(NotRunnable, match=RNN[:6]):
        gram_matrices(tagger, layers, calibration_text(1))
