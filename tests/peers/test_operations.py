from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from torch import nn

from leanner.measure.rounds import tag_all
from leanner.passes.pruning.heads import HeadPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.peers.operations import Operations
from leanner.peers.operations import Weights
from leanner.peers.operations import executed
from leanner.taggers.engines.tagger import EngineTagger
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from taggers.engines.engines import TorchEngine
from taggers.engines.test_deciding import DOCUMENTS
from taggers.engines.test_deciding import lean_of


def test_the_lean_runtime_multiplies_what_it_must(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    rows = lean.encode(DOCUMENTS).rows
    positions, wanted = sum(len(row.ids) for row in rows), sum(len(row.positions) for row in rows)
    words = int(lean.encode(DOCUMENTS).ends[-1])
    # Two layers of size 32 with 64 neurons, and a head of 21 tags, by hand.
    everywhere = positions * (2 * 3 * 32 * 32 + 32 * 32 + 2 * 32 * 64)
    expected = 2 * (everywhere + wanted * (32 * 32 + 2 * 32 * 64) + words * 32 * 21)
    assert executed(lean, DOCUMENTS, Weights(0, 0)) == Operations(int8=0.0, floats=expected)
    assert Weights.of(lean.parts) == Weights(everywhere // positions, 32 * 32 + 2 * 32 * 64 + 32 * 21)


def test_integers_are_counted_apart(shaped_file: Path) -> None:
    expected = executed(lean_of(shaped_file), DOCUMENTS, Weights(0, 0)).floats
    tagger: Any = Int8Dynamic()(load_tagger(str(shaped_file)))
    assert executed(LeanTagger(tagger), DOCUMENTS, Weights(0, 0)) == Operations(int8=expected, floats=0.0)


@pytest.mark.parametrize("pruned", [False, True])
def test_an_engine_multiplies_the_padding_too(shaped_file: Path, *, pruned: bool) -> None:
    tagger: Any = load_tagger(str(shaped_file))
    lean = LeanTagger(HeadPruning(0.25)(tagger) if pruned else tagger)  # type: ignore[arg-type]
    engine = TorchEngine(lean.parts)
    counted: list[float] = []

    def count(module: Any, given: Any) -> None:  # noqa: ANN401 - torch's
        counted.append(2.0 * given[0].numel() * module.out_features)

    for module in engine.graph.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(count)
    found = executed(EngineTagger(lean, engine, {"float32": 4}), DOCUMENTS, Weights.of(lean.parts))
    tag_all(EngineTagger(lean, engine, {"float32": 4}), DOCUMENTS)
    assert found == Operations(int8=0.0, floats=sum(counted))
    assert found.floats > executed(lean, DOCUMENTS, Weights(0, 0)).floats


def test_an_engines_graph_with_integers_executes_them(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    tagger = EngineTagger(lean, TorchEngine(lean.parts), {"float32": 4, "int8": 1})
    found = executed(tagger, DOCUMENTS, Weights.of(lean.parts))
    assert found.floats == 0.0
    assert found.int8 > 0.0


def test_layers_are_not_watched_any_longer(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    executed(lean, DOCUMENTS[:1], Weights(0, 0))
    assert not any(module._forward_pre_hooks for module in lean.model.modules())
