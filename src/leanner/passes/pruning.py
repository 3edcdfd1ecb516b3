"""Pruning as it is: weights set to zero, nothing retrained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_flair


if TYPE_CHECKING:
    from torch import Tensor

    from leanner.taggers.protocol import Tagger


@dataclass(frozen=True, slots=True)
class MagnitudePruning:
    """Set the smallest weights of the encoder's linear layers to zero (Han et al. 2015, section 3).

    Embeddings, LayerNorms, biases and the tagging head are left alone. Exactly
    ``round(sparsity * weights)`` become zero; of equal ones the first in the order of the
    layers and rows. The layers stay dense: half of the weights zero does not mean half
    of the time.

    Attributes:
        sparsity: Share of the weights to be zero.
        scope: ``global``: the smallest of all layers; ``layer``: the same share of each layer.
    """

    sparsity: float
    scope: Literal["global", "layer"] = "global"

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"expected 0 <= sparsity < 1, found {self.sparsity}")
        if self.scope not in ("global", "layer"):
            raise ValueError(f"expected global or layer, found {self.scope!r}")

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "magnitude-pruning"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "sparsity": self.sparsity, "scope": self.scope}

    def __call__(self, tagger: Tagger) -> Tagger:
        """Set weights of ``tagger.model`` to zero.

        Raises:
            WrongOrder: The model is quantized already, or has left Flair.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.int8 import quantized_layers  # noqa: PLC0415
        from leanner.taggers.weights import encoder_linears  # noqa: PLC0415
        from leanner.taggers.weights import linear_weights  # noqa: PLC0415

        run_by_flair(tagger, self.name)
        if next(quantized_layers(tagger.model), None) is not None:
            raise WrongOrder("magnitude pruning after int8: prune the float32 weights, then quantize")
        weights = [linear_weights(module) for _, module in encoder_linears(tagger.model)]
        for group in [weights] if self.scope == "global" else [[weight] for weight in weights]:
            _zero_smallest(group, self.sparsity)
        return tagger


def _zero_smallest(weights: list[Tensor], share: float) -> None:
    """Set the ``share`` of smallest magnitude to zero, in place; of equal ones the first."""
    import torch  # noqa: PLC0415 - as above

    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    count = round(share * magnitudes.numel())
    if count == 0:
        return
    threshold = magnitudes.kthvalue(count).values
    gone = magnitudes < threshold
    ties = (magnitudes == threshold).nonzero().flatten()
    gone[ties[: count - int(gone.sum())]] = True
    masks = torch.split(gone, [weight.numel() for weight in weights])
    for weight, mask in zip(weights, masks, strict=True):
        weight.masked_fill_(mask.view_as(weight), 0)
