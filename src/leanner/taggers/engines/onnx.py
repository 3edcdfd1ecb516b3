"""A tagger's graph as ONNX, and ONNX Runtime over it."""

from __future__ import annotations

import tempfile

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Self

import torch

from leanner.atomic import write_atomically
from leanner.taggers.engines.graph import INPUTS
from leanner.taggers.engines.graph import traced
from leanner.taggers.engines.quiet import quiet
from leanner.taggers.engines.support import FILES


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


RUNTIME: Final = "onnxruntime"

_FILE: Final = FILES[RUNTIME][0]


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX model.

    Attributes:
        content: As its file has it.
        weight_bits: Of a weight that is multiplied as an integer; ``None`` if all are float32.
    """

    content: bytes
    weight_bits: int | None

    @classmethod
    def of(cls, parts: Parts, weight_bits: int | None) -> Self:
        """Return that of a tagger's encoder and head.

        Args:
            parts: Of float32.
            weight_bits: ONNX Runtime's ``quantize_dynamic`` makes integers of the weights, with a scale for each
                channel, of 8 bits, or of 7 by ``reduce_range``: products of 8-bit ones saturate on a CPU without
                VNNI. ``None`` for float32.
        """
        with quiet("torch.onnx"):
            program = torch.onnx.export(
                traced(parts), input_names=list(INPUTS), output_names=["scores"], dynamo=True, verbose=False
            )
        assert program is not None
        model = program.model_proto
        _forget_where(model)
        if weight_bits is None:
            return cls(bytes(model.SerializeToString()), None)
        return cls(_quantized(model, reduce_range=weight_bits < 8), weight_bits)

    @classmethod
    def read(cls, folder: Path, weight_bits: int | None) -> Self:
        """Return that which :meth:`save` wrote.

        Raises:
            OSError: It cannot be read.
        """
        return cls((folder / _FILE).read_bytes(), weight_bits)

    def stored(self) -> dict[str, int]:
        """Return the bytes of the weights, by dtype; whole numbers of 32 and 64 bits are indices."""
        # The package is not there everywhere.
        import onnx  # noqa: PLC0415

        sizes: Counter[str] = Counter()
        for tensor in onnx.load_from_string(self.content).graph.initializer:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            if dtype.name not in ("int32", "int64"):
                numbers = 1
                for size in tensor.dims:
                    numbers *= size
                sizes[dtype.name] += numbers * dtype.itemsize
        return dict(sizes)

    def save(self, folder: Path) -> None:
        """Write it into ``folder``.

        Raises:
            OSError: It cannot be written.
        """
        write_atomically(folder / _FILE, self.content)

    def engine(self) -> OnnxEngine:
        """Return ONNX Runtime over it."""
        return OnnxEngine(self.content)


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


def _forget_where(model: Any) -> None:  # noqa: ANN401 - ONNX's
    """Take from a model what torch notes of each node: the lines of source that made it, and where they lie."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _quantized(model: Any, *, reduce_range: bool) -> bytes:  # noqa: ANN401 - ONNX's
    from onnxruntime.quantization import quantize_dynamic  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as folder, quiet("root"):
        path = Path(folder) / _FILE
        quantize_dynamic(model, path, per_channel=True, reduce_range=reduce_range)
        return path.read_bytes()
