"""2:4 pruning: the masks here, the kernels as far as a CPU shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn
from torch.sparse import _semi_structured_conversions

from leanner.passes.calibration.text import calibration_text
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.compensation import inverse_factor
from leanner.passes.pruning.compensation import prune_compensated
from leanner.passes.pruning.masks import lowest_of_rows
from leanner.passes.pruning.semi_structured import SIZES
from leanner.passes.pruning.semi_structured import SemiStructuredKernels
from leanner.passes.pruning.semi_structured import SemiStructuredPruning
from leanner.passes.pruning.sparse_kernels import SparseLinear
from leanner.passes.pruning.sparse_kernels import check_layers
from leanner.passes.pruning.sparse_kernels import use_kernels
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import linear_weights
from leanner.taggers.weights import weigh


def zeros_in_fours(weight: Tensor) -> Tensor:
    """How many of every four neighbours in a row are zero."""
    return (weight.reshape(len(weight), -1, 4) == 0).sum(-1)


def step_by_step(weight: Tensor, gram: Tensor) -> Tensor:
    """The surgeon's formula, column by column, with a new choice at every fourth: no blocks."""
    result, factor = weight.clone(), inverse_factor(gram)
    for column in range(weight.shape[1]):
        if column % 4 == 0:
            scores = (result[:, column : column + 4] / factor.diagonal()[column : column + 4]) ** 2
            gone = torch.zeros_like(scores, dtype=torch.bool)
            for row, score in enumerate(scores):
                gone[row, np.argsort(score.numpy(), kind="stable")[: round(len(score) / 2)].tolist()] = True
        error = torch.where(gone[:, column % 4], result[:, column], 0.0) / factor[column, column]
        result[:, column:] -= torch.outer(error, factor[column, column:])
        result[:, column] = torch.where(gone[:, column % 4], 0.0, result[:, column])
    return result


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 5), st.sampled_from([4, 8, 128]))
def test_two_of_four_go_and_the_others_make_up_for_them(seed: int, rows: int, fours: int, block: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, 4 * fours, generator=generator, dtype=torch.float64)
    inputs = torch.randn(60, 4 * fours, generator=generator, dtype=torch.float64).cumsum(1)
    gram = inputs.T @ inputs / len(inputs)
    found = prune_compensated(weight, gram, 0.5, block=block, among=4)
    assert (zeros_in_fours(found) == 2).all()
    torch.testing.assert_close(found, step_by_step(weight, gram), rtol=1e-6, atol=1e-8)


def test_neighbours_are_in_one_block() -> None:
    with pytest.raises(ValueError, match="expected a block of a multiple of 4 columns, found 6"):
        prune_compensated(torch.ones(2, 12), torch.eye(12), 0.5, block=6, among=4)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), min_size=1, max_size=4), st.floats(0, 1))
def test_the_lowest_of_each_row(rows: list[list[int]], share: float) -> None:
    found = lowest_of_rows(torch.tensor(rows, dtype=torch.float32), share)
    for row, chosen in zip(rows, found, strict=True):
        assert set(chosen.nonzero().flatten().tolist()) == set(
            np.argsort(np.array(row), kind="stable")[: round(share * 5)].tolist()
        )


def test_every_layer_is_2_of_4_and_nothing_else_changes(shaped_file: Path) -> None:
    before = load_tagger(str(shaped_file)).model.state_dict()
    tagger = SemiStructuredPruning(articles=2)(load_tagger(str(shaped_file)))
    pruned = {f"{name}.weight" for name, _ in encoder_linears(tagger.model)}
    for name, value in tagger.model.state_dict().items():
        if name in pruned:
            assert (zeros_in_fours(value) == 2).all(), name
        else:
            assert torch.equal(value, before[name]), name
    documents = calibration_text(1)
    assert list(LeanRuntime()(tagger).tag(documents)) == list(tagger.tag(documents))


def test_torchs_own_format_holds_all_of_it() -> None:
    torchs: Any = _semi_structured_conversions
    compress, restore = (
        torchs.sparse_semi_structured_from_dense_cutlass,
        torchs.sparse_semi_structured_to_dense_cutlass,
    )
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(64, 128, generator=generator)
    pruned = prune_compensated(weight, torch.eye(128), 0.5, among=4).half()
    packed, meta = compress(pruned)
    assert packed.numel() == weight.numel() // 2
    assert torch.equal(restore(packed, meta), pruned)
    dense = weight.half()
    packed, meta = compress(dense)
    assert not torch.equal(restore(packed, meta), dense)


