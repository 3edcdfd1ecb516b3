"""Small batches on a GPU as CUDA graphs: starting its kernels one by one takes longer than what they compute.

A batch is padded to one of a few shapes. What a shape computes is recorded when it first comes, and replayed from
then on, as ``torch.compile`` does it in its mode "reduce-overhead", but without compiling.
"""

from __future__ import annotations

import bisect

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np
import torch

from torch import Tensor

from leanner.taggers.lean.padded import evaluating


if TYPE_CHECKING:
    from leanner.taggers.lean.bert import CachedPrefix
    from leanner.taggers.lean.bert import PackedBert


#: What a batch is padded to; what is larger keeps a GPU busy as it is.
ROWS: Final = (1, 2, 4, 8)
LENGTHS: Final = (32, 64, 128)

#: Before a graph is recorded: libraries set themselves up at their first calls, which no graph may hold.
_FIRST_CALLS: Final = 3

#: Computes what stands in two tensors, ``ids`` and ``mask``.
Computes = Callable[[Tensor, Tensor], Tensor]
#: Makes of it and of the tensors what computes the same again, whatever stands in them then; the result is written over
#: the one before.
Record = Callable[[Computes, Tensor, Tensor], Callable[[], Tensor]]


@dataclass(frozen=True, slots=True)
class _Recorded:
    ids: Tensor
    mask: Tensor
    replay: Callable[[], Tensor]


class GraphedBert:
    """An encoder whose small batches are replayed. A cached prefix goes the encoder's own way, as large batches do.

    Args:
        encoder: Of a tagger; no weight of it is to be changed any more.
        record: Records on its device.
    """

    #: No kernel computes all layers of it together.
    whole: Final = None

    def __init__(self, encoder: PackedBert, record: Record | None = None) -> None:
        self.model: Final = encoder.model
        self._encoder: Final = encoder
        self._record: Final = record_cuda_graph if record is None else record
        self._positions: Final = int(encoder.model.config.max_position_embeddings)
        self._recorded: dict[tuple[int, int], _Recorded] = {}

    def __call__(
        self, ids: Tensor, lengths: Sequence[int], wanted: Tensor, prefix: CachedPrefix | None = None
    ) -> Tensor:
        """Return the hidden states of the last layer at the wanted positions, as :class:`PackedBert` does."""
        shape = shape_of(lengths, self._positions)
        if prefix is not None or shape is None:
            return self._encoder(ids, lengths, wanted, prefix)
        recorded = self._recorded.get(shape)
        if recorded is None:
            recorded = self._recorded[shape] = self._recorded_for(shape, ids)
        _, longest = shape
        numbers = np.concatenate([row * longest + np.arange(length) for row, length in enumerate(lengths)])
        places = torch.from_numpy(numbers).to(ids.device)
        # What the batch before has left elsewhere is masked.
        recorded.ids.view(-1)[places] = ids
        recorded.mask.zero_().view(-1)[places] = 1.0
        # A copy: the next batch writes over the result.
        return recorded.replay().flatten(0, 1)[places[wanted]]

    def prefix(self, ids: Tensor) -> CachedPrefix:
        """Return what rows that begin with ``ids`` need of them."""
        return self._encoder.prefix(ids)

    def _recorded_for(self, shape: tuple[int, int], ids: Tensor) -> _Recorded:
        given = torch.zeros(shape, dtype=ids.dtype, device=ids.device)
        mask = torch.ones(shape, device=ids.device)
        model: Any = self.model

        def compute(given: Tensor, mask: Tensor) -> Tensor:
            # Of three dimensions: of two, transformers looks whether all of it is 1, which no graph can hold.
            made = model(
                input_ids=given, attention_mask=mask.unsqueeze(1), output_hidden_states=False, return_dict=True
            )
            hidden: Tensor = made.last_hidden_state
            return hidden

        with evaluating(model):
            return _Recorded(given, mask, self._record(compute, given, mask))


def shape_of(lengths: Sequence[int], positions: int) -> tuple[int, int] | None:
    """Return number and length of the rows that a batch is padded to; ``None`` if it is larger than all of these.

    Args:
        lengths: Of the batch's rows.
        positions: That the encoder has embeddings of: no shape is longer.
    """
    rows, length = bisect.bisect_left(ROWS, len(lengths)), bisect.bisect_left(LENGTHS, max(lengths))
    if rows == len(ROWS) or length == len(LENGTHS) or LENGTHS[length] > positions:
        return None
    return ROWS[rows], LENGTHS[length]


def record_cuda_graph(compute: Computes, ids: Tensor, mask: Tensor) -> Callable[[], Tensor]:
    """Return what replays ``compute``, recorded on the device of ``ids``.

    Raises:
        RuntimeError: It waits for the GPU, or does what else a graph cannot hold.
    """
    with torch.cuda.device(ids.device):
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_FIRST_CALLS):
                compute(ids, mask)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = compute(ids, mask)

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay
