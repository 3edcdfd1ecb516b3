"""What lies between the matrix products of a BERT layer: by torch, or by kernels that were compiled for this CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Protocol
from typing import runtime_checkable

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.lean.batches import equal_runs


if TYPE_CHECKING:
    from leanner.taggers.lean.kernels import Kernels


#: Keys and values that all rows see besides their own, ``(length, width)`` each.
Held = tuple[Tensor, Tensor]
#: Queries, keys and values.
Parts = tuple[Tensor, Tensor, Tensor]


@runtime_checkable
class Quantizing(Protocol):
    """A linear layer that stores its input as integers; all layers with one input store it alike."""

    @property
    def grid(self) -> tuple[Tensor, Tensor]:
        """Steps and shift of each input: it is stored as ``floor(x * steps + shift)``, uint8."""
        ...

    def quantize(self, x: Tensor) -> Tensor:
        """Return the integers, which these layers take instead."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that lie behind each other.

    Attributes:
        lengths: Of each.
        places: Where each begins, and its length, ``(rows,)``.
    """

    lengths: Sequence[int]
    places: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Rows:
        """Return rows of these lengths."""
        sizes = torch.tensor(lengths)
        return cls(lengths, (sizes.cumsum(0) - sizes, sizes))


class Steps(Protocol):
    """*Shapes:* states ``(positions, features)``, those of all rows behind each other."""

    def attend(self, parts: Parts, rows: Rows, heads: int, held: Held | None) -> Tensor:
        """Return what each position attends to within its row, the heads beside each other."""
        ...

    def add_norm(self, x: Tensor, residual: Tensor, norm: Any, following: object) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - a LayerNorm
        """Return ``norm(x + residual)``, and what the layer that follows takes of it; ``x`` is overwritten."""
        ...

    def given(self, x: Tensor, following: object) -> Tensor:
        """Return what a layer takes of ``x``."""
        ...


class TorchSteps:
    """The steps by torch: everywhere, and in every precision. Attention runs over equally long rows at a time."""

    def attend(self, parts: Parts, rows: Rows, heads: int, held: Held | None) -> Tensor:
        """Return what each position attends to within its row, the heads beside each other."""
        result = torch.empty_like(parts[0])
        begin = 0
        for number, length in equal_runs(rows.lengths):
            end = begin + number * length
            own = [part[begin:end].view(number, length, -1) for part in parts]
            if held is not None:
                # Whole rows are copied at once; heads apart would be copied one by one.
                own[1:] = [
                    torch.cat((before.expand(number, -1, -1), part), 1)
                    for before, part in zip(held, own[1:], strict=True)
                ]
            queries, keys, values = (
                part.view(number, -1, heads, part.shape[-1] // heads).transpose(1, 2) for part in own
            )
            attended = nn.functional.scaled_dot_product_attention(queries, keys, values)
            result[begin:end] = attended.transpose(1, 2).reshape(end - begin, -1)
            begin = end
        return result

    def add_norm(self, x: Tensor, residual: Tensor, norm: Any, following: object) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - a LayerNorm
        """Return ``norm(x + residual)``, and what the layer that follows takes of it; ``x`` is overwritten."""
        hidden: Tensor = norm(x.add_(residual))
        return hidden, self.given(hidden, following)

    def given(self, x: Tensor, following: object) -> Tensor:
        """Return what a layer takes of ``x``."""
        return following.quantize(x) if isinstance(following, Quantizing) else x


class CompiledSteps(TorchSteps):
    """The steps by kernels, over float32 on the CPU, for the sizes that they are made for."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels: Final = kernels

    def attend(self, parts: Parts, rows: Rows, heads: int, held: Held | None) -> Tensor:
        """Return what each position attends to within its row, the heads beside each other."""
        return self._kernels.attention(*parts, rows=rows.places, heads=heads, held=held)

    def add_norm(self, x: Tensor, residual: Tensor, norm: Any, following: object) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - a LayerNorm
        """Return ``norm(x + residual)``, and what the layer that follows takes of it; ``x`` is overwritten."""
        return self._kernels.add_norm(x, residual, norm, following.grid if isinstance(following, Quantizing) else None)

    def given(self, x: Tensor, following: object) -> Tensor:
        """Return what a layer takes of ``x``."""
        return self._kernels.quantize(x, following.grid) if isinstance(following, Quantizing) else x
