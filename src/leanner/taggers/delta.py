"""Fine-tuned weights as an 8-bit difference to the weights that they started from.

A row of a weight matrix is stored as int8 and one float32 scale, ``max|difference| / 127``
(symmetric linear quantization, as Q8BERT, Zafrir et al. 2019, section 2.1, but of the
difference, which is an order of magnitude smaller than the weight). Of a matrix in which
some rows did not change, only the others are stored, with their numbers. Everything with
one axis is stored as float32; what did not change is not stored.
Applying a delta is one multiplication and one addition a weight, each rounded as IEEE 754
says: the weights come out the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch

from torch import Tensor


_SCALE: Final = ".scale"
_ROWS: Final = ".rows"


def make_delta(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the difference ``tuned - base``; what ``base`` lacks is stored as it is.

    Raises:
        ValueError: A tensor has another shape in ``base``.
    """
    delta: dict[str, Tensor] = {}
    for name, value in sorted(tuned.items()):
        if name not in base:
            delta[name] = value.float().contiguous()
            continue
        before = base[name]
        if before.shape != value.shape:
            raise ValueError(f"expected {name} of shape {tuple(before.shape)}, found {tuple(value.shape)}")
        difference = value.float() - before.float()
        if not difference.count_nonzero():
            continue
        if difference.dim() == 1:
            delta[name] = difference.contiguous()
            continue
        rows = difference.any(1).nonzero().flatten()
        if len(rows) < len(difference):
            difference = difference[rows]
            delta[name + _ROWS] = rows.to(torch.int32)
        scale = difference.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / 127
        delta[name] = (difference / scale).round().to(torch.int8)
        delta[name + _SCALE] = scale
    return delta


def apply_delta(base: Mapping[str, Tensor], delta: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights that ``delta`` makes of ``base``, all float32."""
    weights = {name: value.float() for name, value in base.items()}
    for name, value in delta.items():
        if name.endswith((_SCALE, _ROWS)):
            continue
        change = value.float()
        if name + _SCALE in delta:
            change = change * delta[name + _SCALE]
        if name + _ROWS in delta:
            # Each row once, so that the order of the additions cannot matter.
            weights[name] = weights[name].index_add(0, delta[name + _ROWS].long(), change)
        else:
            weights[name] = weights[name] + change if name in weights else change
    return weights
