"""How the kernels of an int8 encoder read weights: eight features beside each other, four inputs of each at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final


if TYPE_CHECKING:
    from torch import Tensor


#: Features that a product makes at a time, and inputs that it multiplies at a time.
TILE: Final = 8
GROUP: Final = 4


def tiles_of(rows: Tensor) -> Tensor:
    """Return weights as the kernels read them.

    *Shapes:* ``rows`` ``(out, in)``; result ``(out / 8, in / 4, 8, 4)``, contiguous.
    """
    outputs, inputs = rows.shape
    return rows.reshape(outputs // TILE, TILE, inputs // GROUP, GROUP).permute(0, 2, 1, 3).contiguous()


def rows_of(tiles: Tensor) -> Tensor:
    """Return the weights row by row, contiguous: the reverse of :func:`tiles_of`."""
    number, groups = tiles.shape[:2]
    return tiles.permute(0, 2, 1, 3).reshape(number * TILE, groups * GROUP)
