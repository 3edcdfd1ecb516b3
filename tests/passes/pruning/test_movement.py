from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from torch import nn

from leanner.passes.calibration.gradients import loss_gradients
from leanner.passes.calibration.text import calibration_text
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.movement import NOT_FLAIR
from leanner.passes.pruning.movement import MovementPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger


def linears(tagger: FlairTagger) -> dict[str, nn.Linear]:
    return {name: layer for name, layer in encoder_linears(tagger.model) if isinstance(layer, nn.Linear)}


def test_the_lowest_scores_of_each_layer_go_and_nothing_else_changes(shaped_file: Path) -> None:
    dense = load_tagger(str(shaped_file))
    gradients = loss_gradients(dense, linears(dense), calibration_text(2))
    leaner = MovementPruning(0.3, articles=2)(load_tagger(str(shaped_file)))
    after = leaner.model.state_dict()
    layers = linears(dense)
    for name, layer in layers.items():
        weight = layer.weight.detach().numpy().copy()
        scores = -(weight * gradients[name].numpy()).ravel()
        weight.ravel()[np.argsort(scores, kind="stable")[: round(0.3 * weight.size)]] = 0
        assert np.array_equal(after[f"{name}.weight"].numpy(), weight), name
    for name, value in dense.model.state_dict().items():
        assert name.removesuffix(".weight") in layers or torch.equal(after[name], value), name


def test_a_pruned_tagger_is_the_dense_one_with_zeros(shaped_file: Path) -> None:
    documents = calibration_text(1)
    leaner, dense = MovementPruning(0.5, articles=1)(load_tagger(str(shaped_file))), load_tagger(str(shaped_file))
    for name, layer in linears(dense).items():
        layer.weight.data.mul_(leaner.model.state_dict()[f"{name}.weight"] != 0)
    expected = list(dense.tag(documents))
    assert list(leaner.tag(documents)) == expected
    assert list(LeanRuntime()(leaner).tag(documents)) == expected


def test_what_the_text_does_not_mark_is_said(shaped_file: Path) -> None:
    tagger = MovementPruning(0.1, articles=1)(load_tagger(str(shaped_file)))
    assert tagger.labels == frozenset(Label)
    (note,) = tagger.quality
    assert note == "the calibration text marks no CellLine, Chemical: movement scores count finding them as wrong"


def test_wrong_order_and_wrong_share(shaped_file: Path) -> None:
    leaner = MovementPruning(0.5, articles=1)
    assert leaner.describe() == {"name": "movement-pruning", "sparsity": 0.5, "articles": 1}
    assert isinstance(leaner, Particular)
    assert leaner.refusals("cpu", None) == (NOT_FLAIR,)
    with pytest.raises(ValueError, match="expected 0 <= sparsity < 1, found 1"):
        MovementPruning(1.0)
    for quantized, layer in ((Int8Dynamic(), "Int8Linear"), (Int8Static(articles=1), "StaticInt8Linear")):
        with pytest.raises(WrongOrder, match=f"movement-pruning after {layer}: prune first"):
            leaner(quantized(load_tagger(str(shaped_file))))
    with pytest.raises(WrongOrder, match="movement-pruning after lean"):
        leaner(LeanRuntime()(load_tagger(str(shaped_file))))
