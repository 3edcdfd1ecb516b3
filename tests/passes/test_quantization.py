from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torch import nn

from leanner.passes import int8
from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.precision import Precision
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
    step = exact.weight.abs().amax(1, keepdim=True) / 127
    assert ((leaner.weight - exact.weight).abs() <= step * 0.501).all()
    assert leaner.bias is not None
    assert torch.equal(leaner.bias, exact.bias)


def test_a_saturating_kernel_is_said(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("saturate" in note for note in load_tagger(str(shaped_file)).quality)
    monkeypatch.setattr(int8, "is_exact", lambda _device: False)
    assert "saturate" in Int8Dynamic()(load_tagger(str(shaped_file))).quality[-1]


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
    with pytest.raises(WrongOrder, match="int8 after half precision"):
        Int8Dynamic()(Precision("bfloat16")(load_tagger(str(shaped_file))))
