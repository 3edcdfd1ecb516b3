"""Passes that make layers smaller: neurons and attention heads go."""

from __future__ import annotations

import dataclasses

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pytest
import torch

from torch import Tensor
from torch import nn

from leanner.corpora.load import load_corpus
from leanner.passes.calibration.text import calibration_text
from leanner.passes.int8 import has_onednn
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.ffn import GROUP
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.pruning.heads import HeadPruning
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.passes.pruning.structured import StructuredPruning
    from leanner.types import Document


PASSES = [FfnPruning(0.5, articles=2), HeadPruning(0.5, articles=2)]
BY_LAYER = [FfnPruning(0.5, "layer", articles=2), HeadPruning(0.5, "layer", articles=2)]
FITTED = [
    FfnPruning(0.5, "layer", "least-squares", articles=2),
    HeadPruning(0.5, "layer", "least-squares", articles=2),
]
EACH = pytest.mark.parametrize("leaner", PASSES, ids=lambda leaner: leaner.name)


@pytest.fixture(scope="module")
def documents() -> tuple[Document, ...]:
    return tuple(load_corpus(["bundled"], sentences=60))


def shaped(path: Path) -> FlairTagger:
    tagger = load_tagger(str(path))
    assert isinstance(tagger, FlairTagger)
    return tagger


def blocks(tagger: Any) -> list[Any]:  # noqa: ANN401
    return list(tagger.model.embeddings.model.encoder.layer)


def taker(block: Any, leaner: StructuredPruning) -> nn.Linear:  # noqa: ANN401
    layer: nn.Linear = block.output.dense if isinstance(leaner, FfnPruning) else block.attention.output.dense
    return layer


def seen(tagger: FlairTagger, layers: list[nn.Linear]) -> list[np.ndarray[Any, Any]]:
    """What goes into the layers while the calibration text is read, all at once."""
    given: list[list[Tensor]] = [[] for _ in layers]
    handles = [
        layer.register_forward_pre_hook(lambda _, x, own=own: own.append(x[0].detach().clone()))
        for layer, own in zip(layers, given, strict=True)
    ]
    list(LeanTagger(tagger).tag(calibration_text(2)))
    for handle in handles:
        handle.remove()
    return [torch.cat(own).double().numpy() for own in given]


