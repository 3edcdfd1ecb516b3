"""A tagger's graph as ONNX, and ONNX Runtime over it."""

from __future__ import annotations

import tempfile

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from leanner.taggers.engines.graph import INPUTS
from leanner.taggers.engines.graph import traced
from leanner.taggers.engines.quiet import quiet


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


RUNTIME: Final = "onnxruntime"


def make_onnx(parts: Parts, *, int8: bool, reduce_range: bool = False) -> bytes:
    """Return the graph of a tagger's encoder and head as an ONNX model.

    Args:
        parts: Of float32.
        int8: Whether ONNX Runtime's ``quantize_dynamic`` makes integers of the weights, with a scale for each channel.
        reduce_range: Whether these have 7 bits: products of 8-bit ones saturate on a CPU without VNNI.
    """
    with quiet("torch.onnx"):
        program = torch.onnx.export(
            traced(parts), input_names=list(INPUTS), output_names=["scores"], dynamo=True, verbose=False
        )
    assert program is not None
    model = program.model_proto
    return _quantized(model, reduce_range=reduce_range) if int8 else bytes(model.SerializeToString())


def stored_in_onnx(content: bytes) -> dict[str, int]:
    """Return the bytes of an ONNX model's weights, by dtype; whole numbers of 32 and 64 bits are indices."""
    # The package is not there everywhere.
    import onnx  # noqa: PLC0415

    sizes: Counter[str] = Counter()
    for tensor in onnx.load_from_string(content).graph.initializer:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if dtype.name not in ("int32", "int64"):
            numbers = 1
            for size in tensor.dims:
                numbers *= size
            sizes[dtype.name] += numbers * dtype.itemsize
    return dict(sizes)


class OnnxEngine:
    """ONNX Runtime over a graph, on as many threads of the CPU as torch takes.

    Args:
        content: The ONNX model.
    """

    runtime: Final = RUNTIME

    def __init__(self, content: bytes) -> None:
        import onnxruntime  # noqa: PLC0415 - as above

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        # Errors only: it warns of what its own optimizers left.
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def scores(self, batch: Padded) -> NDArray[np.float32]:
        """Return the scores of the tags at the wanted positions, ``(n, tags)``."""
        result: NDArray[np.float32] = self._session.run(None, dict(zip(INPUTS, batch.inputs, strict=True)))[0]
        return result


def _quantized(model: Any, *, reduce_range: bool) -> bytes:  # noqa: ANN401 - ONNX's
    from onnxruntime.quantization import quantize_dynamic  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as folder, quiet("root"):
        path = Path(folder) / "model.onnx"
        quantize_dynamic(model, path, per_channel=True, reduce_range=reduce_range)
        return path.read_bytes()
