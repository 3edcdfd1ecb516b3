from __future__ import annotations

import shutil

from typing import Any

import pytest
import torch

from transformers import BertConfig
from transformers import BertModel

from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.lean.kernels import load_kernels
from leanner.taggers.lean.steps import CompiledSteps
from leanner.taggers.lean.steps import TorchSteps


pytestmark = pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="there is no C compiler here")


def encoder(heads: int) -> Any:  # noqa: ANN401 - transformers'
    torch.manual_seed(3)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": heads, "intermediate_size": 128}
    return BertModel(BertConfig(vocab_size=100, initializer_range=0.2, **shape)).eval()  # type: ignore[no-untyped-call]


def test_compiled_steps_compute_what_torchs_do() -> None:
    model, lengths = encoder(2), [7, 30, 1, 30]
    ids, everything = torch.randint(0, 100, (sum(lengths),)), torch.arange(sum(lengths))
    plain, fast = PackedBert(model), PackedBert(model, load_kernels())
    assert type(plain.steps) is TorchSteps
    assert type(fast.steps) is CompiledSteps
    with torch.inference_mode():
        torch.testing.assert_close(
            fast(ids, lengths, everything), plain(ids, lengths, everything), rtol=1e-4, atol=1e-4
        )
        held, cached = fast.prefix(torch.arange(5)), plain.prefix(torch.arange(5))
        torch.testing.assert_close(held.hidden, cached.hidden, rtol=1e-4, atol=1e-4)
        found, expected = fast(ids, lengths, everything, held), plain(ids, lengths, everything, cached)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("half", [True, False])
def test_what_kernels_are_not_made_for_is_torchs(*, half: bool) -> None:
    model = encoder(2).bfloat16() if half else encoder(8)
    assert type(PackedBert(model, load_kernels()).steps) is TorchSteps
