"""Attention over rows of all lengths in one kernel, for GPUs: a call for each length would cost more than it computes.

The rows lie behind each other as everywhere here, and the kernel is told where each begins: what ByteTransformer calls
fused multi-head attention for variable lengths (Zhai et al. 2023, IPDPS, section III-E). It is flash attention's where
torch has it for the type and the GPU, else that of torch's nested tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import cast

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.lean.steps import TorchSteps


if TYPE_CHECKING:
    from leanner.taggers.lean.steps import Held
    from leanner.taggers.lean.steps import Parts
    from leanner.taggers.lean.steps import Rows


#: Queries, keys and values ``(positions, heads, size)``, where the rows of queries and of keys begin, ``(rows + 1,)``
#: int32, and the longest of both; what the queries attend to, as the queries.
Attention = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], Tensor]

# Flash attention is for GPUs from Ampere on, and for heads that are not larger.
_CAPABILITY: Final = (8, 0)
_LARGEST_HEAD: Final = 256
_HEAD_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class _Borders:
    """Of a batch, on its device.

    Attributes:
        queries: Where rows begin, and the end, ``(rows + 1,)`` int32.
        keys: The same with what all rows see besides.
        chosen: The number of each key among those of all rows and, before them, what all see; ``None`` if that is none.
        longest: Of the rows.
    """

    queries: Tensor
    keys: Tensor
    chosen: Tensor | None
    longest: int


class VarlenSteps(TorchSteps):
    """The steps by torch, attention in one call.

    Args:
        attention: Does it.
    """

    def __init__(self, attention: Attention) -> None:
        self._attention: Final = attention
        # All layers have the same rows.
        self._last: tuple[Rows, int, _Borders] | None = None

    def attend(self, parts: Parts, rows: Rows, heads: int, held: Held | None) -> Tensor:
        """Return what each position attends to within its row, the heads beside each other."""
        queries, keys, values = parts
        before = 0 if held is None else len(held[0])
        borders = self._borders(rows, before, queries.device)
        if held is not None:
            keys, values = (
                torch.cat((common, own))[borders.chosen] for common, own in zip(held, (keys, values), strict=True)
            )
        queries, keys, values = (
            part.view(len(part), heads, part.shape[-1] // heads) for part in (queries, keys, values)
        )
        attended = self._attention(
            queries, keys, values, borders.queries, borders.keys, borders.longest, borders.longest + before
        )
        return attended.flatten(1)

    def _borders(self, rows: Rows, before: int, device: torch.device) -> _Borders:
        if self._last is not None and self._last[0] is rows and self._last[1] == before:
            return self._last[2]
        found = _borders_of(rows, before, device)
        self._last = rows, before, found
        return found


def _borders_of(rows: Rows, before: int, device: torch.device) -> _Borders:
    begins, sizes = rows.places
    keys = nn.functional.pad((sizes + before).cumsum(0), (1, 0))
    chosen = None
    if before:
        row = torch.repeat_interleave(torch.arange(len(sizes)), sizes + before)
        place = torch.arange(int(keys[-1])) - keys[row]
        chosen = torch.where(place < before, place, place + begins[row]).to(device)
    queries = nn.functional.pad(sizes.cumsum(0), (1, 0))
    # The kernels take int32.
    return _Borders(queries.to(device, torch.int32), keys.to(device, torch.int32), chosen, longest=max(rows.lengths))


def nested_attention(  # noqa: PLR0917 - what torch's varlen_attn takes
    queries: Tensor, keys: Tensor, values: Tensor, begins: Tensor, key_begins: Tensor, longest: int, longest_keys: int
) -> Tensor:
    """Attend by nested tensors: see ``Attention``."""

    def rows(part: Tensor, offsets: Tensor, most: int) -> Tensor:
        nested = torch.nested.nested_tensor_from_jagged(part.clone(), offsets.long(), min_seqlen=1, max_seqlen=most)
        return nested.transpose(1, 2)

    # Nested tensors are made of no tensor of the inference mode.
    with torch.inference_mode(mode=False), torch.no_grad():
        attended = nn.functional.scaled_dot_product_attention(
            rows(queries, begins, longest), rows(keys, key_begins, longest_keys), rows(values, key_begins, longest_keys)
        )
        return attended.transpose(1, 2).values()


def attention_for(dtype: torch.dtype, head_sizes: set[int], capability: tuple[int, int]) -> Attention:
    """Return the attention that a CUDA device has for encoders of such heads.

    Args:
        dtype: Of the states.
        head_sizes: Of the heads of all layers.
        capability: Of the device.
    """
    flash = (
        dtype in (torch.float16, torch.bfloat16)
        and capability >= _CAPABILITY
        and all(size <= _LARGEST_HEAD and size % _HEAD_STEP == 0 for size in head_sizes)
    )
    return (_flash() or nested_attention) if flash else nested_attention


def _flash() -> Attention | None:
    try:
        from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 - not every torch has it
    except ImportError:
        return None
    # With what is asked of it here it returns no more than a tensor.
    return cast("Attention", varlen_attn)
