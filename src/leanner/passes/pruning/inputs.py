"""Pruning of each layer by the second moments of what it is given."""

from __future__ import annotations

from abc import abstractmethod
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
class InputPruning(CalibratedPruning):
    """Layers are pruned one by one; the calibration text is read once, by the unpruned tagger."""

    @abstractmethod
    def pruned_weight(self, layer: nn.Linear | Int8Linear, gram: Tensor) -> Tensor:
        """Return a layer's weights with zeros.

        *Shapes:* ``gram`` ``(in_features, in_features)``; result ``(out_features, in_features)``.

        Args:
            layer: As it is.
            gram: Second moments of its inputs, over the sub-tokens of the text.
        """

    def pruned(
        self,
        tagger: Tagger,
        layers: Mapping[str, nn.Linear | Int8Linear],
        documents: Sequence[Document],
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the name and the pruned weights of each layer."""
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.inputs import gram_matrices  # noqa: PLC0415

        grams = gram_matrices(tagger, layers, documents)
        for name, layer in layers.items():
            yield name, self.pruned_weight(layer, grams[name])
