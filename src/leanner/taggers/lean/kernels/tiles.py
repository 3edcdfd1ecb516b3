"""How the kernels of an int8 encoder read weights: blocks of sixteen features and sixty-four inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final

from torch.nn.functional import pad


if TYPE_CHECKING:
    from torch import Tensor


#: Features that a product makes at a time without AMX, and inputs that it multiplies at a time.
TILE: Final = 8
GROUP: Final = 4

#: Features and inputs of a block, which a register of AMX holds.
ROWS: Final = 16
DEPTH: Final = 64


def tiles_of(rows: Tensor) -> Tensor:
    """Return weights as the kernels read them, zeros behind the last feature and the last input.

    *Shapes:* ``rows`` ``(out, in)``; result ``(⌈out / 16⌉, ⌈in / 64⌉, 16, 64)``, contiguous.
    """
    outputs, inputs = rows.shape
    whole = pad(rows, (0, -inputs % DEPTH, 0, -outputs % ROWS))
    return whole.reshape(-1, ROWS, whole.shape[1] // DEPTH, DEPTH).permute(0, 2, 1, 3).contiguous()


def rows_of(tiles: Tensor, outputs: int, inputs: int) -> Tensor:
    """Return the weights row by row, contiguous: the reverse of :func:`tiles_of`.

    *Shapes:* ``(outputs, inputs)``.
    """
    number, depth = tiles.shape[:2]
    return tiles.permute(0, 2, 1, 3).reshape(number * ROWS, depth * DEPTH)[:outputs, :inputs].contiguous()
