"""Depth pruning: whole layers of the encoder go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.taggers.lean.support import BLOCKS
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger

#: Why layers of another tagger stay.
NOT_FLAIR: Final = "hidden states of layers are read from taggers of Flair only"


@dataclass(frozen=True, slots=True)
class LayerPruning:
    """Remove the layers that change the hidden states least (ShortGPT: Men et al. 2024, section 3).

    A layer's influence is one minus the cosine between what goes in and what comes out, in the
    mean over the sub-tokens of the calibration text. All are judged once, by the whole encoder. Nothing makes
    up for what goes.

    Attributes:
        layers: How many go.
        articles: How many articles of the calibration text are read; all by default.
    """

    layers: int
    articles: int | None = None

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"expected at least one layer to go, found {self.layers}")

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "layer-pruning"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "layers": self.layers, "articles": self.articles}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every device is one to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (*REASONS, BLOCKS, NOT_FLAIR, self._too_few)

    @property
    def _too_few(self) -> str:
        return f"without {self.layers} of its layers the encoder would have none: expected one more than go, at least"

    def __call__(self, tagger: Tagger) -> Tagger:
        """Make the encoder of ``tagger.model`` shallower.

        Raises:
            NotRunnable: No layer would be left, or the tagger has parts that the lean runtime, which makes
                the rows of the calibration text, does not have.
            WrongOrder: The model has int8 layers, whose ranges are those of the whole encoder, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.states import hidden_states  # noqa: PLC0415
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.pruning.blocks import blocks_of  # noqa: PLC0415
        from leanner.passes.pruning.blocks import keep_blocks  # noqa: PLC0415
        from leanner.passes.pruning.influence import block_influence  # noqa: PLC0415
        from leanner.taggers.flair import FlairTagger  # noqa: PLC0415

        blocks = blocks_of(tagger, self.name)
        if not isinstance(tagger, FlairTagger):
            raise NotRunnable(NOT_FLAIR)
        if self.layers >= len(blocks):
            raise NotRunnable(self._too_few)
        influence = block_influence(hidden_states(tagger, calibration_text(self.articles)))
        kept = influence.argsort(descending=True, stable=True)[: len(blocks) - self.layers]
        keep_blocks(tagger, sorted(kept.tolist()))
        return tagger
