"""How much each layer of an encoder changes what goes through it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch

from torch import Tensor
from torch import nn


def block_influence(batches: Iterable[tuple[Tensor, ...]]) -> Tensor:
    """Return one minus the mean cosine of each layer's input and output (Men et al. 2024, section 3, block influence).

    *Shapes:* result ``(layers,)``, float64.

    Args:
        batches: What goes into the first layer and what comes out of each, each ``(positions, hidden)``.
    """
    total, count = torch.zeros(()), 0
    for states in batches:
        cosines = [nn.functional.cosine_similarity(x.double(), y.double(), dim=-1).sum() for x, y in pairwise(states)]
        total = total + torch.stack(cosines).cpu()
        count += len(states[0])
    return 1 - total / count
