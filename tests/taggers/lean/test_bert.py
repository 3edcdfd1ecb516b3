from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.load import load_tagger


@pytest.fixture(scope="module", params=[{}, {0: [2], 1: [0, 1, 3]}], ids=["whole", "fewer heads"])
def encoder(shaped_file: Path, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - transformers'
    model: Any = load_tagger(str(shaped_file)).model
    model.embeddings.model._prune_heads(request.param)
    return model.embeddings.model


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=8), data=st.data())
def test_it_computes_what_transformers_computes_of_a_padded_batch(
    encoder: Any,  # noqa: ANN401
    lengths: list[int],
    data: st.DataObject,
) -> None:
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    rows = [torch.randint(1, 30_000, (length,), generator=generator) for length in lengths]
    wanted = torch.tensor(data.draw(st.lists(st.integers(0, sum(lengths) - 1), max_size=20)), dtype=torch.long)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    with torch.inference_mode():
        expected = encoder(padded, attention_mask=mask).last_hidden_state[mask.bool()][wanted]
        found = PackedBert(encoder)(torch.cat(rows), lengths, wanted)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_row_does_not_depend_on_its_batch(encoder: Any) -> None:  # noqa: ANN401
    row, other = torch.arange(100, 112), torch.arange(500, 507)
    packed, everything = PackedBert(encoder), torch.arange(12)
    with torch.inference_mode():
        alone = packed(row, [12], everything)
        together = packed(torch.cat((row, other, other)), [12, 7, 7], everything)
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5), prefix=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_prefix_is_that_of_transformers_under_a_mask_in_which_it_sees_only_itself(
    encoder: Any,  # noqa: ANN401
    lengths: list[int],
    prefix: int,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    begin = torch.randint(1, 30_000, (prefix,), generator=generator)
    rows = [torch.randint(1, 30_000, (length,), generator=generator) for length in lengths]
    padded = torch.nn.utils.rnn.pad_sequence([torch.cat((begin, row)) for row in rows], batch_first=True)
    real = torch.nn.utils.rnn.pad_sequence([torch.ones(prefix + length) for length in lengths], batch_first=True)
    mask = real.unsqueeze(1).repeat(1, padded.shape[1], 1)
    mask[:, :prefix, prefix:] = 0
    packed = PackedBert(encoder)
    with torch.inference_mode():
        states = encoder(padded, attention_mask=mask).last_hidden_state
        cached = packed.prefix(begin)
        found = packed(torch.cat(rows), lengths, torch.arange(sum(lengths)), cached)
    assert cached.length == prefix
    torch.testing.assert_close(cached.hidden, states[0, :prefix], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found, states[:, prefix:][real[:, prefix:].bool()], rtol=1e-4, atol=1e-4)
