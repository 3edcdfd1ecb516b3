"""Which weights become zero: the lowest scores, exactly as many as asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from torch import Tensor


def lowest(scores: Sequence[Tensor], share: float) -> list[Tensor]:
    """Return, for each tensor of scores, where the ``share`` of lowest ones over all of them lies.

    Exactly ``round(share * numbers)`` are chosen; of equal ones the first, in the order of the
    tensors and of their elements.

    *Shapes:* bool, each as its scores.
    """
    every = torch.cat([score.flatten() for score in scores])
    count = round(share * every.numel())
    chosen = torch.zeros_like(every, dtype=torch.bool)
    if count:
        threshold = every.kthvalue(count).values
        chosen = every < threshold
        ties = (every == threshold).nonzero().flatten()
        chosen[ties[: count - int(chosen.sum())]] = True
    parts = torch.split(chosen, [score.numel() for score in scores])
    return [part.view_as(score) for part, score in zip(parts, scores, strict=True)]


def lowest_of_rows(scores: Tensor, share: float) -> Tensor:
    """Return where the ``share`` of lowest scores of each row lies.

    Exactly ``round(share * columns)`` are chosen in each; of equal ones the first.

    *Shapes:* ``scores`` ``(rows, columns)``; result the same, bool.
    """
    chosen = torch.zeros_like(scores, dtype=torch.bool)
    order = scores.argsort(dim=1, stable=True)
    return chosen.scatter_(1, order[:, : round(share * scores.shape[1])], True)
