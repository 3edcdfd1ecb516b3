"""Second-order pruning: the weights that can be made up for become zero, and the others make up for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.passes.pruning.sparsity import checked_sparsity
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


@dataclass(frozen=True, slots=True)
class SecondOrderPruning:
    """One-shot pruning with compensation, without retraining (SparseGPT: Frantar & Alistarh 2023, algorithm 1).

    The second moments of each layer's inputs come from the calibration text, read once by the
    unpruned tagger. Of int8 layers the stored integers are pruned, and rounding to their scales is made up for
    as well (there: section 3.5). Every layer gets the same share of zeros. The layers stay dense: half of the
    weights zero does not mean half of the time.

    Attributes:
        sparsity: Share of the weights to be zero.
        articles: How many articles of the calibration text are read; all by default.
    """

    sparsity: float
    articles: int | None = None

    def __post_init__(self) -> None:
        checked_sparsity(self.sparsity)

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "second-order-pruning"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "sparsity": self.sparsity, "articles": self.articles}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every device is one to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return REASONS

    def __call__(self, tagger: Tagger) -> Tagger:
        """Set weights of ``tagger.model`` to zero and update the others.

        Raises:
            NotRunnable: The tagger has parts that the lean runtime, which reads the calibration text, does not have.
            WrongOrder: The model has int8 layers with activation ranges, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.inputs import gram_matrices  # noqa: PLC0415
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.int8 import Int8Linear  # noqa: PLC0415
        from leanner.passes.pruning.compensation import prune_compensated  # noqa: PLC0415
        from leanner.passes.pruning.layers import prunable  # noqa: PLC0415
        from leanner.passes.pruning.layers import replace_weight  # noqa: PLC0415

        layers = prunable(tagger, self.name)
        grams = gram_matrices(tagger, layers, calibration_text(self.articles))
        for name, layer in layers.items():
            grid = layer.rounded if isinstance(layer, Int8Linear) else None
            replace_weight(layer, prune_compensated(layer.weight, grams[name], self.sparsity, grid=grid))
        return tagger
