from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torch import nn

from leanner.passes import int8
from leanner.passes import int8_layers
from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.protocol import WrongOrder
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


TEXTS = ("Loss of PTEN is common.", "p53", "Mouse and man have it.", "The IL-6 of Danio rerio rose, see Fig. 2.")
DOCUMENTS = [Document(str(n), "test", str(n), frozenset(Label), (Sentence(text),)) for n, text in enumerate(TEXTS)]


def test_every_linear_layer_and_embedding_is_int8(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    before = weigh(tagger.model)
    kinds = [type(module) for module in tagger.model.modules()]
    leaner = Int8Dynamic()(tagger)
    after = [type(module) for module in leaner.model.modules()]
    assert after.count(Int8Linear) == kinds.count(nn.Linear) > 12
    assert after.count(Int8Embedding) == kinds.count(nn.Embedding) == 3
    assert nn.Linear not in after
    assert nn.Embedding not in after
    weights = weigh(leaner.model)
    matrices = before.parameters - sum(p.numel() for p in leaner.model.parameters())
    assert weights.bytes_by_dtype["int8"] == matrices
    assert weights.weights_mb < 0.3 * before.weights_mb
    assert weights.linear == before.linear


def test_the_model_tags_and_a_sentence_does_not_depend_on_its_batch(shaped_file: Path) -> None:
    together = list(Int8Dynamic()(load_tagger(str(shaped_file), mini_batch_size=4)).tag(DOCUMENTS))
    alone = list(Int8Dynamic()(load_tagger(str(shaped_file), mini_batch_size=1)).tag(DOCUMENTS))
    assert together == alone
    assert any(spans for prediction in together for spans in prediction)


def test_a_layer_computes_with_the_stored_weights(shaped_file: Path) -> None:
    exact = load_tagger(str(shaped_file)).model.get_submodule("linear")
    leaner = Int8Dynamic()(load_tagger(str(shaped_file))).model.get_submodule("linear")
    assert isinstance(exact, nn.Linear)
    assert isinstance(leaner, Int8Linear)
    assert leaner.weight.dtype == torch.float32
    largest = int(leaner.weights().abs().amax())
    assert largest in (127, 63)
    step = exact.weight.abs().amax(1, keepdim=True) / largest
    assert ((leaner.weight - exact.weight).abs() <= step * 0.501).all()
    assert leaner.bias is not None
    assert torch.equal(leaner.bias, exact.bias)


@pytest.mark.parametrize(("bits", "note"), [(8, None), (7, "weights have 7 bits"), (None, "saturate here")])
def test_f28_a_kernel_that_saturates_gets_fewer_bits_and_is_said(
    shaped_file: Path, monkeypatch: pytest.MonkeyPatch, bits: int | None, note: str | None
) -> None:
    monkeypatch.setattr(int8_layers, "exact_weight_bits", lambda _device: bits)
    tagger = Int8Dynamic()(load_tagger(str(shaped_file)))
    layers = [module for module in tagger.model.modules() if isinstance(module, int8.Int8Linear)]
    assert {int(layer.weights().abs().amax()) for layer in layers} == {2 ** ((bits or 8) - 1) - 1}
    assert [note in text for text in tagger.quality] == [True] if note else not tagger.quality


def test_it_describes_itself() -> None:
    assert Int8Dynamic().describe() == {
        "name": "int8-dynamic",
        "bits": 8,
        "weight_scales": "row",
        "activation_scales": "token",
        "embeddings": True,
    }


def test_orders_that_make_no_sense_are_refused_by_name(shaped_file: Path) -> None:
    with pytest.raises(WrongOrder, match="int8 twice"):
        Int8Dynamic()(Int8Dynamic()(load_tagger(str(shaped_file))))
    half = load_tagger(str(shaped_file))
    half.model.bfloat16()
    with pytest.raises(WrongOrder, match="int8 after half precision"):
        Int8Dynamic()(half)
