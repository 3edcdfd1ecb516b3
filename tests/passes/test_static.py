from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn

from leanner.passes import static
from leanner.passes.calibration.inputs import input_ranges
from leanner.passes.calibration.text import calibration_text
from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import exact_weight_bits
from leanner.passes.int8 import has_onednn
from leanner.passes.int8_static import Affine
from leanner.passes.int8_static import StaticInt8Linear
from leanner.passes.int8_static import smoothing_of
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import NO_ONEDNN
from leanner.passes.static import REACH
from leanner.passes.static import Int8Static
from leanner.taggers.flair import FlairTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def bits() -> int:
    found = exact_weight_bits(torch.device("cpu"), packed=True)
    assert found is not None
    return found


def layer_and_inputs(seed: int, inputs: int = 24, outputs: int = 10) -> tuple[nn.Linear, Tensor]:
    """A layer, and inputs of which one is far larger than the others."""
    generator = torch.Generator().manual_seed(seed)
    linear = nn.Linear(inputs, outputs).requires_grad_(requires_grad=False)
    for parameter in linear.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    x = torch.randn(40, inputs, generator=generator)
    x[:, 3] *= 30
    return linear, x


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8))
def test_a_range_covers_its_values_and_zero(values: list[float]) -> None:
    tensor = torch.tensor(values)
    affine = Affine.covering(tensor, tensor)
    assert 0 <= affine.zero <= 255
    for value in (*values, 0.0):
        step = min(max(round(value / affine.scale) + affine.zero, 0), 255)
        assert abs((step - affine.zero) * affine.scale - value) <= affine.scale * 1.01


def test_only_inputs_that_reach_far_are_brought_down() -> None:
    lowest, highest = torch.tensor([-1.0, -2.0, -60.0, -1.0, 0.0]), torch.tensor([1.0, 1.0, 3.0, 2.0, 0.0])
    expected = [1.0, 1.0, 60 / (2 * REACH), 1.0, 1.0]  # the median of 1, 2, 60 and 2 is 2
    assert smoothing_of(lowest, highest).tolist() == pytest.approx(expected)
    assert smoothing_of(torch.zeros(3), torch.zeros(3)).tolist() == [1.0] * 3


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_the_error_is_within_its_bound(bits: int, seed: int) -> None:
    linear, x = layer_and_inputs(seed)
    lowest, highest = x.amin(0), x.amax(0)
    smoothing = smoothing_of(lowest, highest)
    affine = Affine.covering(lowest, highest, smoothing)
    layer = StaticInt8Linear(linear, affine, smoothing=smoothing, weight_bits=bits)
    weight = linear.weight.double()
    exact = x.double() @ weight.T + linear.bias.double()
    # Half a step of each input, after the division, and half a step of each weight, times what they meet.
    smooth, even = weight * smoothing, x.double() / smoothing
    weight_step = smooth.abs().amax(-1) / (2 ** (bits - 1) - 1)
    bound = affine.scale * (0.5 * smooth.abs().sum(-1)) + 0.5 * weight_step * even.abs().sum(-1, keepdim=True)
    bound = bound + 0.25 * affine.scale * weight_step * len(smoothing)
    assert ((layer(x) - exact).abs() <= 1.02 * bound + 1e-4).all()


def test_smoothing_is_worth_it(bits: int) -> None:
    linear, x = layer_and_inputs(1)
    lowest, highest = x.amin(0), x.amax(0)
    smoothing = smoothing_of(lowest, highest)
    smooth = StaticInt8Linear(
        linear, Affine.covering(lowest, highest, smoothing), smoothing=smoothing, weight_bits=bits
    )
    plain = StaticInt8Linear(linear, Affine.covering(lowest, highest), weight_bits=bits)
    errors = [float((layer(x) - linear(x)).square().mean()) for layer in (smooth, plain)]
    assert errors[0] < 0.5 * errors[1]
    torch.testing.assert_close(smooth.weight, linear.weight, rtol=0, atol=0.3)


def test_gelu_in_the_kernel_is_gelu_after_it(bits: int) -> None:
    linear, x = layer_and_inputs(2)
    affine = Affine.covering(x.amin(0), x.amax(0))
    plain = StaticInt8Linear(linear, affine, weight_bits=bits)
    expected = nn.functional.gelu(plain(x))
    made = Affine.covering(expected.amin(0), expected.amax(0))
    joined = StaticInt8Linear(linear, affine, made=made, weight_bits=bits)(x)
    assert joined.dtype == torch.uint8
    values = (joined.float() - made.zero) * made.scale
    torch.testing.assert_close(values, expected, rtol=0, atol=0.51 * made.scale + 1e-4)


@pytest.mark.parametrize("made", [None, Affine(0.05, 3)])
def test_a_layer_of_the_stored_rows_is_the_same(bits: int, made: Affine | None) -> None:
    linear, x = layer_and_inputs(4)
    smoothing = smoothing_of(x.amin(0), x.amax(0))
    layer = StaticInt8Linear(
        linear, Affine.covering(x.amin(0), x.amax(0), smoothing), smoothing=smoothing, made=made, weight_bits=bits
    )
    again = StaticInt8Linear.from_static_rows(
        layer.weights().contiguous(),
        layer.scale,
        layer.bias,
        given=layer.given,
        smoothing=layer.smoothing,
        made=layer.made,
        weight_bits=layer.weight_bits,
    )
    assert torch.equal(again(x), layer(x))
    assert torch.equal(again.quantize(x), layer.quantize(x))
    assert torch.equal(again.weight, layer.weight)


