from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from leanner.passes.graphs import CudaGraphs
from leanner.passes.protocol import Foresighted
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.lean.graphs import GraphedBert
from leanner.taggers.load import load_tagger


def test_it_is_of_the_lean_runtime(shaped_file: Path) -> None:
    with pytest.raises(WrongOrder, match="cuda-graphs after flair: they are recorded of the lean runtime"):
        CudaGraphs()(load_tagger(str(shaped_file)))


def test_without_cuda_it_is_not_run(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    graphs = CudaGraphs()
    assert isinstance(graphs, Foresighted)
    assert isinstance(graphs, Particular)
    lean: Any = LeanRuntime()(tagger)
    for refuse, given in ((graphs.check, tagger), (graphs, lean)):
        with pytest.raises(NotRunnable) as caught:
            refuse(given)
        assert str(caught.value) == "CUDA graphs need CUDA, found cpu"
        assert str(caught.value) in graphs.refusals("cpu", None)
        assert str(caught.value) not in graphs.refusals("cuda", "any")


def test_on_cuda_the_encoder_records(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger: Any = LeanRuntime()(load_tagger(str(shaped_file)))
    monkeypatch.setattr(type(tagger), "device", torch.device("cuda"))
    graphed: Any = CudaGraphs()(tagger)
    assert graphed is tagger
    assert isinstance(graphed.encoder, GraphedBert)
    # Twice would record what is replayed.
    with pytest.raises(NotRunnable, match="of BERT with absolute positions only"):
        CudaGraphs()(tagger)
