"""Passes that choose by the calibration text: Wanda and second-order pruning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from torch import nn

from leanner.passes.calibration.inputs import gram_matrices
from leanner.passes.calibration.text import calibration_text
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.compensation import prune_compensated
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.pruning.second_order import SecondOrderPruning
from leanner.passes.pruning.wanda import WandaPruning
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static
from leanner.taggers.flair import FlairTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass


PASSES = [WandaPruning(0.5, articles=2), SecondOrderPruning(0.5, articles=2)]


def shaped(path: Path) -> FlairTagger:
    tagger = load_tagger(str(path))
    assert isinstance(tagger, FlairTagger)
    return tagger


def weights(tagger: FlairTagger) -> dict[str, nn.Linear]:
    return {name: layer for name, layer in encoder_linears(tagger.model) if isinstance(layer, nn.Linear)}


@pytest.mark.parametrize("leaner", PASSES, ids=lambda leaner: leaner.name)
def test_the_same_share_of_each_layer_and_nothing_else_changes(shaped_file: Path, leaner: Pass) -> None:
    before = {name: value.clone() for name, value in shaped(shaped_file).model.state_dict().items()}
    tagger = leaner(shaped(shaped_file))
    pruned = {f"{name}.weight" for name, _ in encoder_linears(tagger.model)}
    assert len(pruned) == 12
    for name, value in tagger.model.state_dict().items():
        if name in pruned:
            assert int((value == 0).sum()) == value.numel() // 2
        else:
            assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("leaner", PASSES, ids=lambda leaner: leaner.name)
def test_twice_is_the_same(shaped_file: Path, leaner: Pass) -> None:
    first, second = (leaner(shaped(shaped_file)).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_wanda_takes_the_lowest_products_of_each_row(shaped_file: Path) -> None:
    dense, leaner = shaped(shaped_file), WandaPruning(0.3, articles=2)(shaped(shaped_file))
    grams = gram_matrices(dense, weights(dense), calibration_text(2))
    for name, layer in weights(leaner).items():  # type: ignore[arg-type]
        before = weights(dense)[name].weight.detach().numpy()
        scores = np.abs(before) * np.sqrt(np.diag(grams[name].numpy())).astype(np.float32)
        expected = before.copy()
        for row, score in zip(expected, scores, strict=True):
            row[np.argsort(score, kind="stable")[: round(0.3 * len(row))]] = 0
        assert np.array_equal(layer.weight.detach().numpy(), expected), name


def test_second_order_is_layer_by_layer_of_the_unpruned_tagger(shaped_file: Path) -> None:
    dense, leaner = shaped(shaped_file), SecondOrderPruning(0.5, articles=2)(shaped(shaped_file))
    grams = gram_matrices(dense, weights(dense), calibration_text(2))
    for name, layer in weights(leaner).items():  # type: ignore[arg-type]
        assert torch.equal(layer.weight, prune_compensated(weights(dense)[name].weight, grams[name], 0.5)), name


def test_second_order_fills_in_no_zeros(shaped_file: Path) -> None:
    """What makes up for a pruned weight would be added to zeros of an earlier pass."""
    half, leaner = shaped(shaped_file), SecondOrderPruning(0.7, articles=2)
    MagnitudePruning(0.5, "layer")(half)
    before = {name: layer.weight.clone() for name, layer in weights(half).items()}
    with pytest.raises(NotRunnable, match="zeros among the weights: making up") as refused:
        leaner(half)
    assert str(refused.value) in leaner.refusals("cpu", None)
    assert all(torch.equal(layer.weight, before[name]) for name, layer in weights(half).items())
    # Which weights are small is no question of what they make up for.
    WandaPruning(0.7, articles=2)(half)


@pytest.mark.parametrize("leaner", PASSES, ids=lambda leaner: leaner.name)
def test_wrong_order_and_wrong_share(shaped_file: Path, leaner: Pass) -> None:
    assert leaner.describe() == {"name": leaner.name, "sparsity": 0.5, "articles": 2}
    with pytest.raises(ValueError, match="expected 0 <= sparsity < 1, found 1"):
        type(leaner)(1.0)  # type: ignore[call-arg]
    with pytest.raises(WrongOrder, match=f"{leaner.name} after StaticInt8Linear: prune first"):
        leaner(Int8Static(articles=1)(shaped(shaped_file)))
    with pytest.raises(WrongOrder, match=f"{leaner.name} after lean"):
        leaner(LeanRuntime()(shaped(shaped_file)))
