"""One-shot pruning of a layer with second-order compensation: what stays makes up for what goes.

SparseGPT (Frantar & Alistarh 2023, section 3, algorithm 1), which makes the Optimal Brain Surgeon
(Hassibi & Stork 1993; for BERT: Kurtic et al. 2022, section 3) fast enough for whole layers: columns
are visited from left to right; a weight that goes, or is rounded, is made up for by those of
its row that are still to come, by the inverse of the inputs' second moments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch

from torch import Tensor

from leanner.passes.pruning.masks import lowest
from leanner.passes.pruning.masks import lowest_of_rows


#: Share of the mean diagonal that is added to the second moments, as the authors' code does.
DAMPING: Final = 0.01
#: Columns whose weights compete with each other for being kept (there: section 3.2, B_s = 128).
BLOCK: Final = 128


def inverse_factor(gram: Tensor, damping: float = DAMPING) -> Tensor:
    """Return the upper Cholesky factor of the inverse of the damped second moments.

    An input that is never there is left with the damping alone: its weights are among the first to go.

    *Shapes:* ``gram`` and result ``(columns, columns)``, float64.
    """
    gram = gram.double()
    diagonal = gram.diagonal()
    mean = diagonal.mean()
    damped = gram + torch.diag(torch.full_like(diagonal, float(damping * mean)).clamp_min(1e-12))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def prune_compensated(
    weight: Tensor,
    gram: Tensor,
    sparsity: float,
    *,
    grid: Callable[[Tensor], Tensor] | None = None,
    damping: float = DAMPING,
    block: int = BLOCK,
    among: int | None = None,
) -> Tensor:
    """Return the weights with ``round(sparsity * weights)`` zeros in each block of columns and the others updated.

    With ``among`` zeros are chosen in each row, of so many neighbours at a time, when the first of them is reached.

    *Shapes:* ``weight`` and result ``(rows, columns)``; ``gram`` ``(columns, columns)``.

    Args:
        weight: Of a linear layer.
        gram: Second moments of its inputs.
        sparsity: Share of zeros.
        grid: Rounds a column ``(rows,)`` to what can be stored; the rounding is made up for as well.
        damping: Share of the mean second moment that is added to each.
        block: Columns in which zeros are chosen at a time; a multiple of ``among``.
        among: Neighbours in a row that have the same share of zeros; 4 for 2:4 at a sparsity of one half.

    Raises:
        ValueError: Neighbours would be in two blocks.
    """
    if among is not None and block % among:
        raise ValueError(f"expected a block of a multiple of {among} columns, found {block}")
    factor = inverse_factor(gram, damping)
    result = weight.detach().double().clone()
    scale = factor.diagonal()
    for begin in range(0, result.shape[1], block):
        columns = slice(begin, min(begin + block, result.shape[1]))
        part = result[:, columns].clone()
        gone = torch.zeros_like(part, dtype=torch.bool)
        if among is None:
            (gone,) = lowest([(part / scale[columns]).square()], sparsity)
        errors = torch.zeros_like(part)
        for number in range(part.shape[1]):
            column = begin + number
            if among is not None and number % among == 0:
                group = slice(number, number + among)
                gone[:, group] = lowest_of_rows((part[:, group] / scale[columns][group]).square(), sparsity)
            old = part[:, number]
            new = old if grid is None else grid(old)
            new = new.masked_fill(gone[:, number], 0)
            errors[:, number] = (old - new) / scale[column]
            part[:, number:] -= torch.outer(errors[:, number], factor[column, column : columns.stop])
            part[:, number] = new
        result[:, columns] = part
        result[:, columns.stop :] -= errors @ factor[columns, columns.stop :]
    return result.to(weight.dtype)
