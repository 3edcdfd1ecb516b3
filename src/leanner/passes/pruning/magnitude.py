"""Magnitude pruning: the smallest weights become zero, the rest stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from leanner.passes.pruning.sparsity import checked_sparsity


if TYPE_CHECKING:
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
        checked_sparsity(self.sparsity)
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
            WrongOrder: The model has int8 layers with activation ranges, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.pruning.layers import prunable  # noqa: PLC0415
        from leanner.passes.pruning.layers import replace_weight  # noqa: PLC0415
        from leanner.passes.pruning.masks import lowest  # noqa: PLC0415

        layers = list(prunable(tagger, self.name).values())
        for group in [layers] if self.scope == "global" else [[layer] for layer in layers]:
            weights = [layer.weight.detach() for layer in group]
            zeros = lowest([weight.abs() for weight in weights], self.sparsity)
            for layer, weight, zero in zip(group, weights, zeros, strict=True):
                replace_weight(layer, weight.masked_fill(zero, 0))
        return tagger
