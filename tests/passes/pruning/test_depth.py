"""Whole layers go: those that change least."""

from __future__ import annotations

import copy

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn

from leanner.corpora.load import load_corpus
from leanner.passes.calibration.states import hidden_states
from leanner.passes.calibration.text import calibration_text
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.depth import LayerPruning
from leanner.passes.pruning.influence import block_influence
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger


class Through(nn.Module):
    """A layer that changes nothing."""

    def forward(self, hidden: Tensor, *_: object, **__: object) -> tuple[Tensor]:
        """Return what comes in, as transformers' layers return it."""
        return (hidden,)


def deep(path: Path) -> FlairTagger:
    """A tagger with four layers, of which the second changes least, then the fourth."""
    tagger = load_tagger(str(path))
    encoder: Any = tagger.model
    encoder = encoder.embeddings.model
    blocks = [copy.deepcopy(encoder.encoder.layer[number]) for number in (0, 1, 1, 0)]
    for block, scale in ((blocks[1], 0.02), (blocks[3], 0.1)):
        for layer in (block.attention.output.dense, block.output.dense):
            layer.weight.data.mul_(scale)
    encoder.encoder.layer = nn.ModuleList(blocks)
    encoder.config.num_hidden_layers = 4
    return tagger


def layers(tagger: Any) -> list[Any]:  # noqa: ANN401
    return list(tagger.model.embeddings.model.encoder.layer)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 5))
def test_influence_is_one_minus_the_mean_cosine_of_all_positions(seed: int, lengths: list[int], depth: int) -> None:
    rng = np.random.default_rng(seed)
    batches = [[rng.normal(size=(length, 6)) for _ in range(depth + 1)] for length in lengths]
    found = block_influence(tuple(torch.from_numpy(state) for state in states) for states in batches)
    for number in range(depth):
        cosines = [
            float(x @ y / np.sqrt((x @ x) * (y @ y)))
            for states in batches
            for x, y in zip(states[number], states[number + 1], strict=True)
        ]
        assert float(found[number]) == pytest.approx(1 - np.mean(cosines), abs=1e-9)


@pytest.mark.parametrize(("count", "kept"), [(1, [0, 2, 3]), (2, [0, 2])])
@pytest.mark.parametrize("indexes", [[-1], [4]])
def test_it_is_the_tagger_whose_least_changing_layers_let_all_through(
    shaped_file: Path, count: int, kept: list[int], indexes: list[int]
) -> None:
    documents = tuple(load_corpus(["bundled"], sentences=40))
    dense = deep(shaped_file)
    influence = block_influence(hidden_states(dense, calibration_text(2)))
    assert influence.argsort().tolist()[:2] == [1, 3]
    given: Any = deep(shaped_file)
    given.model.embeddings.layer_indexes = list(indexes)
    smaller = LayerPruning(count, articles=2)(given)
    for left, number in zip(layers(smaller), kept, strict=True):
        for name, value in left.state_dict().items():
            assert torch.equal(value, layers(dense)[number].state_dict()[name])
    model: Any = dense.model
    for number in set(range(4)) - set(kept):
        model.embeddings.model.encoder.layer[number] = Through()
    expected = list(dense.tag(documents))
    assert list(smaller.tag(documents)) == expected
    assert list(LeanRuntime()(smaller).tag(documents)) == expected
    assert sum(len(spans) for prediction in expected for spans in prediction) > 50


def test_parameters_bytes_and_operations_fall_by_a_layer(shaped_file: Path) -> None:
    before = deep(shaped_file)
    gone = sum(parameter.numel() for parameter in layers(before)[1].parameters())
    linear = 4 * 32 * 32 + 2 * 32 * 64
    first, after = weigh(before.model), weigh(LayerPruning(1, articles=1)(deep(shaped_file)).model)
    assert first.parameters - after.parameters == gone
    assert first.bytes_by_dtype["float32"] - after.bytes_by_dtype["float32"] == 4 * gone
    assert first.flops - after.flops == 2 * linear


def test_wrong_order_wrong_number_and_what_cannot_be_run(shaped_file: Path) -> None:
    leaner = LayerPruning(2, articles=1)
    assert leaner.describe() == {"name": "layer-pruning", "layers": 2, "articles": 1}
    with pytest.raises(ValueError, match="expected at least one layer to go, found 0"):
        LayerPruning(0)
    with pytest.raises(WrongOrder, match="layer-pruning after Int8Linear: prune first"):
        leaner(Int8Dynamic()(deep(shaped_file)))
    with pytest.raises(WrongOrder, match="layer-pruning after lean"):
        leaner(LeanRuntime()(deep(shaped_file)))
    assert isinstance(leaner, Particular)
    # This one has two layers.
    with pytest.raises(NotRunnable, match="without 2 of its layers the encoder would have none") as caught:
        leaner(load_tagger(str(shaped_file)))
    assert str(caught.value) in leaner.refusals("cpu", None)
