from __future__ import annotations

import importlib.util

from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from torch import nn

from leanner.passes import compiling
from leanner.passes.compiling import Compile
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.compiling import CACHED
from leanner.taggers.compiling import NO_COMPILER
from leanner.taggers.hf.load import load_hf
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from passes.compilers import graphs
from passes.compilers import without_inductor  # noqa: F401 - a fixture
from taggers.engines.test_deciding import DOCUMENTS
from taggers.hf.checkpoints import save_bert


@pytest.mark.usefixtures("without_inductor")
def test_all_is_compiled_before_anything_is_timed(shaped_file: Path) -> None:
    expected = list(load_tagger(str(shaped_file)).tag(DOCUMENTS))
    before = weigh(load_tagger(str(shaped_file)).model)
    known = graphs()
    tagger = Compile()(load_tagger(str(shaped_file)))
    # One for batches, one for a single sentence.
    assert graphs() - known == 2
    found = list(tagger.tag(DOCUMENTS))
    alone = [next(iter(tagger.tag([document]))) for document in DOCUMENTS]
    assert found == alone == expected
    assert sum(len(spans) for prediction in found for spans in prediction) > 20
    assert graphs() - known == 2
    assert weigh(tagger.model) == before
    assert tagger.runtime == Compile().runtime == "inductor"
    assert CACHED in tagger.quality


@pytest.mark.usefixtures("without_inductor")
def test_what_was_pruned_before_stays_so(shaped_file: Path) -> None:
    def pruned() -> Any:  # noqa: ANN401 - its modules are changed
        return FfnPruning(0.25, "layer")(load_tagger(str(shaped_file)))

    tagger = Compile()(pruned())
    assert list(tagger.tag(DOCUMENTS)) == list(pruned().tag(DOCUMENTS))
    assert weigh(tagger.model) == weigh(pruned().model)


@pytest.mark.usefixtures("without_inductor")
def test_a_tagger_of_transformers_is_compiled_with_its_head(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "bert")
    tagger = Compile()(load_hf(f"hf:{folder}"))
    assert list(tagger.tag(DOCUMENTS)) == list(load_hf(f"hf:{folder}").tag(DOCUMENTS))
    assert tagger.runtime == "inductor"


@pytest.mark.skipif(
    importlib.util.find_spec("torchao") is None,
    reason="compiling takes a minute: it is done where torchao is, which compiles for minutes anyway",
)
def test_torchinductor_gives_the_same_spans_in_this_process(shaped_file: Path) -> None:
    expected = list(load_tagger(str(shaped_file)).tag(DOCUMENTS[:3]))
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    tagger = Compile()(load_tagger(str(shaped_file)))
    assert list(tagger.tag(DOCUMENTS[:3])) == expected
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    torch._dynamo.reset()


@pytest.mark.usefixtures("without_inductor")
def test_orders_that_make_no_sense_are_refused_by_name(shaped_file: Path) -> None:
    with pytest.raises(WrongOrder, match="compile after int8"):
        Compile()(Int8Dynamic()(load_tagger(str(shaped_file))))
    with pytest.raises(WrongOrder, match="compile after lean"):
        Compile()(LeanRuntime()(load_tagger(str(shaped_file))))
    compiled = Compile()(load_tagger(str(shaped_file)))
    with pytest.raises(WrongOrder, match="compile after inductor"):
        Compile()(compiled)
    with pytest.raises(WrongOrder, match="int8-dynamic after inductor"):
        Int8Dynamic()(compiled)
    with pytest.raises(WrongOrder, match="lean-runtime after inductor"):
        LeanRuntime()(compiled)


def test_layers_with_kernels_of_their_own_are_refused(shaped_file: Path) -> None:
    class Own(nn.Linear):
        pass

    tagger: Any = load_tagger(str(shaped_file))
    tagger.model.embeddings.model.encoder.layer[0].output.dense = Own(64, 32)
    with pytest.raises(WrongOrder, match="compile after Own"):
        Compile()(tagger)


def test_what_is_missing_is_said_before_anything_is_done(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = load_tagger(str(shaped_file))
    monkeypatch.setattr(compiling, "reason_against", lambda _: NO_COMPILER)
    with pytest.raises(NotRunnable, match=r"found none: install g\+\+") as caught:
        Compile()(tagger)
    assert str(caught.value) in Compile().refusals("cpu", None)
    tagger.model = nn.Linear(2, 2)
    with pytest.raises(NotRunnable, match="without a transformer") as caught:
        Compile()(tagger)
    assert str(caught.value) in Compile().refusals("cuda", "some GPU")
    assert tagger.runtime == "flair"


def test_it_describes_itself() -> None:
    expected = {"name": "compile", "compiler": "inductor", "dynamic_shapes": True, "freezing": False}
    assert Compile().describe() == expected
