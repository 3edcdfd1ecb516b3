from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torch import nn

from leanner.taggers.load import load_tagger
from leanner.taggers.weights import linear_weights
from leanner.taggers.weights import weigh
from leanner.taggers.weights import weights_sha256


# Two layers of a hidden size of 32 and an inner size of 64: 4 * 32 * 32 + 2 * 32 * 64 weights each.
LINEAR = 2 * (4 * 32 * 32 + 2 * 32 * 64)


def test_a_tiny_tagger_weighed_by_hand(shaped_file: Path) -> None:
    model = load_tagger(str(shaped_file)).model
    weights = weigh(model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert weights.parameters == parameters
    assert weights.bytes_by_dtype == {"float32": 4 * parameters}
    assert weights.weights_mb == pytest.approx(4 * parameters / 1e6)
    assert (weights.linear, weights.linear_nonzero, weights.sparsity) == (LINEAR, LINEAR, 0.0)
    head = 32 * 21  # O, and S, B, E, I of five labels
    assert weights.flops == 2 * (LINEAR + head)


def test_zeros_are_counted(shaped_file: Path) -> None:
    model = load_tagger(str(shaped_file)).model
    before = weigh(model)
    layer = model.get_submodule("embeddings.model.encoder.layer.0.intermediate.dense")
    linear_weights(layer)[:, :8] = 0
    after = weigh(model)
    assert before.linear_nonzero - after.linear_nonzero == 64 * 8
    assert after.sparsity == pytest.approx(64 * 8 / LINEAR)
    assert before.flops - after.flops == 2 * 64 * 8


def test_a_shared_tensor_is_counted_once() -> None:
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    assert weigh(nn.Sequential(first, second)).parameters == 9


def test_a_model_without_transformer_has_no_sparsity() -> None:
    assert weigh(nn.Sequential(nn.Linear(2, 2))).sparsity is None


def test_the_digest_sees_every_bit_name_and_type() -> None:
    model = nn.Linear(4, 4)
    digest = weights_sha256(model)
    assert weights_sha256(model) == digest
    assert weights_sha256(nn.Sequential(model)) != digest
    with torch.no_grad():
        model.weight[3, 3] = torch.nextafter(model.weight[3, 3], torch.tensor(torch.inf))
    changed = weights_sha256(model)
    assert changed != digest
    assert weights_sha256(model.bfloat16()) != changed


def test_only_linear_layers_have_linear_weights() -> None:
    with pytest.raises(TypeError, match="expected a linear layer, found LayerNorm"):
        linear_weights(nn.LayerNorm(2))
