from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from leanner.taggers.engines.tagger import EngineTagger
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from taggers.engines.engines import TorchEngine
from taggers.engines.test_deciding import DOCUMENTS
from taggers.engines.test_deciding import lean_of


def test_it_gives_the_lean_taggers_spans_and_keeps_what_that_is(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    tagger = EngineTagger(lean, TorchEngine(lean.parts), {"float32": 400, "int8": 7})
    found = list(tagger.tag(DOCUMENTS))
    assert found == list(lean.tag(DOCUMENTS))
    assert sum(len(spans) for prediction in found for spans in prediction) > 20
    assert (tagger.name, tagger.labels, tagger.weights_sha256) == (lean.name, lean.labels, lean.weights_sha256)
    assert (tagger.runtime, tagger.device) == ("torch", torch.device("cpu"))
    assert tagger.describe() == lean.describe()


def test_its_weights_are_those_of_the_graph(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    before = weigh(lean.model)
    found = weigh(EngineTagger(lean, TorchEngine(lean.parts), {"float32": 400, "int8": 7, "uint8": 2}).model)
    assert found.bytes_by_dtype == {"float32": 400, "int8": 7, "uint8": 2}
    assert (found.parameters, found.weights_mb) == (109, 409e-6)
    assert (found.flops, found.linear, found.sparsity) == (before.flops, before.linear, before.sparsity)


def test_torchs_weights_are_let_go(shaped_file: Path) -> None:
    lean = LeanTagger(load_tagger(str(shaped_file)))

    class Nothing:
        runtime = "nothing"

        def scores(self, batch: object) -> Any:  # noqa: ANN401 - nothing comes
            raise NotImplementedError

    tagger = EngineTagger(lean, Nothing(), {})
    assert not list(tagger.model.parameters())
    with pytest.raises(NotImplementedError):
        list(tagger.tag(DOCUMENTS))


def test_other_batches_have_the_same_engine_and_the_same_spans(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    tagger = EngineTagger(lean, TorchEngine(lean.parts), {"float32": 4})
    other = tagger.in_batches_of(97)
    assert (tagger.batch_tokens, other.batch_tokens) == (2048, 97)
    assert other.describe() == {**tagger.describe(), "batch_tokens": 97}
    assert list(other.tag(DOCUMENTS)) == list(tagger.tag(DOCUMENTS))
    assert not other.in_int8
    with pytest.raises(ValueError, match="expected at least one sub-token a batch"):
        tagger.in_batches_of(0)
