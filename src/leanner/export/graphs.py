"""An engine's files of an export: written, and run again where only the engine itself is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final
from typing import Protocol

import numpy as np
import torch

from leanner.export.layers import Form
from leanner.export.loading import TRANSITIONS
from leanner.export.loading import load_tensors
from leanner.export.manifest import DECIDING
from leanner.taggers.engines.deciding import EngineDecider
from leanner.taggers.engines.onnx import OnnxModel
from leanner.taggers.engines.openvino import OpenVinoModel
from leanner.taggers.engines.padding import Padded
from leanner.taggers.engines.support import NOT_A_CPU
from leanner.taggers.engines.support import version_of
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.parts import Transitions


if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from leanner.export.manifest import Graph
    from leanner.export.manifest import GraphManifest
    from leanner.taggers.engines.deciding import Engine
    from leanner.taggers.engines.model import EngineModel
    from leanner.taggers.lean.parts import Parts


#: Scores of a word of which the tokenizer leaves nothing.
BIAS: Final = "head.bias"


class _Reader(Protocol):
    def read(self, folder: Path, weight_bits: int | None) -> EngineModel: ...


_READERS: Final[Mapping[str, _Reader]] = {"onnxruntime": OnnxModel, "openvino": OpenVinoModel}

#: One row of two sub-tokens of which the first is wanted.
_TRIAL: Final = Padded(*(np.array(values, dtype=np.int64) for values in ([[0, 0]], [2], [0], [0])))


def deciding_tensors(parts: Parts) -> dict[str, Tensor]:
    """Return what tags are decided with beside the scores of a graph, by name."""
    tensors: dict[str, Tensor] = {BIAS: parts.head.get_parameter("bias")}
    return tensors if parts.crf is None else {**tensors, TRANSITIONS: parts.crf.scores}


def load_graph(manifest: GraphManifest, folder: Path, device: torch.device) -> EngineDecider:
    """Return the engine over its files in ``folder``, once it has given scores for a trial.

    Raises:
        TaggerError: The engine is missing or cannot run them, a tensor is of another form, or the device is no CPU.
    """
    if device.type != "cpu":
        raise TaggerError(f"{folder}: {NOT_A_CPU}, found {device}; load it on the CPU")
    graph, output = manifest.graph, manifest.output
    tags = len(output.tags)
    expected = {BIAS: Form((tags,), torch.float32)}
    if output.crf is not None:
        expected[TRANSITIONS] = Form((tags, tags), torch.float32)
    tensors = load_tensors(folder / DECIDING, expected, device)
    crf = output.crf
    return EngineDecider(
        _engine(graph, folder, tags),
        tensors[BIAS].numpy(),
        mean=manifest.input.pooling == "mean",
        crf=None if crf is None else Transitions(tensors[TRANSITIONS], crf.start, crf.stop),
        batch_tokens=manifest.runtime.batch_tokens,
    )


def version_doubt(graph: Graph) -> str | None:
    """Return what is to be said if another version of the engine runs the graph than where it was exported."""
    here = version_of(graph.engine)
    if here == graph.version:
        return None
    return (
        f"{graph.engine} {here} runs it here, {graph.version} did where it was exported: spans can differ; "
        f"pip install '{graph.engine}=={graph.version}' for the same"
    )


def _engine(graph: Graph, folder: Path, tags: int) -> Engine:
    install = f"pip install '{graph.engine}=={graph.version}'"
    try:
        here = version_of(graph.engine)
    except ImportError as error:
        raise TaggerError(
            f"{folder}: expected {graph.engine}, which runs this export, found {error}; {install}"
        ) from error
    try:
        engine = _READERS[graph.engine].read(folder, graph.weight_bits).engine()
        found = engine.scores(_TRIAL)
    # Engines have errors of their own, with no base in common.
    except Exception as error:
        advice = "export the tagger again" if here == graph.version else f"{install}, or export the tagger again"
        raise TaggerError(
            f"{folder}: expected a graph that {graph.engine} {here} runs, as {graph.version} did where it was "
            f"exported, found an error: {' '.join(str(error).split())}; {advice}"
        ) from error
    if found.shape != (1, tags) or found.dtype != np.float32:
        raise TaggerError(
            f"{folder}: expected a graph that gives scores of {tags} tags, float32{[1, tags]}, found "
            f"{found.dtype}{list(found.shape)}; export the tagger again"
        )
    return engine
