"""A tagger's graph as OpenVINO's, and OpenVINO over it."""

from __future__ import annotations

import io

from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np
import torch

from leanner.taggers.engines.graph import traced
from leanner.taggers.engines.quiet import quiet


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


RUNTIME: Final = "openvino"

_NAMES: Final = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8"}


def make_openvino(parts: Parts) -> Any:  # noqa: ANN401 - OpenVINO's
    """Return the graph of a tagger's encoder and head as OpenVINO's ``Model``.

    Args:
        parts: Of float32.
    """
    # The package is not there everywhere.
    import openvino  # noqa: PLC0415

    with quiet():
        return openvino.convert_model(traced(parts))


def quantized_openvino(model: Any, batches: Sequence[Padded], *, half_range: bool = False) -> Any:  # noqa: ANN401
    """Return a graph whose matrix products are of integers, as NNCF quantizes transformers after training.

    Args:
        model: Of :func:`make_openvino`.
        batches: What it reads to learn the ranges of activations.
        half_range: Whether weights have 7 bits: products of 8-bit ones saturate on a CPU without VNNI.
    """
    import nncf  # noqa: PLC0415 - as above

    fix = nncf.OverflowFix.ENABLE if half_range else nncf.OverflowFix.DISABLE
    # Its progress bars have no other switch.
    with quiet("nncf"), redirect_stdout(io.StringIO()):
        return nncf.quantize(
            model,
            nncf.Dataset(list(batches), lambda batch: list(batch.inputs)),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(batches),
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
        )


def stored_in_openvino(model: Any) -> dict[str, int]:  # noqa: ANN401 - OpenVINO's
    """Return the bytes of a graph's weights, by dtype; whole numbers of 32 and 64 bits are indices."""
    sizes: Counter[str] = Counter()
    for node in model.get_ops():
        if node.get_type_name() == "Constant":
            kind = node.get_element_type().get_type_name()
            if kind not in ("i32", "i64"):
                sizes[_NAMES.get(kind, kind)] += node.get_byte_size()
    return dict(sizes)


class OpenVinoEngine:
    """OpenVINO over a graph, on as many threads of the CPU as torch takes.

    Args:
        model: A ``Model``.
        int8: What is left of floats in it has the type that OpenVINO takes for this CPU, else float32.
    """

    runtime: Final = RUNTIME

    def __init__(self, model: Any, *, int8: bool) -> None:  # noqa: ANN401 - OpenVINO's
        import openvino  # noqa: PLC0415 - as above

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        exact = {} if int8 else {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(model, "CPU", {**settings, **exact})
        self._request: Any = compiled.create_infer_request()

    def scores(self, batch: Padded) -> NDArray[np.float32]:
        """Return the scores of the tags at the wanted positions, ``(n, tags)``."""
        return np.array(self._request.infer(list(batch.inputs))[0], dtype=np.float32)