def compressed_by_hand(weight: Tensor) -> Any:  # noqa: ANN401
    """What stands for torch's own, which is for GPUs only: a dense tensor that says what a compressed one says."""
    fake: Any = weight.clone()
    fake.packed, fake.meta = weight[weight != 0], torch.zeros(weight.numel() // 16, dtype=torch.int16)
    return fake


def test_a_layer_on_kernels_is_the_dense_one_with_zeros_and_stores_half(shaped_file: Path) -> None:
    documents = calibration_text(1)
    tagger = SemiStructuredPruning(articles=1)(load_tagger(str(shaped_file)))
    expected, dense = list(tagger.tag(documents)), weigh(tagger.model)
    weights = {name: linear_weights(layer).clone() for name, layer in encoder_linears(tagger.model)}
    use_kernels(tagger, compressed_by_hand)
    layers = dict(encoder_linears(tagger.model))
    assert layers.keys() == weights.keys()
    assert all(isinstance(layer, SparseLinear) for layer in layers.values())
    assert all(torch.equal(linear_weights(layer), weights[name]) for name, layer in layers.items())
    assert list(tagger.tag(documents)) == expected
    assert list(LeanRuntime()(tagger).tag(documents)) == expected
    leaner = weigh(tagger.model)
    assert (leaner.linear, leaner.flops, leaner.sparsity) == (dense.linear, dense.flops, 0.5)
    saved = dense.bytes_by_dtype["float32"] - leaner.bytes_by_dtype["float32"]
    assert saved == 4 * dense.linear // 2
    assert leaner.bytes_by_dtype["int16"] == 2 * dense.linear // 16


def test_layers_that_the_kernels_do_not_take(shaped_file: Path) -> None:
    with pytest.raises(NotRunnable) as caught:
        check_layers(load_tagger(str(shaped_file)), "kernels")
    assert str(caught.value) == SIZES
    with pytest.raises(WrongOrder, match="kernels after Int8Linear: the kernels multiply 16-bit floats"):
        check_layers(Int8Dynamic()(load_tagger(str(shaped_file))), "kernels")
    tagger = load_tagger(str(shaped_file))
    encoder: Any = tagger.model
    encoder.embeddings.model.encoder.layer = nn.ModuleList([nn.Linear(64, 32), nn.Linear(128, 96)])
    check_layers(tagger, "kernels")


def test_on_a_cpu_nothing_is_pruned_for_kernels_that_it_does_not_have(shaped_file: Path) -> None:
    kernels = SemiStructuredKernels()
    assert isinstance(kernels, Particular)
    tagger = load_tagger(str(shaped_file))
    before = {name: value.clone() for name, value in tagger.model.state_dict().items()}
    with pytest.raises(NotRunnable, match="2:4 kernels need a GPU with sparse tensor cores, found cpu") as caught:
        kernels(tagger)
    assert str(caught.value) in kernels.refusals("cpu", None)
    assert all(torch.equal(value, before[name]) for name, value in tagger.model.state_dict().items())
    on_gpu = kernels.refusals("cuda", "Some GPU")
    assert SIZES in on_gpu
    assert any(reason.startswith("Some GPU has no sparse tensor cores") for reason in on_gpu)


def test_they_describe_themselves_and_check_what_they_are_given(shaped_file: Path) -> None:
    assert SemiStructuredPruning().describe() == {"name": "semi-structured-pruning", "sparsity": 0.5, "articles": None}
    described = {"name": "semi-structured-kernels", "sparsity": 0.5, "dtype": "float16", "articles": None}
    assert SemiStructuredKernels().describe() == described
    with pytest.raises(ValueError, match=r"expected sparsity 0\.5, which is what 2:4 is, found 0\.3"):
        SemiStructuredPruning(0.3)
    with pytest.raises(ValueError, match="expected bfloat16 or float16, found 'float32'"):
        SemiStructuredKernels("float32")  # type: ignore[arg-type]
    with pytest.raises(WrongOrder, match="semi-structured-pruning after lean"):
        SemiStructuredPruning()(LeanRuntime()(load_tagger(str(shaped_file))))
