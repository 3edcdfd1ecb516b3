from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn
from transformers import BertConfig
from transformers import BertModel

from leanner.passes.calibration.inputs import Moments
from leanner.passes.pruning.compensation import DAMPING
from leanner.passes.pruning.features import fluctuation
from leanner.passes.pruning.features import keep_inputs
from leanner.passes.pruning.features import keep_outputs
from leanner.passes.pruning.features import removable
from leanner.passes.pruning.features import standardised
from leanner.passes.pruning.features import units_of


SEEDS = st.integers(0, 2**32 - 1)
SCORES = st.lists(st.lists(st.floats(-9, 9), min_size=1, max_size=8), min_size=1, max_size=5)


def bert(seed: int, heads: int, size: int, neurons: int) -> Any:  # noqa: ANN401 - transformers'
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = BertConfig(  # type: ignore[no-untyped-call]
            vocab_size=50,
            hidden_size=heads * size,
            num_hidden_layers=2,
            num_attention_heads=heads,
            intermediate_size=neurons,
            max_position_embeddings=20,
            initializer_range=0.5,
        )
        return BertModel(config, add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]


def states(model: Any, seed: int) -> Tensor:  # noqa: ANN401
    ids = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with torch.inference_mode():
        hidden: Tensor = model(ids, attention_mask=mask).last_hidden_state
    return hidden[mask.bool()]


def replace_inputs(layer: nn.Linear, gone: Tensor, means: Tensor) -> None:
    """Mask the module as it is: what comes in of the features that go becomes their mean."""

    def hook(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (torch.where(gone, means.to(given[0]), given[0]),)

    layer.register_forward_pre_hook(hook)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 4), st.integers(1, 8), st.integers(2, 40), st.data())
def test_without_neurons_it_is_the_masked_one_and_their_means(
    seed: int, heads: int, size: int, neurons: int, data: st.DataObject
) -> None:
    smaller, masked = (bert(seed, heads, size, neurons) for _ in range(2))
    generator = torch.Generator().manual_seed(seed)
    for block, other in zip(smaller.encoder.layer, masked.encoder.layer, strict=True):
        kept = torch.tensor(sorted(data.draw(st.sets(st.integers(0, neurons - 1), min_size=1))))
        means = torch.randn(neurons, generator=generator, dtype=torch.float64)
        keep_inputs(block.output.dense, kept, Moments(means, torch.ones_like(means)))
        keep_outputs(block.intermediate.dense, kept)
        gone = torch.ones(neurons, dtype=torch.bool)
        gone[kept] = False
        replace_inputs(other.output.dense, gone, means)
        assert tuple(block.intermediate.dense.weight.shape) == (len(kept), heads * size)
        assert tuple(block.output.dense.weight.shape) == (heads * size, len(kept))
        assert (block.intermediate.dense.out_features, block.output.dense.in_features) == (len(kept), len(kept))
    torch.testing.assert_close(states(smaller, seed), states(masked, seed), rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 30), st.data())
def test_a_bias_takes_the_means_also_where_there_was_none(seed: int, features: int, data: st.DataObject) -> None:
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(features, 4, bias=data.draw(st.booleans())).requires_grad_(requires_grad=False)
    kept = torch.tensor(sorted(data.draw(st.sets(st.integers(0, features - 1), min_size=1))))
    means = torch.randn(features, generator=generator, dtype=torch.float64)
    x = torch.randn(5, features, generator=generator)
    filled = means.float().repeat(5, 1)
    filled[:, kept] = x[:, kept]
    expected = layer(filled)
    keep_inputs(layer, kept, Moments(means, torch.ones_like(means)))
    torch.testing.assert_close(layer(x[:, kept]), expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(2, 12), st.data())
