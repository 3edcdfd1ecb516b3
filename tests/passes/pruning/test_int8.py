"""Pruning of what is stored as int8, and its reverse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from torch import nn

from leanner.passes.calibration.inputs import gram_matrices
from leanner.passes.calibration.text import calibration_text
from leanner.passes.int8 import Int8Linear
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.pruning.second_order import SecondOrderPruning
from leanner.passes.pruning.wanda import WandaPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.flair import FlairTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import linear_weights


if TYPE_CHECKING:
    from torch import Tensor

    from leanner.passes.protocol import Pass
    from leanner.taggers.protocol import Tagger


PASSES = [MagnitudePruning(0.5, "layer"), WandaPruning(0.5, articles=2), SecondOrderPruning(0.5, articles=2)]
EACH = pytest.mark.parametrize("pruning", PASSES, ids=lambda pruning: pruning.name)


def stored(tagger: Tagger) -> dict[str, Tensor]:
    return {name: linear_weights(layer).clone() for name, layer in encoder_linears(tagger.model)}


@EACH
def test_half_of_the_stored_integers_of_each_layer_are_zero(shaped_file: Path, pruning: Pass) -> None:
    before = stored(Int8Dynamic()(load_tagger(str(shaped_file))))
    after = stored(pruning(Int8Dynamic()(load_tagger(str(shaped_file)))))
    for name, values in after.items():
        assert values.dtype == torch.int8
        # Some are zero already, and an update can round to zero.
        assert 0.5 <= float((values == 0).float().mean()) < 0.56, name
        assert not torch.equal(values, before[name])


@EACH
def test_the_other_order_is_another_tagger(shaped_file: Path, pruning: Pass) -> None:
    one = stored(pruning(Int8Dynamic()(load_tagger(str(shaped_file)))))
    other = stored(Int8Dynamic()(pruning(load_tagger(str(shaped_file)))))
    assert any(not torch.equal(values, other[name]) for name, values in one.items())


def test_magnitude_keeps_the_other_integers(shaped_file: Path) -> None:
    before = stored(Int8Dynamic()(load_tagger(str(shaped_file))))
    after = stored(MagnitudePruning(0.5, "layer")(Int8Dynamic()(load_tagger(str(shaped_file)))))
    for name, values in after.items():
        assert torch.equal(values, before[name].masked_fill(values == 0, 0)), name


def test_rounding_is_made_up_for(shaped_file: Path) -> None:
    dense = load_tagger(str(shaped_file))
    assert isinstance(dense, FlairTagger)
    layers = dict(encoder_linears(dense.model))
    grams = gram_matrices(dense, layers, calibration_text(2))

    def error(leaner: Tagger) -> float:
        total = 0.0
        for name, layer in encoder_linears(leaner.model):
            original = layers[name]
            assert isinstance(original, nn.Linear)
            assert isinstance(layer, Int8Linear)
            difference = (layer.weight - original.weight).detach().double()
            total += float((difference @ grams[name] * difference).sum())
        return total

    compensated = SecondOrderPruning(0.5, articles=2)(Int8Dynamic()(load_tagger(str(shaped_file))))
    plain = MagnitudePruning(0.5, "layer")(Int8Dynamic()(load_tagger(str(shaped_file))))
    assert error(compensated) < 0.9 * error(plain)


@pytest.mark.parametrize("packed", [True, False])
def test_a_layer_stores_the_nearest_that_its_scales_have(*, packed: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    linear = nn.Linear(12, 5).requires_grad_(requires_grad=False)
    layer = Int8Linear(linear, packed=packed or None)
    wanted = torch.randn(5, 12, generator=generator)
    # By columns in memory, as what oneDNN's layout is turned back into.
    layer.store(wanted.t().contiguous().t())
    limit = 127 * layer.scale.unsqueeze(-1)
    nearest = torch.maximum(torch.minimum(wanted, limit), -limit)
    assert ((layer.weight - nearest).abs() <= 0.501 * layer.scale.unsqueeze(-1)).all()
    for column in range(12):
        torch.testing.assert_close(layer.rounded(wanted[:, column]), layer.weight[:, column])
