"""What engines store of weights is within half a step of them, whoever quantized."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pytest
import torch

from numpy.typing import NDArray

from leanner.passes.calibration.text import calibration_text
from leanner.taggers.engines.graph import PaddedBert
from leanner.taggers.engines.inductor import quantized_pt2e
from leanner.taggers.engines.onnx import OnnxModel
from leanner.taggers.engines.openvino import OpenVinoModel
from leanner.taggers.engines.padding import Padded
from leanner.taggers.engines.padding import padded
from leanner.taggers.engines.support import missing_packages
from taggers.engines.engines import NEEDS_TORCHAO
from taggers.engines.test_deciding import lean_of


if TYPE_CHECKING:
    from leanner.taggers.lean.parts import Parts


Floats = NDArray[np.float64]
#: Integers as they are stored, and the step of each.
Stored = tuple[NDArray[np.int64], Floats]


@pytest.fixture(scope="module")
def parts(shaped_file: Path) -> Parts:
    return lean_of(shaped_file).parts


@pytest.fixture(scope="module")
def batches(shaped_file: Path) -> list[Padded]:
    return [padded([row]) for row in lean_of(shaped_file).encode(calibration_text(2)).rows[:20]]


def needs(engine: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(missing_packages(engine) is not None, reason=f"needs {engine}")


def check(parts: Parts, stored: list[Stored], bits: int) -> None:
    """See that the integers of each linear layer are there once, within half a step, a step for each channel."""
    linears = [module.weight for module in PaddedBert(parts).modules() if isinstance(module, torch.nn.Linear)]
    weights = [weight.detach().numpy().astype(np.float64) for weight in linears]
    left = list(stored)
    assert len(left) == len(weights)
    for weight in weights:
        fitting = [n for n, (integers, steps) in enumerate(left) if fits(weight, integers, steps)]
        assert fitting, f"no integers within half a step of a layer of {weight.shape}"
        integers, steps = left.pop(fitting[0])
        assert len(np.unique(steps)) > 1
        # As many as the bits have: where the largest weight is half of that, a bit is lost.
        assert 2 ** (bits - 1) - 1 <= np.abs(integers).max() <= 2 ** (bits - 1)


def fits(weight: Floats, integers: NDArray[np.int64], steps: Floats) -> bool:
    return integers.shape == weight.shape and bool(
        (np.abs(weight - integers * steps) <= steps * (0.5 + 1e-4) + 1e-9).all()
    )


@NEEDS_TORCHAO
@pytest.mark.parametrize("dynamic", [False, True])
def test_of_pt2e(parts: Parts, batches: list[Padded], *, dynamic: bool) -> None:
    graph = quantized_pt2e(parts, batches, dynamic=dynamic)

    def value(node: Any) -> Any:  # noqa: ANN401 - torch's
        owner, _, name = node.target.rpartition(".")
        return getattr(graph.get_submodule(owner), name)

    def stored() -> Iterator[Stored]:
        for node in graph.graph.nodes:
            if "dequantize_per_channel" in str(node.target):
                integers, steps, zeros = map(value, node.args[:3])
                assert not zeros.any()
                yield integers.numpy().astype(np.int64), steps.double().numpy()[:, None]

    check(parts, list(stored()), bits=8)


@needs("onnxruntime")
@pytest.mark.parametrize("bits", [8, 7])
def test_of_onnx_runtime(parts: Parts, bits: int) -> None:
    import onnx

    model = onnx.load_from_string(OnnxModel.of(parts, bits).content)
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def stored() -> Iterator[Stored]:
        for name, integers in arrays.items():
            base = name.removesuffix("_quantized")
            steps = arrays.get(f"{base}_scale")
            if base != name and steps is not None and steps.ndim:
                assert not arrays[f"{base}_zero_point"].any()
                # ONNX multiplies from the left: a channel is a column.
                yield integers.T.astype(np.int64), steps.astype(np.float64)[:, None]

    check(parts, list(stored()), bits)


@needs("openvino")
@pytest.mark.parametrize("bits", [8, 7])
def test_of_openvino(parts: Parts, batches: list[Padded], bits: int) -> None:
    graph = OpenVinoModel.of(parts).quantized(batches, bits).graph

    def stored() -> Iterator[Stored]:
        for node in graph.get_ordered_ops():
            if node.get_type_name() == "MatMul" and (convert := made_of(node.input_value(1), "Multiply", "Convert")):
                integers = convert.input_value(0).get_node().get_data()
                steps = node.input_value(1).get_node().input_value(1).get_node().get_data().astype(np.float64)
                yield integers.astype(np.int64), steps * divisor(node, integers.shape[1])

    check(parts, list(stored()), bits)


def made_of(value: Any, *kinds: str) -> Any:  # noqa: ANN401 - OpenVINO's
    """The node at the end of a chain of such nodes, each of which makes the first input of the one before it."""
    node = None
    for kind in kinds:
        node = value.get_node()
        if node.get_type_name() != kind:
            return None
        value = node.input_value(0)
    return node


def divisor(product: Any, inputs: int) -> Floats:  # noqa: ANN401 - OpenVINO's
    """What NNCF multiplies inputs by, and divides their weights by: SmoothQuant."""
    smooth = made_of(product.input_value(0), "FakeQuantize", "Multiply")
    given = smooth and smooth.input_value(1).get_node()
    if not given or given.get_type_name() != "Constant" or given.get_data().size != inputs:
        return np.ones((1, inputs))
    return np.asarray(given.get_data(), dtype=np.float64).reshape(1, inputs)
