from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torch import nn

from leanner.passes import precision
from leanner.passes.precision import Precision
from leanner.passes.protocol import WrongOrder
from leanner.passes.torchao_kernels import Scheme
from leanner.passes.torchao_kernels import TorchaoQuantization
from leanner.passes.torchao_layers import CastInt8Embedding
from leanner.passes.torchao_layers import TorchaoLinear
from leanner.passes.torchao_layers import config_of
from leanner.passes.torchao_layers import use_torchao
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from taggers.engines.engines import NEEDS_TORCHAO
from taggers.engines.test_deciding import DOCUMENTS


pytestmark = NEEDS_TORCHAO
#: What torchao multiplies on a CPU, too: its other kernels are GPUs'.
ANYWHERE: tuple[Scheme, ...] = ("w8a8", "int8-weights")
EACH = pytest.mark.parametrize("scheme", ANYWHERE)


def linear() -> nn.Linear:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(64, 48).requires_grad_(requires_grad=False)


@EACH
def test_a_layer_is_within_the_bound_of_its_scales(scheme: Scheme) -> None:
    exact = linear()
    layer = TorchaoLinear(linear(), config_of(scheme))
    step = exact.weight.abs().amax(1, keepdim=True) / 127
    assert ((layer.weights() - exact.weight).abs() <= 0.52 * step).all()
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(1))
    # Half a step for each weight, and for each input where it is rounded as well.
    inputs = x.abs().amax(1, keepdim=True) / 127 if scheme == "w8a8" else torch.zeros(20, 1)
    bound = x.abs().sum(1, keepdim=True) * step.t() / 2 + inputs / 2 * (exact.weight.abs() + step / 2).sum(1)
    assert ((layer(x) - exact(x)).abs() <= 1.05 * bound).all()


@EACH
def test_a_row_does_not_depend_on_the_others(scheme: Scheme) -> None:
    layer = TorchaoLinear(linear(), config_of(scheme))
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(layer(x)[3:4], layer(x[3:4]))


@EACH
def test_zeros_stay_and_what_is_stored_is_integers(scheme: Scheme) -> None:
    given = linear()
    given.weight[:, ::2] = 0
    layer = TorchaoLinear(given, config_of(scheme))
    assert int(layer.weights().count_nonzero()) <= 48 * 32
    sizes = [(part.dtype, part.numel()) for part in layer.packed()]
    assert (torch.int8, 48 * 64) in sizes
    assert (torch.float32, 48) in sizes
    assert sum(number for _, number in sizes) <= 48 * 66


@pytest.mark.parametrize("scheme", ["int4-weights", "fp8"])
def test_torchao_has_the_configurations_of_gpus(scheme: Scheme) -> None:
    assert type(config_of(scheme)).__name__.startswith(("Int4WeightOnly", "Float8Dynamic"))


@EACH
def test_a_tagger_with_such_layers(scheme: Scheme, shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    tagger = Precision("bfloat16")(load_tagger(str(shaped_file)))
    before = weigh(load_tagger(str(shaped_file)).model)
    use_torchao(tagger, config_of(scheme))
    kinds = [type(module) for module in tagger.model.modules()]
    assert (kinds.count(TorchaoLinear), kinds.count(CastInt8Embedding)) == (12, 3)
    # The pooler and the head.
    assert kinds.count(nn.Linear) == 2
    found = weigh(tagger.model)
    assert found.bytes_by_dtype["int8"] > 0.9 * before.parameters
    assert found.linear == before.linear
    assert found.weights_mb < 0.35 * before.weights_mb
    assert sum(len(spans) for prediction in tagger.tag(DOCUMENTS) for spans in prediction) > 20
    with pytest.raises(WrongOrder, match="int8 twice"):
        TorchaoQuantization(scheme)(tagger)
    with pytest.raises(WrongOrder, match="bf16 after int8"):
        Precision("bfloat16")(tagger)
