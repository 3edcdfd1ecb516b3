"""A tagger's graph as OpenVINO's, and OpenVINO over it."""

from __future__ import annotations

import errno
import io

from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Self

import numpy as np
import torch

from leanner.taggers.engines.graph import traced
from leanner.taggers.engines.quiet import quiet
from leanner.taggers.engines.support import FILES


if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


RUNTIME: Final = "openvino"

_NAMES: Final = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8"}
_GRAPH, _WEIGHTS = FILES[RUNTIME]


@dataclass(frozen=True, slots=True)
class OpenVinoModel:
    """A model of OpenVINO's; its files are called intermediate representation, IR.

    Attributes:
        graph: A ``Model``.
        weight_bits: Of a weight that is multiplied as an integer; ``None`` if all are float32.
    """

    graph: Any
    weight_bits: int | None

    @classmethod
    def of(cls, parts: Parts) -> Self:
        """Return that of a tagger's encoder and head, in float32.

        Args:
            parts: Of float32.
        """
        # The package is not there everywhere.
        import openvino  # noqa: PLC0415

        with quiet():
            return cls(openvino.convert_model(traced(parts)), None)

    @classmethod
    def read(cls, folder: Path, weight_bits: int | None) -> Self:
        """Return that which :meth:`save` wrote.

        Raises:
            RuntimeError: It cannot be read, or is none.
        """
        import openvino  # noqa: PLC0415 - as above

        return cls(openvino.Core().read_model(folder / _GRAPH, folder / _WEIGHTS), weight_bits)

    def quantized(self, batches: Sequence[Padded], weight_bits: int) -> Self:
        """Return one whose matrix products are of integers, as NNCF quantizes transformers after training.

        Args:
            batches: What it reads to learn the ranges of activations.
            weight_bits: 8, or 7 by ``OverflowFix``: products of 8-bit weights saturate on a CPU without VNNI.
        """
        import nncf  # noqa: PLC0415 - as above

        fix = nncf.OverflowFix.ENABLE if weight_bits < 8 else nncf.OverflowFix.DISABLE
        # Its progress bars have no other switch.
        with quiet("nncf"), redirect_stdout(io.StringIO()):
            graph = nncf.quantize(
                self.graph,
                nncf.Dataset(list(batches), lambda batch: list(batch.inputs)),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(batches),
                advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
            )
        return type(self)(graph, weight_bits)

    def stored(self) -> dict[str, int]:
        """Return the bytes of the weights, by dtype; whole numbers of 32 and 64 bits are indices."""
        sizes: Counter[str] = Counter()
        for node in self.graph.get_ops():
            if node.get_type_name() == "Constant":
                kind = node.get_element_type().get_type_name()
                if kind not in ("i32", "i64"):
                    sizes[_NAMES.get(kind, kind)] += node.get_byte_size()
        return dict(sizes)

    def save(self, folder: Path) -> None:
        """Write it into ``folder``, weights as they are.

        Raises:
            OSError: It cannot be written.
        """
        import openvino  # noqa: PLC0415 - as above

        try:
            openvino.serialize(self.graph, folder / _GRAPH, folder / _WEIGHTS)
        except RuntimeError as error:
            raise OSError(errno.EIO, str(error), str(folder / _GRAPH)) from error

    def engine(self) -> OpenVinoEngine:
        """Return OpenVINO over it; what is left of floats beside integers has the type that it takes for this CPU."""
        return OpenVinoEngine(self.graph, int8=self.weight_bits is not None)


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
