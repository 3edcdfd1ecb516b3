"""Wanda: weights are judged by their size times that of what they multiply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.passes.pruning.sparsity import checked_sparsity
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


@dataclass(frozen=True, slots=True)
class WandaPruning:
    """Set weights with the smallest ``|w| * |x|`` to zero, row by row (Sun et al. 2024, ICLR, section 3).

    ``|x|`` is the L2 norm of the weight's input over the calibration text. Nothing is
    retrained and nothing updated.

    Attributes:
        sparsity: Share of the weights of each row to be zero.
        articles: How many articles of the calibration text are read; all by default.
    """

    sparsity: float
    articles: int | None = None

    def __post_init__(self) -> None:
        checked_sparsity(self.sparsity)

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "wanda-pruning"

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
        """Set weights of ``tagger.model`` to zero.

        Raises:
            NotRunnable: The tagger has parts that the lean runtime, which reads the calibration text, does not have.
            WrongOrder: The model has int8 layers with activation ranges, or has left its library.
        """
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from leanner.passes.calibration.inputs import gram_matrices  # noqa: PLC0415
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.pruning.layers import prunable  # noqa: PLC0415
        from leanner.passes.pruning.layers import replace_weight  # noqa: PLC0415
        from leanner.passes.pruning.masks import lowest  # noqa: PLC0415

        layers = prunable(tagger, self.name)
        grams = gram_matrices(tagger, layers, calibration_text(self.articles))
        for name, layer in layers.items():
            weight = layer.weight.detach()
            scores = weight.abs() * grams[name].diagonal().sqrt().to(weight)
            zeros = torch.stack([lowest([score], self.sparsity)[0] for score in scores])
            replace_weight(layer, weight.masked_fill(zeros, 0))
        return tagger
