from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from leanner.passes.calibration.text import calibration_text
from leanner.passes.int8 import has_onednn
from leanner.taggers.engines.graph import PaddedBert
from leanner.taggers.engines.inductor import InductorEngine
from leanner.taggers.engines.inductor import quantized_pt2e
from leanner.taggers.engines.inductor import stored_in_graph
from leanner.taggers.engines.padding import padded
from taggers.engines.engines import NEEDS_TORCHAO
from taggers.engines.test_deciding import lean_of


if TYPE_CHECKING:
    from torch.fx import GraphModule

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


pytestmark = NEEDS_TORCHAO


@pytest.fixture(scope="module")
def parts(shaped_file: Path) -> Parts:
    return lean_of(shaped_file).parts


@pytest.fixture(scope="module")
def batches(shaped_file: Path) -> list[Padded]:
    rows = lean_of(shaped_file).encode(calibration_text(3)).rows
    return [padded([row]) for row in rows] + [padded(rows[:7]), padded(rows[3:5])]


@pytest.fixture(scope="module")
def static(parts: Parts, batches: list[Padded]) -> GraphModule:
    return quantized_pt2e(parts, batches, dynamic=False)


def scores(graph: torch.nn.Module, batch: Padded) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(graph(*map(torch.from_numpy, batch.inputs)).numpy())


def operations(graph: GraphModule) -> str:
    return " ".join(str(node.target) for node in graph.graph.nodes)


def test_all_linear_layers_have_integers_and_nothing_else_has(parts: Parts, static: GraphModule) -> None:
    linears = [module for module in PaddedBert(parts).modules() if isinstance(module, torch.nn.Linear)]
    sizes = stored_in_graph(static)
    assert sizes["int8"] == sum(layer.weight.numel() for layer in linears)
    whole = sum(weight.numel() for weight in PaddedBert(parts).parameters())
    channels = sum(layer.out_features for layer in linears)
    # Floats of which integers were made are let go; each channel has got a scale.
    assert sizes["float32"] == 4 * (whole - sizes["int8"] + channels)
    assert set(sizes) == {"int8", "float32"}


def test_ranges_are_known_beforehand_or_found_in_each_batch(
    parts: Parts, batches: list[Padded], static: GraphModule
) -> None:
    assert "choose_qparams" not in operations(static)
    dynamic = quantized_pt2e(parts, batches[:1], dynamic=True)
    assert "choose_qparams" in operations(dynamic)
    assert stored_in_graph(dynamic) == stored_in_graph(static)
    exact = PaddedBert(parts).eval()
    for graph in (static, dynamic):
        for batch in batches[-2:]:
            apart = np.abs(scores(graph, batch) - scores(exact, batch)).mean()
            assert 0 < apart < 0.05 * np.abs(scores(exact, batch)).mean()


def test_less_range_takes_a_bit_from_activations(parts: Parts, batches: list[Padded]) -> None:
    graph = quantized_pt2e(parts, batches[:1], dynamic=True, reduce_range=True)
    chosen = [node for node in graph.graph.nodes if "choose_qparams" in str(node.target)]
    assert {node.args[1:3] for node in chosen} == {(0, 127)}


def same_but_for_rounding(found: np.ndarray, expected: np.ndarray) -> None:
    """Floats between the layers differ by rounding, so that a value between two steps may get the other one."""
    apart = np.abs(found - expected)
    assert (apart < 1e-4).mean() > 0.8
    assert apart.max() < 0.02 * np.abs(expected).max()


@pytest.mark.skipif(not has_onednn(), reason="needs oneDNN's int8 kernels, which are for x86")
def test_torchinductor_computes_what_the_graph_says(static: GraphModule, batches: list[Padded]) -> None:
    from torch._dynamo.utils import counters

    products = counters["inductor"]["qlinear_weight_prepack_matcher_count"]
    engine = InductorEngine(static)
    # In both graphs, that for batches and that for a single row.
    assert counters["inductor"]["qlinear_weight_prepack_matcher_count"] - products == 2 * 13
    known = counters["stats"]["unique_graphs"]
    for batch in batches:
        same_but_for_rounding(engine.scores(batch), scores(static, batch))
    with torch.inference_mode():
        same_but_for_rounding(engine.scores(batches[0]), scores(static, batches[0]))
        same_but_for_rounding(engine.scores(batches[-1]), scores(static, batches[-1]))
    one = batches[-1]._replace(wanted=batches[-1].wanted[:1], words=batches[-1].words[:1])
    same_but_for_rounding(engine.scores(one), scores(static, one))
    assert counters["stats"]["unique_graphs"] == known
    torch._dynamo.reset()