def test_an_input_outside_the_range_gets_its_end_and_uint8_is_taken_as_it_is(bits: int) -> None:
    linear, x = layer_and_inputs(3)
    affine = Affine.covering(torch.full((24,), -1.0), torch.full((24,), 1.0))
    layer = StaticInt8Linear(linear, affine, weight_bits=bits)
    torch.testing.assert_close(layer(100 * x.sign()), layer(x.sign()), rtol=0, atol=0.3)
    assert torch.equal(layer(layer.quantize(x)), layer(x))
    assert layer(x.view(2, 20, 24)).shape == (2, 20, 10)


def shaped(path: Path) -> FlairTagger:
    tagger = load_tagger(str(path))
    assert isinstance(tagger, FlairTagger)
    return tagger


@pytest.fixture
def quantized(shaped_file: Path) -> FlairTagger:
    tagger = Int8Static(articles=4)(shaped(shaped_file))
    assert isinstance(tagger, FlairTagger)
    return tagger


def test_every_linear_layer_and_embedding_is_int8(quantized: FlairTagger) -> None:
    kinds = [type(module) for _, module in encoder_linears(quantized.model)]
    assert kinds == [StaticInt8Linear] * 12
    model: Any = quantized.model
    assert type(model.linear) is Int8Linear
    assert not any(type(module) in (nn.Linear, nn.Embedding) for module in _used(quantized))
    assert any(type(module) is Int8Embedding for module in _used(quantized))
    assert weigh(quantized.model).weights_mb < 0.3 * 4 * quantized_parameters(quantized) / 1e6


def _used(tagger: FlairTagger) -> Iterator[nn.Module]:
    return (module for name, module in tagger.model.named_modules() if "pooler" not in name)


def quantized_parameters(tagger: FlairTagger) -> int:
    return weigh(tagger.model).parameters


def test_layers_with_one_input_store_it_alike(quantized: FlairTagger) -> None:
    layers: Any = dict(encoder_linears(quantized.model))
    queries = [name for name in layers if name.endswith("query")]
    assert len(queries) == 2
    for name in queries:
        query, key, value = (layers[name.replace("query", other)] for other in ("query", "key", "value"))
        assert query.given == key.given == value.given
        assert torch.equal(query.smoothing, key.smoothing)
        assert torch.equal(query.smoothing, value.smoothing)


def test_ranges_are_the_smallest_and_largest_inputs(shaped_file: Path) -> None:
    tagger = shaped(shaped_file)
    layers = dict(encoder_linears(tagger.model))
    name, layer = next(iter(layers.items()))
    seen: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    lowest, highest = input_ranges(tagger, layers, calibration_text(3))[name]
    everything = torch.cat([x.reshape(-1, x.shape[-1]) for x in seen])
    assert torch.equal(lowest, everything.amin(0))
    assert torch.equal(highest, everything.amax(0))


def test_it_gives_nearly_the_spans_of_fp32_and_the_lean_runtime_nearly_its_own() -> None:
    documents = calibration_text(6)
    dense = list(load_tagger("bundled").tag(documents))
    tagger = Int8Static()(load_tagger("bundled"))
    flair = list(tagger.tag(documents))
    for other in (dense, list(LeanRuntime()(tagger).tag(documents))):
        pairs = [pair for a, b in zip(other, flair, strict=True) for pair in zip(a, b, strict=True)]
        assert sum(a == b for a, b in pairs) >= 0.85 * len(pairs)


def test_zeros_survive(shaped_file: Path) -> None:
    sparsity = weigh(Int8Static(articles=2)(MagnitudePruning(0.5)(shaped(shaped_file))).model).sparsity
    assert sparsity is not None
    assert 0.5 <= sparsity < 0.53


def test_where_it_cannot_run(shaped_file: Path, monkeypatch: pytest.MonkeyPatch, quantized: FlairTagger) -> None:
    with pytest.raises(WrongOrder, match="int8 twice"):
        Int8Static()(quantized)
    with pytest.raises(WrongOrder, match="int8 twice"):
        Int8Dynamic()(quantized)
    monkeypatch.setattr("leanner.passes.int8.has_onednn", lambda: False)
    with pytest.raises(NotRunnable, match="oneDNN"):
        Int8Static()(shaped(shaped_file))
    assert static.Int8Static().refusals("cuda", None) == (NO_ONEDNN,)
    assert NO_ONEDNN in static.Int8Static().refusals("cpu", None)
    described = {
        "weight_scales": "row",
        "activation_scales": "tensor",
        "reach": REACH,
        "embeddings": True,
        "articles": None,
    }
    assert Int8Static().describe() == {"name": "int8-static", "bits": 8, **described}
