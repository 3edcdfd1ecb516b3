"""Second-order pruning: the weights that can be made up for become zero, and the others make up for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.passes.pruning.inputs import InputPruning


if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

    from leanner.passes.int8 import Int8Linear


@dataclass(frozen=True, slots=True)
class SecondOrderPruning(InputPruning):
    """One-shot pruning with compensation, without retraining (SparseGPT: Frantar & Alistarh 2023, algorithm 1).

    The second moments of each layer's inputs come from the calibration text, read once by the
    unpruned tagger. Of int8 layers the stored integers are pruned, and rounding to their scales is made up for
    as well (there: section 3.5). Every layer gets the same share of zeros.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "second-order-pruning"

    @property
    def makes_up(self) -> bool:
        """Whether what stays makes up for what goes."""
        return True

    @property
    def among(self) -> int | None:
        """Of how many neighbours in a row the same share becomes zero; ``None`` for all of a block of columns."""
        return None

    def pruned_weight(self, layer: nn.Linear | Int8Linear, gram: Tensor) -> Tensor:
        """Return a layer's weights with zeros, the others updated."""
        # The table of configurations is read where torch is not.
        from leanner.passes.int8 import Int8Linear  # noqa: PLC0415
        from leanner.passes.pruning.compensation import prune_compensated  # noqa: PLC0415

        grid = layer.rounded if isinstance(layer, Int8Linear) else None
        return prune_compensated(layer.weight, gram, self.sparsity, grid=grid, among=self.among)
