from __future__ import annotations

import importlib.util
import sys

from pathlib import Path
from typing import Any

import pytest
import torch

from leanner.passes import int8
from leanner.passes import pt2e
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.pt2e import Pt2e
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.compiling import CACHED
from leanner.taggers.hf.load import load_hf
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from passes.compilers import without_inductor  # noqa: F401 - a fixture
from taggers.engines.engines import NEEDS_TORCHAO
from taggers.engines.test_deciding import DOCUMENTS
from taggers.hf.checkpoints import save_bert


BOTH = pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])


@NEEDS_TORCHAO
@BOTH
@pytest.mark.usefixtures("without_inductor")
def test_most_sentences_keep_their_spans(*, dynamic: bool, shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepared() -> Any:  # noqa: ANN401 - its modules are changed
        return FfnPruning(0.25, "layer")(load_tagger(str(shaped_file)))

    monkeypatch.setattr(int8, "exact_weight_bits", lambda _: 8)
    monkeypatch.setattr(pt2e, "SENTENCES", 20)
    lean = LeanTagger(prepared())
    before, expected = weigh(lean.model), list(lean.tag(DOCUMENTS))
    tagger = Pt2e(dynamic=dynamic)(prepared())
    pairs = [p for a, b in zip(tagger.tag(DOCUMENTS), expected, strict=True) for p in zip(a, b, strict=True)]
    # Random weights decide by a hair.
    assert sum(a == b for a, b in pairs) >= 0.5 * len(pairs)
    found = weigh(tagger.model)
    assert (found.flops, found.linear, found.linear_nonzero) == (before.flops, before.linear, before.linear_nonzero)
    assert found.bytes_by_dtype["int8"] >= found.linear
    assert found.weights_mb < before.weights_mb
    assert (tagger.runtime, tagger.quality) == ("inductor", [*lean.quality, CACHED])
    with pytest.raises(WrongOrder, match=f"{Pt2e().name} after inductor"):
        Pt2e()(tagger)
    torch._dynamo.reset()


def test_what_is_missing_is_said_before_anything_is_done(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = load_tagger(str(shaped_file))

    def refusal() -> str:
        with pytest.raises(NotRunnable) as caught:
            Pt2e()(tagger)
        assert str(caught.value) in Pt2e().refusals("cpu", None)
        return str(caught.value)

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(int8, "has_onednn", lambda: False)
    assert "an x86 CPU is needed" in refusal()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "pip install 'leanner[torchao]'" in refusal()
    # One that lacks the module, as older ones do.
    monkeypatch.setattr(pt2e, "_lack", lambda _: None)
    monkeypatch.setitem(sys.modules, "torchao.quantization.pt2e.quantize_pt2e", None)
    assert "the torchao that is installed" in refusal()


def test_taggers_of_which_no_graph_is_made(shaped_file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match="a tagger of transformers") as caught:
        Pt2e()(load_hf(f"hf:{save_bert(tmp_path / 'bert')}"))
    assert str(caught.value) in Pt2e().refusals("cpu", None)
    with pytest.raises(WrongOrder, match="int8 twice"):
        Pt2e()(Int8Dynamic()(load_tagger(str(shaped_file))))
    with pytest.raises(WrongOrder, match="pt2e-static after lean"):
        Pt2e()(LeanRuntime()(load_tagger(str(shaped_file))))


def test_it_describes_itself() -> None:
    static, dynamic = Pt2e().describe(), Pt2e(dynamic=True).describe()
    assert (static["name"], static["activation_scales"], static["sentences"]) == ("pt2e-static", "tensor", 300)
    assert (dynamic["name"], dynamic["activation_scales"]) == ("pt2e-dynamic", "batch")
    assert "sentences" not in dynamic
    assert static["embeddings"] is dynamic["embeddings"] is False
