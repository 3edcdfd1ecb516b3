from __future__ import annotations

import timeit

from functools import partial
from pathlib import Path

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn

from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import exact_weight_bits
from leanner.passes.int8 import has_onednn
from leanner.passes.int8 import is_exact
from leanner.passes.int8 import quantize_rows


KERNELS = [False, pytest.param(True, marks=pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here"))]
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 24))
SPREADS = st.floats(1e-6, 1e6)


def linear_of(inputs: int, outputs: int, generator: torch.Generator, *, bias: bool = True) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, bias=bias).requires_grad_(requires_grad=False)
    for parameter in linear.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return linear


def steps(values: Tensor, bits: int = 8) -> Tensor:
    """The quantization step of each row, by another road than ``quantize_rows``."""
    largest: int = 2 ** (bits - 1) - 1
    return values.double().abs().amax(-1, keepdim=True) / largest


def exact_bits(*, packed: bool) -> int:
    """Bits that the kernel multiplies exactly: 7 with oneDNN on a CPU without VNNI."""
    bits = exact_weight_bits(torch.device("cpu"), packed=packed)
    assert bits is not None
    return bits


@given(SEEDS, SPREADS, st.sampled_from([8, 7]))
def test_a_value_is_within_half_a_step(seed: int, spread: float, bits: int) -> None:
    values = spread * torch.randn(4, 33, generator=torch.Generator().manual_seed(seed))
    quantized, scale = quantize_rows(values, bits)
    assert quantized.dtype == torch.int8
    assert quantized.abs().amax(-1).tolist() == [2 ** (bits - 1) - 1] * 4
    error = (quantized.double() * scale.double() - values.double()).abs()
    assert (error <= steps(values, bits) * (0.5 + 1e-4)).all()


def test_a_row_of_zeros_stays_zero() -> None:
    quantized, scale = quantize_rows(torch.zeros(2, 3))
    assert not quantized.any()
    assert torch.isfinite(scale).all()


@pytest.mark.parametrize("packed", KERNELS)
@given(seed=SEEDS, sizes=SIZES, spread=SPREADS)
def test_the_error_of_a_layer_is_within_its_bound(
    *, packed: bool, seed: int, sizes: tuple[int, int, int], spread: float
) -> None:
    # y = sum x w; with |dx| <= sx/2 and |dw| <= sw/2: |dy| <= sum |x| sw/2 + |w| sx/2 + sx sw/4.
    generator = torch.Generator().manual_seed(seed)
    tokens, inputs, outputs = sizes
    linear = linear_of(inputs, outputs, generator)
    x = spread * torch.randn(tokens, inputs, generator=generator)
    weight = linear.weight.double()
    bits = exact_bits(packed=packed)
    step_x, step_w = steps(x), steps(weight, bits).T
    bound = x.double().abs().sum(-1, keepdim=True) * step_w / 2
    bound += weight.abs().sum(-1).unsqueeze(0) * step_x / 2 + inputs * step_x * step_w / 4
    exact = x.double() @ weight.T + linear.bias.double()
    error = (Int8Linear(linear, packed=packed, weight_bits=bits)(x).double() - exact).abs()
    assert (error <= bound * (1 + 1e-3) + 1e-5 * (1 + exact.abs())).all()


@pytest.mark.parametrize("packed", KERNELS)
def test_a_token_does_not_depend_on_its_neighbours(*, packed: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Int8Linear(linear_of(64, 48, generator), packed=packed)
    token = torch.randn(1, 64, generator=generator)
    loud = 1000 * torch.randn(30, 64, generator=generator)
    assert torch.equal(layer(torch.cat([token, loud]))[:1], layer(token))


@pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")
@settings(deadline=None)  # a kernel is compiled for each new shape
@given(SEEDS, SIZES)
def test_the_kernels_agree(seed: int, sizes: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens, inputs, outputs = sizes
    linear = linear_of(inputs, outputs, generator)
    x = torch.randn(tokens, inputs, generator=generator)
    bits = exact_bits(packed=True)
    packed, plain = (Int8Linear(linear, packed=p, weight_bits=bits) for p in (True, False))
    assert torch.equal(packed.weights(), plain.weights())
    torch.testing.assert_close(packed(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("packed", KERNELS)
@settings(deadline=None)  # a kernel is compiled for each new shape
@given(seed=SEEDS, sizes=SIZES, bits=st.sampled_from([8, 7]))
def test_a_layer_of_the_stored_rows_is_the_same(
    *, packed: bool, bias: bool, seed: int, sizes: tuple[int, int, int], bits: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens, inputs, outputs = sizes
    layer = Int8Linear(linear_of(inputs, outputs, generator, bias=bias), packed=packed, weight_bits=bits)
    # Rows as a file has them, whatever layout the weights had.
    again = Int8Linear.from_rows(
        layer.weights().contiguous(), layer.scale, layer.bias, packed=packed, weight_bits=layer.weight_bits
    )
    x = torch.randn(tokens, inputs, generator=generator)
    assert torch.equal(again(x), layer(x))
    assert torch.equal(again.weights(), layer.weights())
    assert (again.weight_bits, again.in_features, again.out_features) == (bits, inputs, outputs)


def test_an_embedding_of_the_stored_rows_is_the_same() -> None:
    embedding = Int8Embedding(nn.Embedding(7, 5))
    again = Int8Embedding.from_rows(embedding.rows, embedding.scale)
    assert torch.equal(again(torch.tensor([0, 6])), embedding(torch.tensor([0, 6])))
    assert (again.num_embeddings, again.embedding_dim) == (7, 5)


@pytest.mark.parametrize("packed", KERNELS)
def test_no_kernel_is_the_reference_implementation(*, packed: bool) -> None:
    # oneDNN's multiplies number by number, over 100 times slower, and is taken silently where no other one fits.
    generator = torch.Generator().manual_seed(7)
    linear = linear_of(384, 1536, generator)
    layer = Int8Linear(linear, packed=packed, weight_bits=exact_bits(packed=packed))
    x = torch.randn(256, 384, generator=generator)
    fastest = {module: min(timeit.repeat(partial(module, x), number=1, repeat=5)) for module in (linear, layer)}
    assert fastest[layer] < 30 * fastest[linear]


def test_a_kernel_that_saturates_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = is_exact(torch.device("cpu"))
    forward = Int8Linear.forward
    monkeypatch.setattr(Int8Linear, "forward", lambda layer, x: forward(layer, x).clamp_max(33))
    assert not is_exact(torch.device("cpu"))
    assert exact or "avx512_vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8")


@pytest.mark.parametrize("packed", KERNELS)
def test_shapes_bias_and_no_tokens(*, packed: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Int8Linear(linear_of(8, 5, generator, bias=False), packed=packed)
    assert layer.bias is None
    assert layer(torch.randn(2, 3, 8)).shape == (2, 3, 5)
    assert layer(torch.randn(3, 8, 2).transpose(1, 2)).shape == (3, 2, 5)
    assert layer(torch.randn(0, 8)).shape == (0, 5)
    assert layer.weight.shape == (5, 8)


def test_embeddings_are_within_half_a_step_and_int8() -> None:
    embedding = nn.Embedding(50, 16)
    leaner = Int8Embedding(embedding)
    indices = torch.tensor([[0, 49, 7], [7, 7, 3]])
    found = leaner(indices)
    assert found.shape == (2, 3, 16)
    assert torch.equal(found, leaner.weight[indices])
    error = (found - embedding(indices)).abs().detach().double()
    assert (error <= steps(embedding.weight.detach())[indices] * (0.5 + 1e-4)).all()
    assert leaner.rows.dtype == torch.int8