def kept_by_hand(tagger: FlairTagger, leaner: StructuredPruning, unit: int) -> list[tuple[list[int], Any]]:
    """The features that stay in each block, and the means of all: in NumPy, unit by unit."""
    layers = [taker(block, leaner) for block in blocks(tagger)]
    inputs = seen(tagger, layers)
    units = []
    for number, (layer, x) in enumerate(zip(layers, inputs, strict=True)):
        metric = x.var(axis=0, ddof=1) * (layer.weight.detach().double().numpy() ** 2).sum(axis=0)
        metric = (metric - metric.mean()) / metric.std()
        order = np.argsort(-metric, kind="stable") if isinstance(leaner, FfnPruning) else np.arange(len(metric))
        units += [(metric[own].mean(), number, own) for own in np.split(order, len(order) // unit)]
    best = {number: max(score for score, other, _ in units if other == number) for number in range(len(layers))}
    units.sort(key=lambda entry: entry[0])
    free = [entry for entry in units if entry[0] != best[entry[1]]]
    gone = {id(own) for _, _, own in free[: round(leaner.share * len(units))]}
    if leaner.scope == "layer":
        each = round(leaner.share * len(units) / len(layers))
        gone = {id(own) for n in range(len(layers)) for _, _, own in [entry for entry in free if entry[1] == n][:each]}
    return [
        (sorted(int(f) for _, other, own in units if other == number and id(own) not in gone for f in own), x.mean(0))
        for number, x in enumerate(inputs)
    ]


@pytest.mark.parametrize("leaner", [*PASSES, *BY_LAYER], ids=lambda leaner: f"{leaner.name} {leaner.scope}")
def test_it_is_the_masked_tagger_with_the_means_of_what_is_gone(shaped_file: Path, leaner: StructuredPruning) -> None:
    dense, smaller = shaped(shaped_file), leaner(shaped(shaped_file))
    unit = GROUP if isinstance(leaner, FfnPruning) else 8
    sizes = []
    for (kept, means), block, other in zip(
        kept_by_hand(dense, leaner, unit), blocks(dense), blocks(smaller), strict=True
    ):
        sizes.append(len(kept))
        layer, left = taker(block, leaner), taker(other, leaner)
        assert torch.equal(left.weight, layer.weight[:, kept])
        gone = [feature for feature in range(layer.in_features) if feature not in kept]
        made_up = layer.weight.detach().double().numpy()[:, gone] @ means[gone]
        np.testing.assert_allclose((left.bias - layer.bias).detach().numpy(), made_up, rtol=1e-3, atol=1e-5)
        attention = block.attention.self
        pairs = (
            [(block.intermediate.dense, other.intermediate.dense)]
            if isinstance(leaner, FfnPruning)
            else [(getattr(attention, part), getattr(other.attention.self, part)) for part in ("query", "key", "value")]
        )
        for maker, rest in pairs:
            assert torch.equal(rest.weight, maker.weight[kept])
            assert torch.equal(rest.bias, maker.bias[kept])
    assert sum(sizes) == round((1 - leaner.share) * 2 * (64 if isinstance(leaner, FfnPruning) else 32))
    assert all(size % unit == 0 for size in sizes)
    assert leaner.scope == "global" or len(set(sizes)) == 1


@pytest.mark.parametrize(("fitted", "by_mean"), list(zip(FITTED, BY_LAYER, strict=True)), ids=["ffn", "heads"])
def test_what_stays_tells_more_than_the_mean(
    shaped_file: Path, fitted: StructuredPruning, by_mean: StructuredPruning
) -> None:
    dense = shaped(shaped_file)
    layers = [taker(block, fitted) for block in blocks(dense)]
    inputs = [torch.from_numpy(x).float() for x in seen(dense, layers)]

    def error(leaner: StructuredPruning) -> float:
        total = 0.0
        smaller = blocks(leaner(shaped(shaped_file)))
        hands = kept_by_hand(dense, leaner, GROUP if isinstance(leaner, FfnPruning) else 8)
        for layer, block, x, (kept, _) in zip(layers, smaller, inputs, hands, strict=True):
            total += float((taker(block, leaner)(x[:, kept]) - layer(x)).detach().square().mean())
        return total

    assert error(fitted) < 0.9 * error(by_mean)


@EACH
def test_nothing_else_changes(shaped_file: Path, leaner: StructuredPruning) -> None:
    before = shaped(shaped_file).model.state_dict()
    after = leaner(shaped(shaped_file)).model.state_dict()
    part = "intermediate.dense.|output.dense." if isinstance(leaner, FfnPruning) else "self.|attention.output.dense."
    assert before.keys() == after.keys()
    for name, value in after.items():
        inside = any(each in name for each in part.split("|")) and ".layer." in name
        if isinstance(leaner, FfnPruning):
            inside = inside and "attention" not in name
        assert inside or torch.equal(value, before[name]), name


def test_heads_go_as_those_that_transformers_prunes(shaped_file: Path) -> None:
    dense = shaped(shaped_file)
    smaller = HeadPruning(0.5, articles=2)(shaped(shaped_file))
    model: Any = shaped(shaped_file).model
    gone = {}
    for number, (kept, _) in enumerate(kept_by_hand(dense, PASSES[1], 8)):
        gone[number] = [head for head in range(4) if 8 * head not in kept]
    model.embeddings.model._prune_heads(gone)
    for block, other in zip(blocks(smaller), model.embeddings.model.encoder.layer, strict=True):
        for attribute in ("num_attention_heads", "attention_head_size", "all_head_size"):
            assert getattr(block.attention.self, attribute) == getattr(other.attention.self, attribute)
        # Transformers leaves the bias as it is.
        other.attention.output.dense.bias = block.attention.output.dense.bias
    rows = torch.randint(0, 2000, (3, 11), generator=torch.Generator().manual_seed(1))
    encoder: Any = smaller.model
    with torch.inference_mode():
        expected = model.embeddings.model(rows).last_hidden_state
        found = encoder.embeddings.model(rows).last_hidden_state
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("leaner", [*PASSES, *FITTED], ids=lambda leaner: f"{leaner.name} {leaner.compensation}")
def test_flair_and_the_lean_runtime_find_the_same_spans(
    shaped_file: Path, leaner: StructuredPruning, documents: tuple[Document, ...]
) -> None:
    whole = list(shaped(shaped_file).tag(documents))
    tagger = leaner(shaped(shaped_file))
    expected = list(tagger.tag(documents))
    assert list(LeanRuntime()(tagger).tag(documents)) == expected
    assert sum(len(spans) for prediction in expected for spans in prediction) > 100
    assert expected != whole


def test_one_after_the_other(shaped_file: Path, documents: tuple[Document, ...]) -> None:
    tagger = HeadPruning(0.25, articles=2)(FfnPruning(0.25, articles=2)(shaped(shaped_file)))
    expected = list(tagger.tag(documents))
    assert list(LeanRuntime()(tagger).tag(documents)) == expected


@EACH
def test_parameters_bytes_and_operations_fall_by_what_is_gone(shaped_file: Path, leaner: StructuredPruning) -> None:
    before, after = weigh(shaped(shaped_file).model), weigh(leaner(shaped(shaped_file)).model)
    # Half of two blocks: a neuron has 32 weights in, 32 out and a bias; an output of a head thrice that in.
    weights, biases = (64 * (32 + 32), 64) if isinstance(leaner, FfnPruning) else (32 * (3 * 32 + 32), 32 * 3)
    assert before.parameters - after.parameters == weights + biases
    assert before.bytes_by_dtype["float32"] - after.bytes_by_dtype["float32"] == 4 * (weights + biases)
    assert before.linear - after.linear == weights
    assert before.flops - after.flops == 2 * weights
    assert after.sparsity == 0


@EACH
def test_at_least_one_unit_stays_in_each_block(shaped_file: Path, leaner: StructuredPruning) -> None:
    tagger = type(leaner)(0.99, articles=1)(shaped(shaped_file))
    unit = GROUP if isinstance(leaner, FfnPruning) else 8
    assert [taker(block, leaner).in_features for block in blocks(tagger)] == [unit, unit]


@EACH
def test_twice_is_the_same(shaped_file: Path, leaner: StructuredPruning) -> None:
    first, second = (leaner(shaped(shaped_file)).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")
@EACH
def test_what_is_left_can_be_quantized(
    shaped_file: Path, leaner: StructuredPruning, documents: tuple[Document, ...]
) -> None:
    tagger = Int8Static(articles=2)(leaner(shaped(shaped_file)))
    dense = leaner(shaped(shaped_file))
    for (name, layer), (_, other) in zip(encoder_linears(tagger.model), encoder_linears(dense.model), strict=True):
        assert isinstance(layer.weight, Tensor)
        assert isinstance(other.weight, Tensor)
        step = float(other.weight.detach().abs().max()) / 63
        torch.testing.assert_close(layer.weight, other.weight.detach(), rtol=0, atol=step, msg=name)
    assert sum(len(spans) for prediction in LeanRuntime()(tagger).tag(documents) for spans in prediction) > 100


@EACH
def test_wrong_order_wrong_share_and_what_cannot_be_run(shaped_file: Path, leaner: StructuredPruning) -> None:
    assert leaner.describe() == {
        "name": leaner.name,
        "share": 0.5,
        "scope": "global",
        "compensation": "bias",
        "articles": 2,
    }
    with pytest.raises(ValueError, match="expected 0 <= share < 1, found 1"):
        type(leaner)(1.0)
    with pytest.raises(ValueError, match="expected global or layer, found 'head'"):
        type(leaner)(0.5, "head")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected bias or least-squares, found 'none'"):
        type(leaner)(0.5, compensation="none")  # type: ignore[arg-type]
    with pytest.raises(WrongOrder, match=f"{leaner.name} after Int8Linear: prune first"):
        leaner(Int8Dynamic()(shaped(shaped_file)))
    with pytest.raises(WrongOrder, match=f"{leaner.name} after lean"):
        leaner(LeanRuntime()(shaped(shaped_file)))
    fitted = dataclasses.replace(leaner, compensation="least-squares")
    with pytest.raises(NotRunnable, match="zeros among the weights: making up"):
        fitted(MagnitudePruning(0.3, "layer")(shaped(shaped_file)))
    tagger = shaped(shaped_file)
    tagger.model.use_rnn = True  # type: ignore[assignment]
    with pytest.raises(NotRunnable) as caught:
        leaner(tagger)
    assert isinstance(leaner, Particular)
    assert str(caught.value) in leaner.refusals("cpu", None)
