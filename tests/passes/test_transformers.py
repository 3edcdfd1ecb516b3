"""Passes over taggers of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from torch import nn

from leanner.configurations import CONFIGURATIONS
from leanner.configurations import Configuration
from leanner.passes import precision
from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.precision import Precision
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.hf.load import load_hf
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import weigh
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from passes.compilers import without_inductor  # noqa: F401 - a fixture
from taggers.hf.checkpoints import TEXTS
from taggers.hf.checkpoints import save_bert
from taggers.hf.checkpoints import save_distilbert
from taggers.hf.checkpoints import save_roberta


if TYPE_CHECKING:
    from leanner.taggers.hf.tagger import HfTagger
    from leanner.taggers.protocol import Tagger


SAVED = {"bert": save_bert, "roberta": save_roberta, "distilbert": save_distilbert}
DOCUMENTS = [Document("1", "test", "1", frozenset(Label), tuple(map(Sentence, TEXTS * 4)))]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: save(tmp_path_factory.mktemp("hf") / kind) for kind, save in SAVED.items()}


def loaded(folder: Path) -> HfTagger:
    return load_hf(f"hf:{folder}")


def share_equal(one: Tagger, other: Tagger) -> float:
    """Return the share of sentences with the same spans."""
    ((first,), (second,)) = (list(tagger.tag(DOCUMENTS)) for tagger in (one, other))
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)


@pytest.mark.parametrize("kind", SAVED)
def test_the_encoder_is_pruned_without_its_head(folders: dict[str, Path], kind: str) -> None:
    tagger = loaded(folders[kind])
    layers = dict(encoder_linears(tagger.model))
    assert len(layers) == 12
    assert not any("classifier" in name for name in layers)
    assert all(tagger.model.get_submodule(name) is layer for name, layer in layers.items())
    head = tagger.model.get_submodule("classifier").weight.detach().clone()  # type: ignore[operator]
    pruned = MagnitudePruning(0.5)(tagger)
    weights = weigh(pruned.model)
    assert weights.sparsity == pytest.approx(0.5, abs=1e-3)
    assert torch.equal(pruned.model.get_submodule("classifier").weight, head)  # type: ignore[arg-type]
    assert weights.flops == pytest.approx(2 * (weights.linear_nonzero + head.numel()))
    assert share_equal(pruned, loaded(folders[kind])) < 1


@pytest.mark.parametrize("kind", SAVED)
def test_every_linear_layer_and_embedding_becomes_int8(folders: dict[str, Path], kind: str) -> None:
    tagger = Int8Dynamic()(loaded(folders[kind]))
    kinds = [type(module) for module in tagger.model.modules()]
    assert nn.Linear not in kinds
    assert nn.Embedding not in kinds
    assert kinds.count(Int8Linear) == 13
    assert kinds.count(Int8Embedding) in (2, 3)
    assert share_equal(tagger, loaded(folders[kind])) > 0.2


@pytest.mark.parametrize("kind", SAVED)
def test_half_precision(folders: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    tagger = Precision("bfloat16")(loaded(folders[kind]))
    assert {parameter.dtype for parameter in tagger.model.parameters()} == {torch.bfloat16}
    assert share_equal(tagger, loaded(folders[kind])) > 0.2


@pytest.mark.usefixtures("without_inductor")
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda configuration: configuration.name)
def test_a_configuration_runs_or_says_why_not(
    folders: dict[str, Path], configuration: Configuration, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    tagger: Tagger = loaded(folders[kind])
    refusal: str | None = None
    for step in configuration.passes:
        try:
            tagger = step(tagger)
        except NotRunnable as error:
            refusal = str(error)
            break
    if configuration.name in {"fp32", "bf16", "int8", "magnitude-50"} or (
        kind == "bert" and configuration.name == "lean"
    ):
        assert refusal is None
    if refusal is None:
        assert len(list(tagger.tag(DOCUMENTS))) == 1
    else:
        particular = [step for step in configuration.passes if isinstance(step, Particular)]
        assert refusal in {reason for step in particular for reason in step.refusals("cpu", None)}