def test_least_squares_is_a_regression_of_what_goes_on_what_stays(
    seed: int, features: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, features)) @ rng.normal(size=(features, features)) + rng.normal(size=features)
    kept = sorted(data.draw(st.sets(st.integers(0, features - 1), min_size=1, max_size=features - 1)))
    gone = [feature for feature in range(features) if feature not in kept]
    layer = nn.Linear(features, 3).double().requires_grad_(requires_grad=False)
    weight, bias = layer.weight.numpy().copy(), layer.bias.numpy().copy()
    # Ridge regression as more rows: each coefficient is to be zero as well.
    centred = x - x.mean(axis=0)
    ridge = np.sqrt(DAMPING * x.var(axis=0, ddof=1).mean() * (len(x) - 1)) * np.eye(len(kept))
    targets = np.vstack([centred[:, gone], np.zeros((len(kept), len(gone)))])
    told, *_ = np.linalg.lstsq(np.vstack([centred[:, kept], ridge]), targets, rcond=None)
    filled = x.copy()
    filled[:, gone] = x[:, gone].mean(axis=0) + centred[:, kept] @ told
    covariance = torch.from_numpy(np.cov(x.T))
    moments = Moments(torch.from_numpy(x.mean(axis=0)), covariance.diagonal(), covariance)
    keep_inputs(layer, torch.tensor(kept), moments)
    found = layer(torch.from_numpy(x[:, kept])).numpy()
    np.testing.assert_allclose(found, filled @ weight.T + bias, rtol=1e-6, atol=1e-8)


@settings(deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(2, 30))
def test_the_metric_is_what_the_outputs_vary_by(seed: int, features: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, features)), rng.normal(size=(rows, features))
    # The outputs of one feature alone, their variances added up.
    expected = [np.var(np.outer(x[:, f], weight[:, f]), axis=0, ddof=1).sum() for f in range(features)]
    variance = torch.from_numpy(x.var(axis=0, ddof=1))
    np.testing.assert_allclose(fluctuation(torch.from_numpy(weight), variance).numpy(), expected, rtol=1e-9)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.floats(1e-3, 1e3), st.floats(0, 1e3))
def test_standardised_metrics_compare(values: list[int], scale: float, offset: float) -> None:
    metric = torch.tensor(values, dtype=torch.float64)
    found = standardised(scale * metric + offset).numpy()
    if len(set(values)) == 1:
        assert not found.any()
    else:
        np.testing.assert_allclose(found, (np.array(values) - np.mean(values)) / np.std(values), rtol=1e-6, atol=1e-6)


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=40), st.integers(1, 9))
def test_units_hold_every_feature_once(values: list[float], unit: int) -> None:
    metric = torch.tensor(values, dtype=torch.float64)
    for ranked in (False, True):
        units = units_of(metric, unit, ranked=ranked)
        assert all(len(own) == unit for own in units[:-1])
        assert sorted(torch.cat(units).tolist()) == list(range(len(values)))
    assert torch.cat(units_of(metric, unit, ranked=False)).tolist() == list(range(len(values)))
    ordered = [values[number] for number in torch.cat(units_of(metric, unit, ranked=True)).tolist()]
    assert ordered == sorted(values, reverse=True)


@given(SCORES, st.floats(0, 0.999))
def test_the_lowest_units_go_and_each_set_keeps_its_highest(scores: list[list[float]], share: float) -> None:
    total = sum(map(len, scores))
    gone = [own.tolist() for own in removable([torch.tensor(own, dtype=torch.float64) for own in scores], share)]
    number = min(round(share * total), total - len(scores))
    assert sum(map(sum, gone)) == number
    # One unit after the other: the lowest of those that leave a higher or equal one in their set.
    best = [own.index(max(own)) for own in scores]
    candidates = [(score, i, j) for i, own in enumerate(scores) for j, score in enumerate(own) if j != best[i]]
    chosen = {(i, j) for _, i, j in sorted(candidates)[:number]}
    assert {(i, j) for i, own in enumerate(gone) for j, goes in enumerate(own) if goes} == chosen
