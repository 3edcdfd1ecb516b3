"""Attention for GPUs, on the CPU: nested tensors as they are, flash attention's kernel by its documentation."""

from __future__ import annotations

import sys

from itertools import pairwise
from typing import Any

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import BertConfig
from transformers import BertModel

from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.lean.steps import Rows
from leanner.taggers.lean.steps import TorchSteps
from leanner.taggers.lean.varlen import Attention
from leanner.taggers.lean.varlen import VarlenSteps
from leanner.taggers.lean.varlen import attention_for
from leanner.taggers.lean.varlen import nested_attention


# On the CPU torch makes its attention of a layout that it says so of.
pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype:UserWarning")


def row_by_row(  # noqa: PLR0917 - what torch's varlen_attn takes
    queries: Tensor, keys: Tensor, values: Tensor, begins: Tensor, key_begins: Tensor, longest: int, longest_keys: int
) -> Tensor:
    """The contract of ``torch.nn.attention.varlen.varlen_attn``, written down with a softmax."""
    assert begins.dtype == key_begins.dtype == torch.int32
    assert begins.diff().max() == longest
    assert key_begins.diff().max() == longest_keys
    result = []
    for (begin, end), (first, last) in zip(pairwise(begins.tolist()), pairwise(key_begins.tolist()), strict=True):
        scores = torch.einsum("qhd,khd->hqk", queries[begin:end], keys[first:last]) / queries.shape[-1] ** 0.5
        result.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), values[first:last]))
    return torch.cat(result)


@pytest.mark.parametrize("attention", [row_by_row, nested_attention])
@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    heads=st.integers(1, 3),
    before=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_it_attends_as_a_call_for_each_length_does(
    attention: Attention, lengths: list[int], heads: int, before: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def drawn(positions: int) -> Tensor:
        return torch.randn(positions, heads * 8, generator=generator)

    parts = drawn(sum(lengths)), drawn(sum(lengths)), drawn(sum(lengths))
    held = (drawn(before), drawn(before)) if before else None
    rows, steps = Rows.of(lengths), VarlenSteps(attention)
    with torch.inference_mode():
        expected = TorchSteps().attend(parts, rows, heads, held)
        for _ in range(2):
            found = steps.attend(parts, rows, heads, held)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        # Another batch, and the same without what all see.
        other = Rows.of([sum(lengths)])
        expected = TorchSteps().attend(parts, other, heads, None)
        torch.testing.assert_close(steps.attend(parts, other, heads, None), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", [row_by_row, nested_attention])
def test_an_encoder_computes_the_same_with_it(attention: Attention) -> None:
    torch.manual_seed(3)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model: Any = BertModel(BertConfig(vocab_size=100, initializer_range=0.2, **shape)).eval()  # type: ignore[no-untyped-call]
    lengths, ids = [7, 7, 3, 1], torch.randint(0, 100, (18,))
    plain, together = PackedBert(model), PackedBert(model)
    together.steps = VarlenSteps(attention)
    with torch.inference_mode():
        for prefix in (None, plain.prefix(torch.arange(5))):
            expected = plain(ids, lengths, torch.arange(18), prefix)
            torch.testing.assert_close(together(ids, lengths, torch.arange(18), prefix), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_gpu_computes_what_a_cpu_does(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    shape = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model: Any = BertModel(BertConfig(vocab_size=100, initializer_range=0.1, **shape)).eval()  # type: ignore[no-untyped-call]
    lengths, ids, wanted = [7, 7, 3, 1], torch.randint(0, 100, (18,)), torch.arange(18)
    begin = torch.arange(5)
    with torch.inference_mode():
        cpu = PackedBert(model)
        expected = [cpu(ids, lengths, wanted, prefix) for prefix in (None, cpu.prefix(begin))]
        gpu = PackedBert(model.to("cuda", dtype))
        assert isinstance(gpu.steps, VarlenSteps)
        on_it = ids.cuda(), lengths, wanted.cuda()
        found = [gpu(*on_it, prefix) for prefix in (None, gpu.prefix(begin.cuda()))]
    tolerance = 1e-3 if dtype == torch.float32 else 0.1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float().cpu(), other, rtol=tolerance, atol=tolerance)


def test_flash_attention_is_for_halves_on_gpus_that_have_it() -> None:
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no attention for variable lengths")
    for dtype in (torch.float16, torch.bfloat16):
        assert attention_for(dtype, {64}, (9, 0)) is varlen.varlen_attn
    assert attention_for(torch.float32, {64}, (9, 0)) is nested_attention
    assert attention_for(torch.float16, {64}, (7, 5)) is nested_attention
    assert attention_for(torch.float16, {64, 20}, (9, 0)) is nested_attention
    assert attention_for(torch.float16, {512}, (9, 0)) is nested_attention


def test_a_torch_without_it_has_nested_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", None)
    assert attention_for(torch.float16, {64}, (9, 0)) is nested_attention
