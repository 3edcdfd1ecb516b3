from __future__ import annotations

import inspect

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leanner.passes.calibration.text import calibration_text
from leanner.passes.int8 import has_onednn
from leanner.passes.pruning.heads import HeadPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.static import Int8Static
from leanner.peers.operations import Weights
from leanner.peers.operations import executed
from leanner.taggers.lean.bert import PackedBert
from leanner.taggers.lean.int8_encoder import fits
from leanner.taggers.lean.kernels import load_kernels
from leanner.taggers.lean.kernels.compiling import KernelError
from leanner.taggers.lean.kernels.layers import LayerKernels
from leanner.taggers.lean.kernels.layers import load_layer_kernels
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import Filled
from leanner.taggers.weights import weigh


pytestmark = pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")


@pytest.fixture(scope="module")
def layer_kernels() -> LayerKernels:
    try:
        return load_layer_kernels()
    except KernelError as error:
        pytest.skip(f"no compiler, or a CPU without VNNI: {error}")


def quantized(path: Path | str, *before: Any) -> Any:  # noqa: ANN401 - passes, and Flair's tagger
    tagger: Any = load_tagger(str(path))
    for one in before:
        tagger = one(tagger)
    return Int8Static(articles=4)(tagger)


def encoder_of(tagger: Any) -> Any:  # noqa: ANN401 - transformers'
    return tagger.model.embeddings.model


@pytest.mark.parametrize("pruned", [False, True])
def test_it_computes_what_its_layers_compute_one_by_one(
    shaped_file: Path, layer_kernels: LayerKernels, *, pruned: bool
) -> None:
    model = encoder_of(quantized(shaped_file, *([HeadPruning(0.25)] if pruned else [])))
    generator = torch.Generator().manual_seed(0)
    lengths = [7, 30, 1, 30, 90]
    ids = torch.randint(1, 30_000, (sum(lengths),), generator=generator)
    wanted = torch.tensor([5, 3, 3, 157, 60])
    with torch.inference_mode():
        steps = PackedBert(model, load_kernels())
        cached = steps.prefix(ids[:5])
        expected = [steps(ids, lengths, wanted, prefix) for prefix in (None, cached)]
        whole = PackedBert(model, load_kernels(), layer_kernels)
        assert steps.whole is None
        assert whole.whole is not None
        again = whole.prefix(ids[:5])
        assert torch.equal(again.hidden, cached.hidden)
        for prefix, one in zip((None, cached), expected, strict=True):
            found = whole(ids, lengths, wanted, prefix)
            torch.testing.assert_close(found, one, rtol=0, atol=0.1)
            assert torch.equal(found[1], found[2])


def test_weights_are_kept_once_and_stay_the_same(shaped_file: Path, layer_kernels: LayerKernels) -> None:
    tagger = quantized(shaped_file)
    model, before = encoder_of(tagger), weigh(tagger.model)
    layer: Any = model.encoder.layer[1].output.dense
    stored, x = layer.weights().clone(), torch.randn(6, layer.in_features)
    made = layer(x)
    PackedBert(model, None, layer_kernels)
    after = weigh(tagger.model)
    assert replace(after, bytes_by_dtype=before.bytes_by_dtype) == before
    # Layers so narrow do not fill their last tiles: what fills them up is stored as well.
    filled = sum(module.filled for module in tagger.model.modules() if isinstance(module, Filled))
    assert filled > 0
    assert after.bytes_by_dtype == before.bytes_by_dtype | {"int8": before.bytes_by_dtype["int8"] + filled}
    assert torch.equal(layer.weights(), stored)
    assert torch.equal(layer(x), made)
    with pytest.raises(RuntimeError, match="expected weights that no lean tagger has taken"):
        layer.store(stored.float())


@pytest.mark.usefixtures("layer_kernels")
def test_operations_are_those_of_the_layers_one_by_one(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = calibration_text(3)
    whole = LeanTagger(quantized(shaped_file))
    assert whole.encoder.whole is not None
    found = executed(whole, documents, Weights(0, 0))
    monkeypatch.setattr("leanner.taggers.lean.deciding.fits", lambda _: False)
    steps = LeanTagger(quantized(shaped_file))
    assert steps.encoder.whole is None
    assert executed(steps, documents, Weights(0, 0)) == found


@pytest.mark.usefixtures("layer_kernels")
def test_spans_are_nearly_those_of_the_layers_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = calibration_text(6)
    whole = LeanTagger(quantized("bundled"), prefix_caching=True)
    assert whole.encoder.whole is not None
    assert not whole.quality
    found = list(whole.tag(documents))
    monkeypatch.setattr("leanner.taggers.lean.deciding.fits", lambda _: False)
    expected = list(LeanTagger(quantized("bundled"), prefix_caching=True).tag(documents))
    pairs = [pair for a, b in zip(found, expected, strict=True) for pair in zip(a, b, strict=True)]
    assert sum(bool(a) for a, _ in pairs) > 10
    assert sum(a == b for a, b in pairs) >= 0.95 * len(pairs)


def test_other_layers_are_computed_one_by_one(shaped_file: Path) -> None:
    assert fits(encoder_of(quantized(shaped_file)))
    assert not fits(encoder_of(load_tagger(str(shaped_file))))
    dynamic: Any = Int8Dynamic()(load_tagger(str(shaped_file)))
    assert not fits(encoder_of(dynamic))
    # An activation that the kernels do not have.
    model = encoder_of(quantized(shaped_file))
    model.encoder.layer[0].intermediate.intermediate_act_fn = torch.nn.ReLU()
    assert not fits(model)


def twice_as_long(layer: Any) -> None:  # noqa: ANN401 - transformers'
    layer.attention.self.key.out_features *= 2


def other_steps(layer: Any) -> None:  # noqa: ANN401 - transformers'
    layer.attention.self.value.grid[0].mul_(2)


def smoothed(layer: Any) -> None:  # noqa: ANN401 - transformers'
    layer.output.dense.grid[0][0] *= 2


def in_floats(layer: Any) -> None:  # noqa: ANN401 - transformers'
    layer.attention.output.dense = torch.nn.Linear(32, 32)


@pytest.mark.parametrize("change", [twice_as_long, other_steps, smoothed, in_floats])
def test_parts_that_do_not_go_together_do_not_fit(shaped_file: Path, change: Any) -> None:  # noqa: ANN401 - see above
    model = encoder_of(quantized(shaped_file))
    change(model.encoder.layer[1])
    assert not fits(model)


def test_layers_are_known_by_what_their_class_has(shaped_file: Path) -> None:
    layer = encoder_of(quantized(shaped_file)).encoder.layer[0].output.dense
    # So looks isinstance from Python 3.12 on: where it finds nothing, no kernel would be used, and nobody told.
    for name in ("given", "made", "grid", "weights", "tiles"):
        inspect.getattr_static(layer, name)


@pytest.mark.usefixtures("layer_kernels")
def test_without_the_kernels_a_reader_is_told(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    tagger = LeanTagger(quantized(shaped_file))
    assert tagger.encoder.whole is None
    assert any(note.startswith("int8 layers are computed one by one") for note in tagger.quality)
