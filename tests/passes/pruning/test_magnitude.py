from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch import nn

from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.pruning.masks import lowest
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.static import Int8Static
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import linear_weights
from leanner.taggers.weights import weigh
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger


def state(tagger: FlairTagger) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tagger.model.state_dict().items()}


@pytest.mark.parametrize("sparsity", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_exactly_as_many_zeros_as_asked(shaped_file: Path, sparsity: float, scope: str) -> None:
    leaner = MagnitudePruning(sparsity, scope)(load_tagger(str(shaped_file)))  # type: ignore[arg-type]
    weights = weigh(leaner.model)
    if scope == "global":
        assert weights.linear - weights.linear_nonzero == round(sparsity * weights.linear)
    else:
        for _, module in encoder_linears(leaner.model):
            values = linear_weights(module)
            assert int((values == 0).sum()) == round(sparsity * values.numel())


def test_only_the_encoders_linear_layers_change_and_what_stays_is_larger(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    before = state(tagger)
    MagnitudePruning(0.4)(tagger)
    after = state(tagger)
    pruned = {f"{name}.weight" for name, _ in encoder_linears(tagger.model)}
    assert len(pruned) == 12
    gone, kept = [], []
    for name, value in before.items():
        if name not in pruned:
            assert torch.equal(after[name], value), name
            continue
        zero = after[name] == 0
        assert torch.equal(after[name][~zero], value[~zero])
        gone.append(value[zero].abs().max())
        kept.append(value[~zero].abs().min())
    assert max(gone) <= min(kept)


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=12), min_size=1, max_size=4),
    st.floats(0, 0.99),
)
def test_of_equal_weights_the_first_go(rows: list[list[int]], share: float) -> None:
    weights = [torch.tensor(row, dtype=torch.float32) for row in rows]
    expected = np.concatenate([np.array(row, dtype=float) for row in rows])
    expected[np.argsort(np.abs(expected), kind="stable")[: round(share * expected.size)]] = 0
    for weight, zero in zip(weights, lowest([weight.abs() for weight in weights], share), strict=True):
        weight.masked_fill_(zero, 0)
    assert torch.cat(weights).tolist() == expected.tolist()


def test_a_pruned_tagger_is_the_dense_one_with_zeros(shaped_file: Path) -> None:
    document = Document("1", "test", "1", frozenset(Label), (Sentence("Loss of PTEN in glioma of mice."),))
    leaner = MagnitudePruning(0.5)(load_tagger(str(shaped_file)))
    dense = load_tagger(str(shaped_file))
    for (_, module), (_, pruned) in zip(encoder_linears(dense.model), encoder_linears(leaner.model), strict=True):
        assert isinstance(module, nn.Linear)
        module.weight.data.mul_(linear_weights(pruned) != 0)
    assert list(dense.tag([document])) == list(leaner.tag([document]))


def test_zeros_survive_int8(shaped_file: Path) -> None:
    leaner = Int8Dynamic()(MagnitudePruning(0.5)(load_tagger(str(shaped_file))))
    sparsity = weigh(leaner.model).sparsity
    assert sparsity is not None
    assert 0.5 <= sparsity < 0.52


def test_it_describes_itself_and_checks_what_it_is_given(shaped_file: Path) -> None:
    assert MagnitudePruning(0.3, "layer").describe() == {"name": "magnitude-pruning", "sparsity": 0.3, "scope": "layer"}
    with pytest.raises(ValueError, match="expected 0 <= sparsity < 1, found 1"):
        MagnitudePruning(1.0)
    with pytest.raises(ValueError, match="expected global or layer, found 'head'"):
        MagnitudePruning(0.5, "head")  # type: ignore[arg-type]
    with pytest.raises(WrongOrder, match="magnitude-pruning after StaticInt8Linear: prune first"):
        MagnitudePruning(0.5)(Int8Static(articles=1)(load_tagger(str(shaped_file))))
