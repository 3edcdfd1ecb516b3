"""A tagger's graph with int8 products by torchao's PT2E quantization, and TorchInductor over it.

It is KAZU's recipe (its ``_Int8X86Quantizer``: ``X86InductorQuantizer`` over all of an exported model, dynamic, then
TorchInductor with frozen weights), whose imports from ``torch.ao.quantization`` are gone from torch: torchao has them
(its documentation, "PyTorch 2 Export Quantization", "Quick Start").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np
import torch

from torch import Tensor
from torch._inductor import config

from leanner.taggers.compiling import RUNTIME
from leanner.taggers.engines.graph import traced
from leanner.taggers.engines.quiet import quiet


if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.fx import GraphModule

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


#: Loggers of what torchao and torch say of each other as they are loaded.
_LOGGERS: Final = ("torchao", "torch.utils._pytree")


def quantized_pt2e(
    parts: Parts, batches: Sequence[Padded], *, dynamic: bool, reduce_range: bool = False
) -> GraphModule:
    """Return the graph of a tagger's encoder and head with weights and inputs of linear layers as integers.

    Weights are symmetric int8 with a scale for each channel, inputs affine uint8 with one scale for a tensor. The graph
    says to quantize, to make floats of that and to multiply them: TorchInductor makes one product of integers of it.

    Args:
        parts: Of float32.
        batches: What it reads to learn the ranges of inputs; one of them is enough where ``dynamic``.
        dynamic: Whether these ranges are found in each batch instead.
        reduce_range: Whether inputs have 7 bits: products of 8-bit ones saturate on a CPU without VNNI.

    Raises:
        ImportError: torchao is not here, or does not go with this torch.
    """
    with quiet(*_LOGGERS):
        # The package is not there everywhere.
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e  # noqa: PLC0415
        from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e  # noqa: PLC0415
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86  # noqa: PLC0415

        quantizer = x86.X86InductorQuantizer()
        quantizer.set_global(
            x86.get_default_x86_inductor_quantization_config(is_dynamic=dynamic, reduce_range=reduce_range)
        )
        with torch.no_grad():
            prepared = prepare_pt2e(traced(parts).module(), quantizer)
            for batch in batches:
                prepared(*map(torch.from_numpy, batch.inputs))
            graph: GraphModule = convert_pt2e(prepared)
    _let_go(graph)
    return graph


def stored_in_graph(graph: GraphModule) -> dict[str, int]:
    """Return the bytes of a graph's weights, by dtype; whole numbers of 64 bits are indices and zero points."""
    sizes: Counter[str] = Counter()
    for tensor in (*graph.parameters(), *graph.buffers()):
        if tensor.dtype != torch.int64:
            sizes[str(tensor.dtype).removeprefix("torch.")] += tensor.numel() * tensor.element_size()
    return dict(sizes)


class InductorEngine:
    """TorchInductor over a graph, its weights frozen so that oneDNN has them in its own layout.

    Any number of rows and lengths is compiled once, but for a single row, which TorchDynamo has compiled by
    itself. Both are compiled here.

    Args:
        graph: Takes and returns what :class:`~leanner.taggers.engines.graph.PaddedBert` does.
    """

    runtime: Final = RUNTIME

    def __init__(self, graph: GraphModule) -> None:
        # In one piece, and in this process: other ones that only wait would be measured with it.
        self._run: Any = torch.compile(graph, dynamic=True, fullgraph=True, options={"compile_threads": 1})
        # Numbers that are equal would be taken as one and the same size.
        several = np.zeros((3, 5), np.int64), np.array([5, 4, 2]), np.array([1, 2, 6])
        single = np.zeros((1, 5), np.int64), np.array([5]), np.array([1, 2, 3])
        # Among the options it would come too late: TorchDynamo asks for it, too.
        with quiet(*_LOGGERS), config.patch(freezing=True):
            self._scores(*several)
            self._scores(*single)

    def scores(self, batch: Padded) -> NDArray[np.float32]:
        """Return the scores of the tags at the wanted positions, ``(n, tags)``."""
        return self._scores(*batch.inputs)

    def _scores(self, *inputs: NDArray[np.int64]) -> NDArray[np.float32]:
        # Another mode would be compiled by itself, and so would tensors that were made in another one.
        with torch.inference_mode():
            ids, lengths, wanted = map(torch.from_numpy, inputs)
            # One position more, since a single one would be, too.
            result: Tensor = self._run(ids, lengths, torch.cat([wanted, wanted[-1:]]))
        return np.asarray(result[:-1].numpy())


def _let_go(graph: GraphModule) -> None:
    """Take the weights from a graph that nothing in it reads: those of float32, of which integers were made."""
    read = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    held = [name for name, _ in (*graph.named_parameters(), *graph.named_buffers())]
    for name in held:
        if name not in read:
            owner, _, own = name.rpartition(".")
            delattr(graph.get_submodule(owner), own)
