"""Wanda: weights are judged by their size times that of what they multiply."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.passes.pruning.calibrated import CalibratedPruning


if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

    from leanner.passes.int8 import Int8Linear
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class WandaPruning(CalibratedPruning):
    """Set weights with the smallest ``|w| * |x|`` to zero, row by row (Sun et al. 2024, ICLR, section 3).

    ``|x|`` is the L2 norm of the weight's input over the calibration text. Nothing is
    retrained and nothing updated. ``sparsity`` is the share of zeros in each row.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "wanda-pruning"

    def pruned(
        self,
        tagger: Tagger,
        layers: Mapping[str, nn.Linear | Int8Linear],
        documents: Sequence[Document],
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the name and the pruned weights of each layer."""
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from leanner.passes.calibration.inputs import gram_matrices  # noqa: PLC0415
        from leanner.passes.pruning.masks import lowest  # noqa: PLC0415

        grams = gram_matrices(tagger, layers, documents)
        for name, layer in layers.items():
            weight = layer.weight.detach()
            scores = weight.abs() * grams[name].diagonal().sqrt().to(weight)
            zeros = torch.stack([lowest([score], self.sparsity)[0] for score in scores])
            yield name, weight.masked_fill(zeros, 0)
