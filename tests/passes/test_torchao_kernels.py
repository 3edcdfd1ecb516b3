from __future__ import annotations

import importlib.util
import sys

from pathlib import Path
from typing import Any

import pytest
import torch

from torch import nn

from leanner.passes import precision
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.torchao_kernels import Scheme
from leanner.passes.torchao_kernels import TorchaoQuantization
from leanner.taggers.load import load_tagger
from taggers.engines.engines import NEEDS_TORCHAO


SCHEMES: tuple[Scheme, ...] = ("w8a8", "int8-weights", "int4-weights", "fp8")
EACH = pytest.mark.parametrize("scheme", SCHEMES)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A tagger that says that it is on a GPU."""
    monkeypatch.setattr("leanner.taggers.flair.FlairTagger.device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "some GPU")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    return monkeypatch


@EACH
def test_a_cpu_is_refused_by_name(scheme: Scheme, shaped_file: Path) -> None:
    step = TorchaoQuantization(scheme)
    with pytest.raises(NotRunnable, match=f"torchao-{scheme} needs CUDA, found cpu") as caught:
        step(load_tagger(str(shaped_file)))
    assert step.refusals("cpu", None) == (str(caught.value),)


@EACH
def test_what_a_gpu_lacks_is_said(scheme: Scheme, shaped_file: Path, gpu: pytest.MonkeyPatch) -> None:
    step = TorchaoQuantization(scheme)

    def refusal() -> str:
        with pytest.raises(NotRunnable) as caught:
            step(load_tagger(str(shaped_file)))
        assert str(caught.value) in step.refusals("cuda", "some GPU")
        return str(caught.value)

    gpu.setattr(importlib.util, "find_spec", lambda _: object())
    gpu.setitem(sys.modules, "torchao", None)
    assert "does not go with the torch" in refusal()
    gpu.setattr(importlib.util, "find_spec", lambda _: None)
    assert "pip install 'leanner[torchao]'" in refusal()
    gpu.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    assert f"some GPU has not the kernels for torchao-{scheme}" in refusal()


@NEEDS_TORCHAO
def test_int4_takes_groups_of_128(shaped_file: Path, gpu: pytest.MonkeyPatch) -> None:
    step = TorchaoQuantization("int4-weights")
    tagger = load_tagger(str(shaped_file))
    with pytest.raises(NotRunnable, match="groups of 128") as caught:
        step(tagger)
    assert str(caught.value) in step.refusals("cuda", "some GPU")
    assert {weight.dtype for weight in tagger.model.parameters()} == {torch.float32}
    gpu.undo()


@EACH
def test_orders_that_make_no_sense_are_refused_by_name(scheme: Scheme, shaped_file: Path) -> None:
    step = TorchaoQuantization(scheme)
    with pytest.raises(WrongOrder, match="int8 twice"):
        step(Int8Dynamic()(load_tagger(str(shaped_file))))
    with pytest.raises(WrongOrder, match=f"{step.name} after lean"):
        step(LeanRuntime()(load_tagger(str(shaped_file))))

    class Own(nn.Linear):
        pass

    tagger: Any = load_tagger(str(shaped_file))
    tagger.model.embeddings.model.encoder.layer[0].output.dense = Own(64, 32)
    with pytest.raises(WrongOrder, match=f"{step.name} after Own"):
        step(tagger)


def test_it_describes_itself() -> None:
    described = {scheme: TorchaoQuantization(scheme).describe() for scheme in SCHEMES}
    assert {scheme: each["name"] for scheme, each in described.items()} == {s: f"torchao-{s}" for s in SCHEMES}
    assert described["w8a8"]["activation_scales"] == "token"
    assert described["int4-weights"]["weights"] == "int4"
    with pytest.raises(ValueError, match=r"expected one of w8a8, .*found 'int3'"):
        TorchaoQuantization("int3")  # type: ignore[arg-type]
