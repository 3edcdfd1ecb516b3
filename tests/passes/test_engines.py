from __future__ import annotations

import importlib.util

from pathlib import Path
from typing import Any

import pytest

from leanner.corpora.load import load_corpus
from leanner.passes.engines import OnnxRuntime
from leanner.passes.engines import OpenVino
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.hf.load import load_hf
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from taggers.engines.engines import EACH
from taggers.engines.test_deciding import DOCUMENTS
from taggers.hf.checkpoints import save_bert


PASSES: dict[str, type[OnnxRuntime | OpenVino]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
BOTH = pytest.mark.parametrize("engine", sorted(PASSES))


def without_context(path: Path, pooling: str = "first") -> Any:  # noqa: ANN401 - its modules are changed
    tagger: Any = load_tagger(str(path))
    tagger.model.embeddings.context_length = 0
    tagger.model.embeddings.subtoken_pooling = pooling
    return tagger


@pytest.mark.parametrize("engine", EACH)
def test_in_float32_the_spans_are_those_of_the_lean_runtime(engine: str, shaped_file: Path) -> None:
    expected = list(LeanTagger(load_tagger(str(shaped_file))).tag(DOCUMENTS))
    tagger = PASSES[engine]()(load_tagger(str(shaped_file)))
    assert list(tagger.tag(DOCUMENTS)) == expected
    assert sum(len(spans) for prediction in expected for spans in prediction) > 20
    assert tagger.runtime == PASSES[engine]().runtime == engine
    before = weigh(load_tagger(str(shaped_file)).model)
    found = weigh(tagger.model)
    # All but the pooler, which is not in the graph; the first type of token is one row of two.
    assert set(found.bytes_by_dtype) == {"float32"}
    assert 0.9 * before.parameters < found.parameters <= before.parameters


@pytest.mark.parametrize("engine", EACH)
def test_the_bundled_tagger_gives_the_same_spans(engine: str) -> None:
    corpus = tuple(load_corpus(["bundled"], sentences=150))
    expected = list(LeanTagger(load_tagger("bundled")).tag(corpus))
    assert list(PASSES[engine]()(load_tagger("bundled")).tag(corpus)) == expected


@pytest.mark.parametrize("engine", EACH)
def test_mean_pooling_a_crf_and_layers_that_lost_neurons(engine: str, shaped_crf_file: Path) -> None:
    def prepared() -> Any:  # noqa: ANN401 - as above
        return FfnPruning(0.25, "layer")(without_context(shaped_crf_file, "mean"))

    expected = list(LeanTagger(prepared()).tag(DOCUMENTS))
    assert list(PASSES[engine]()(prepared()).tag(DOCUMENTS)) == expected


@pytest.mark.parametrize("engine", EACH)
def test_in_int8_most_sentences_keep_their_spans(engine: str) -> None:
    corpus = tuple(load_corpus(["bundled"], sentences=100))
    expected = list(LeanTagger(load_tagger("bundled")).tag(corpus))
    tagger = PASSES[engine](int8=True)(load_tagger("bundled"))
    pairs = [pair for a, b in zip(tagger.tag(corpus), expected, strict=True) for pair in zip(a, b, strict=True)]
    assert sum(a == b for a, b in pairs) >= 0.85 * len(pairs)
    sizes = weigh(tagger.model).bytes_by_dtype
    # The linear layers of the bundled tagger have 10.6 million weights, its embeddings 11.9 million.
    assert sizes["int8"] + sizes.get("uint8", 0) > 22e6
    assert sizes["float32"] < 1e6


@BOTH
def test_what_is_missing_is_said_before_anything_is_done(
    engine: str, shaped_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = load_tagger(str(shaped_file))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotRunnable, match=f"{engine} needs .*: pip install 'leanner") as caught:
        PASSES[engine]()(tagger)
    step = PASSES[engine]()
    assert isinstance(step, Particular)
    assert str(caught.value) in step.refusals("cpu", None)


@BOTH
def test_taggers_of_which_no_graph_is_made(engine: str, shaped_file: Path, tmp_path: Path) -> None:
    step = PASSES[engine]()
    with pytest.raises(NotRunnable, match="a tagger of transformers") as caught:
        step(load_hf(f"hf:{save_bert(tmp_path / 'bert')}"))
    assert str(caught.value) in step.refusals("cpu", None)
    with pytest.raises(WrongOrder, match=f"{engine} after lean"):
        step(LeanRuntime()(load_tagger(str(shaped_file))))


@pytest.mark.parametrize("engine", EACH)
def test_other_layers_and_other_parts_are_refused(engine: str, shaped_file: Path) -> None:
    step = PASSES[engine]()
    with pytest.raises(WrongOrder, match=f"{engine} after a pass that left other layers"):
        step(Int8Dynamic()(load_tagger(str(shaped_file))))
    tagger: Any = load_tagger(str(shaped_file))
    tagger.model.use_rnn = True
    with pytest.raises(NotRunnable, match="an RNN") as caught:
        step(tagger)
    assert str(caught.value) in step.refusals("cpu", None)


@BOTH
def test_it_describes_itself(engine: str) -> None:
    assert PASSES[engine]().describe() == {"name": engine, "int8": False, "batch_tokens": 2048}
    described = PASSES[engine](int8=True).describe()
    assert (described["int8"], described["weight_scales"]) == (True, "channel")


def test_saturating_products_take_a_bit_from_the_weights(monkeypatch: pytest.MonkeyPatch, shaped_file: Path) -> None:
    from leanner.passes.engines import weight_bits

    lean = LeanTagger(load_tagger(str(shaped_file)))
    before = list(lean.quality)
    monkeypatch.setattr("leanner.passes.int8.exact_weight_bits", lambda _: 7)
    assert weight_bits(lean) == 7
    assert "7 bits" in lean.quality[-1]
    monkeypatch.setattr("leanner.passes.int8.exact_weight_bits", lambda _: 8)
    lean.quality[:] = before
    assert weight_bits(lean) == 8
    assert lean.quality == before
