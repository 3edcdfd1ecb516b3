from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from leanner.passes.precision import Precision
from leanner.passes.protocol import Foresighted
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import Pass
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.lean import support
from leanner.taggers.lean.graphs import GraphedBert
from leanner.taggers.lean.padded import PaddedEncoder
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weights_sha256


def test_it_makes_a_lean_tagger_with_its_budget(shaped_file: Path) -> None:
    lean = LeanRuntime(batch_tokens=512)(load_tagger(str(shaped_file)))
    assert isinstance(lean, LeanTagger)
    assert lean.batch_tokens == 512
    assert LeanRuntime().runtime == lean.runtime


def test_twice_is_refused(shaped_file: Path) -> None:
    lean = LeanRuntime()(load_tagger(str(shaped_file)))
    for refuse in (LeanRuntime(), LeanRuntime().check):
        with pytest.raises(WrongOrder, match="lean-runtime after lean"):
            refuse(lean)


@pytest.mark.parametrize(
    "late", [Int8Dynamic(), MagnitudePruning(sparsity=0.5), Precision("bfloat16")], ids=lambda step: step.name
)
def test_what_changes_weights_comes_before(late: Pass, shaped_file: Path) -> None:
    tagger = LeanRuntime()(load_tagger(str(shaped_file)))
    before = weights_sha256(tagger.model)
    with pytest.raises(WrongOrder, match=f"{late.name} after lean: the tagger has left its library already"):
        late(tagger)
    assert weights_sha256(tagger.model) == before


def test_without_a_common_prefix_it_is_not_run(shaped_file: Path) -> None:
    cached = LeanRuntime(prefix_caching=True)
    with pytest.raises(NotRunnable) as caught:
        cached(load_tagger(str(shaped_file)))
    with pytest.raises(NotRunnable, match=str(caught.value)):
        cached.check(load_tagger(str(shaped_file)))
    assert isinstance(cached, Foresighted)
    assert str(caught.value) in cached.refusals("cpu", None)
    assert str(caught.value) not in LeanRuntime().refusals("cpu", None)


def test_what_it_cannot_run_is_one_of_its_refusals(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    tagger.model.use_rnn = True  # type: ignore[assignment]
    with pytest.raises(NotRunnable) as caught:
        LeanRuntime()(tagger)
    with pytest.raises(NotRunnable, match=str(caught.value)):
        LeanRuntime().check(tagger)
    assert isinstance(LeanRuntime(), Particular)
    assert str(caught.value) in LeanRuntime().refusals("cpu", None)


def test_without_cuda_no_graphs_are_recorded(shaped_file: Path) -> None:
    graphs = LeanRuntime(cuda_graphs=True)
    for refuse in (graphs, graphs.check):
        with pytest.raises(NotRunnable) as caught:
            refuse(load_tagger(str(shaped_file)))
        assert str(caught.value) == "CUDA graphs need CUDA, found cpu"
        assert str(caught.value) in graphs.refusals("cpu", None)
        assert str(caught.value) not in graphs.refusals("cuda", "any")


def test_on_cuda_graphs_are_recorded_of_bert(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger: Any = load_tagger(str(shaped_file))
    monkeypatch.setattr(type(tagger), "device", torch.device("cuda"))
    graphed: Any = LeanRuntime(cuda_graphs=True)(tagger)
    assert isinstance(graphed.encoder, GraphedBert)
    other: Any = load_tagger(str(shaped_file))
    padded = lambda parts: (PaddedEncoder(parts.encoder, last_layer=True), ())  # noqa: E731 - in place of a function
    monkeypatch.setattr("leanner.taggers.lean.deciding._encoder_of", padded)
    with pytest.raises(NotRunnable) as caught:
        LeanRuntime(cuda_graphs=True)(other)
    assert str(caught.value) in LeanRuntime(cuda_graphs=True).refusals("cuda", "any")


def test_it_describes_itself() -> None:
    assert LeanRuntime().describe() == {
        "name": "lean-runtime",
        "batch_tokens": 2048,
        "prefix_caching": False,
        "deduplicate": False,
        "window_words": 0,
        "cuda_graphs": False,
    }
    assert support.NO_REGROUPING in LeanRuntime(window_words=9).refusals("cpu", None)
    assert support.NO_REGROUPING in LeanRuntime(deduplicate=True).refusals("cpu", None)
