"""Wanda: weights are judged by their size times that of what they multiply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.passes.pruning.inputs import InputPruning


if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

    from leanner.passes.int8 import Int8Linear


@dataclass(frozen=True, slots=True)
class WandaPruning(InputPruning):
    """Set weights with the smallest ``|w| * |x|`` to zero, row by row (Sun et al. 2024, ICLR, section 3).

    ``|x|`` is the L2 norm of the weight's input over the calibration text. Nothing is
    retrained and nothing updated. ``sparsity`` is the share of zeros in each row.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "wanda-pruning"

    def pruned_weight(self, layer: nn.Linear | Int8Linear, gram: Tensor) -> Tensor:
        """Return a layer's weights with zeros."""
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from leanner.passes.pruning.masks import lowest  # noqa: PLC0415

        weight = layer.weight.detach()
        scores = weight.abs() * gram.diagonal().sqrt().to(weight)
        zeros = torch.stack([lowest([score], self.sparsity)[0] for score in scores])
        return weight.masked_fill(zeros, 0)
