"""Several tests at once: p-values adjusted by Holm's procedure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the adjusted p-values: those below α keep the chance of any false one below α, however they depend.

    Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2).

    Args:
        p: NaN where there was no test. *Shape:* ``(…, tests)``

    Returns:
        NaN likewise. *Shape:* that of ``p``
    """
    order = np.argsort(p, axis=-1)  # NaN comes last
    ordered = np.take_along_axis(p, order, axis=-1)
    tests = np.sum(np.isfinite(p), axis=-1, keepdims=True)
    stepped = np.maximum.accumulate(ordered * (tests - np.arange(p.shape[-1])), axis=-1)
    adjusted = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=-1)
    return adjusted
