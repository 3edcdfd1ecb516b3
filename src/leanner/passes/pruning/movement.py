"""Movement scores: weights are judged by where training would move them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.calibrated import CalibratedPruning


if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

    from leanner.passes.int8 import Int8Linear
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: Why another tagger has no scores.
NOT_FLAIR: Final = "movement scores need the tagger's loss, which only Flair's taggers give"


@dataclass(frozen=True, slots=True)
class MovementPruning(CalibratedPruning):
    """Set weights with the lowest ``-w * dL/dw`` to zero (Sanh et al. 2020, NeurIPS, section 4).

    Scores are summed over the calibration text, whose marked mentions are the truth; ``L`` is Flair's own loss.
    Otherwise than there, no weight is trained: all scores are of the tagger as it is, and so to the first order
    what the loss gains without the weight. ``sparsity`` is the share of zeros in each layer (there: section 3, Top_v
    of each matrix).
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "movement-pruning"

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every device is one to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (NOT_FLAIR,)

    def pruned(
        self,
        tagger: Tagger,
        layers: Mapping[str, nn.Linear | Int8Linear],
        documents: Sequence[Document],
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the name and the pruned weights of each layer.

        Raises:
            NotRunnable: Another library than Flair runs the tagger.
            WrongOrder: Layers are int8, which has no gradient.
        """
        # The table of configurations is read where torch is not.
        from torch import nn  # noqa: PLC0415

        from leanner.passes.calibration.gradients import loss_gradients  # noqa: PLC0415
        from leanner.passes.pruning.masks import lowest  # noqa: PLC0415
        from leanner.taggers.flair import FlairTagger  # noqa: PLC0415

        if not isinstance(tagger, FlairTagger):
            raise NotRunnable(NOT_FLAIR)
        trainable = {name: layer for name, layer in layers.items() if isinstance(layer, nn.Linear)}
        for layer in layers.values():
            if not isinstance(layer, nn.Linear):
                raise WrongOrder(f"{self.name} after {type(layer).__name__}: prune first")
        if unmarked := tagger.entity_types - tagger.label_of.keys():
            names = ", ".join(sorted(unmarked))
            tagger.quality.append(f"the calibration text marks no {names}: movement scores count finding them as wrong")
        gradients = loss_gradients(tagger, trainable, documents)
        for name, layer in trainable.items():
            weight = layer.weight.detach()
            (zeros,) = lowest([-weight * gradients[name]], self.sparsity)
            yield name, weight.masked_fill(zeros, 0)
