from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import cast

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import BertConfig
from transformers import BertModel

from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.lean.graphs import LENGTHS
from leanner.taggers.lean.graphs import ROWS
from leanner.taggers.lean.graphs import Computes
from leanner.taggers.lean.graphs import GraphedBert
from leanner.taggers.lean.graphs import record_cuda_graph
from leanner.taggers.lean.graphs import shape_of


class Recorder:
    """Records as CUDA does, on the CPU: what comes out is written over what came out before."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.replayed = 0

    def __call__(self, compute: Computes, ids: Tensor, mask: Tensor) -> Callable[[], Tensor]:
        self.shapes.append(tuple(ids.shape))
        result = compute(ids, mask)

        def replay() -> Tensor:
            self.replayed += 1
            return result.copy_(compute(ids, mask))

        return replay


def bert() -> Any:  # noqa: ANN401 - transformers'
    config: Any = BertConfig(  # type: ignore[no-untyped-call]
        vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    torch.manual_seed(0)
    return BertModel(config, add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def model() -> BertModel:
    return cast("BertModel", bert())


def batch(lengths: list[int], seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 99, (sum(lengths),), generator=generator)
    return ids, torch.randint(0, len(ids), (len(ids) // 2 + 1,), generator=generator)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 140), min_size=1, max_size=10), seed=st.integers(0, 99))
def test_states_are_those_of_the_encoder(model: BertModel, lengths: list[int], seed: int) -> None:
    recorder = Recorder()
    encoder, graphed = PackedBert(model), GraphedBert(PackedBert(model), recorder)
    ids, wanted = batch(lengths, seed)
    with torch.inference_mode():
        found = graphed(ids, lengths, wanted)
        torch.testing.assert_close(found, encoder(ids, lengths, wanted), rtol=0, atol=1e-4)
    assert recorder.replayed == (len(lengths) <= 8 and max(lengths) <= 128)


def test_what_a_batch_gave_stays_when_the_next_one_comes(model: BertModel) -> None:
    recorder = Recorder()
    encoder, graphed = PackedBert(model), GraphedBert(PackedBert(model), recorder)
    found: list[tuple[Tensor, Tensor]] = []
    with torch.inference_mode():
        # The second one is shorter: what the first one left must not be seen.
        for lengths in ([30, 31, 9], [5, 6, 7, 8], [2, 3, 1]):
            ids, wanted = batch(lengths, len(found))
            found.append((graphed(ids, lengths, wanted), encoder(ids, lengths, wanted)))
    for one, other in found:
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
    assert recorder.shapes == [(4, 32)]
    assert recorder.replayed == 3


def test_a_cached_prefix_goes_the_encoders_own_way(model: BertModel) -> None:
    recorder = Recorder()
    encoder, graphed = PackedBert(model), GraphedBert(PackedBert(model), recorder)
    ids, wanted = batch([9, 4], 0)
    with torch.inference_mode():
        prefix = graphed.prefix(torch.tensor([1, 2, 3]))
        assert torch.equal(graphed(ids, [9, 4], wanted, prefix), encoder(ids, [9, 4], wanted, prefix))
    assert recorder.shapes == []


@given(st.integers(1, 20), st.integers(1, 300), st.sampled_from([20, 100, 128, 512]))
def test_a_batch_gets_the_smallest_shape_that_holds_it(rows: int, longest: int, positions: int) -> None:
    shape = shape_of([1] * (rows - 1) + [longest], positions)
    least = min(((r, length) for r in ROWS for length in LENGTHS if r >= rows and length >= longest), default=None)
    assert shape == (None if least is None or least[1] > positions else least)


def test_nothing_is_dropped_out_whatever_mode_the_modules_are_in() -> None:
    model = bert().train()
    ids, wanted = batch([9, 4], 0)
    places = [*range(9), *range(32, 36)]

    def record(compute: Computes, given: Tensor, mask: Tensor) -> Callable[[], Tensor]:
        """Return what is computed now, as a graph has what was done when it was recorded."""
        given.view(-1)[places] = ids
        mask.zero_().view(-1)[places] = 1.0
        result = compute(given, mask)
        return lambda: result

    with torch.inference_mode():
        expected = PackedBert(model)(ids, [9, 4], wanted)
        found = GraphedBert(PackedBert(model), record)(ids, [9, 4], wanted)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert model.training


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_cuda_graph_gives_what_was_recorded() -> None:
    on_gpu = bert().cuda()
    encoder, graphed = PackedBert(on_gpu), GraphedBert(PackedBert(on_gpu), record_cuda_graph)
    with torch.inference_mode():
        for seed, lengths in enumerate([[30, 31, 9], [5, 6], [2, 3]]):
            ids, wanted = (part.cuda() for part in batch(lengths, seed))
            found, expected = graphed(ids, lengths, wanted), encoder(ids, lengths, wanted)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
