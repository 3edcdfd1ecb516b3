"""What structured pruning has in common: layers lose rows and columns, and are dense and smaller afterwards."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from leanner.passes.pruning.sparsity import ZEROS
from leanner.passes.pruning.sparsity import checked_sparsity
from leanner.taggers.lean.support import BLOCKS
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.passes.pruning.features import Features
    from leanner.taggers.protocol import Tagger


@dataclass(frozen=True, slots=True)
class StructuredPruning(ABC):
    """Features of the encoder's blocks are removed and made up for.

    Attributes:
        share: Share of the features that goes.
        scope: ``global``: the lowest of all layers; ``layer``: the same share of each layer.
        compensation: What makes up for them. ``bias``: their mean, as in FLAP; ``least-squares``: that, and what
            the features that stay tell of them (He et al. 2017, ICCV, section 3.1).
        articles: How many articles of the calibration text are read; all by default.
    """

    share: float
    scope: Literal["global", "layer"] = "global"
    compensation: Literal["bias", "least-squares"] = "bias"
    articles: int | None = None

    def __post_init__(self) -> None:
        checked_sparsity(self.share, "share")
        if self.scope not in ("global", "layer"):
            raise ValueError(f"expected global or layer, found {self.scope!r}")
        if self.compensation not in ("bias", "least-squares"):
            raise ValueError(f"expected bias or least-squares, found {self.compensation!r}")

    @property
    @abstractmethod
    def name(self) -> str:
        """The field's name for it."""

    @abstractmethod
    def features(self, block: Any) -> Features:  # noqa: ANN401 - transformers'
        """Return what can be removed from a block of BERT."""

    def settle(self, block: Any, kept: int) -> None:  # noqa: ANN401, B027 - transformers'; most blocks keep no count
        """Tell the block how many features it has kept."""

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        how = {"scope": self.scope, "compensation": self.compensation}
        return {"name": self.name, "share": self.share, **how, "articles": self.articles}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every device is one to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (*REASONS, BLOCKS, ZEROS)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Make the layers of ``tagger.model`` smaller.

        Raises:
            NotRunnable: The tagger has parts that the lean runtime, which reads the calibration text, does not have; or
                least squares would fill in zeros.
            WrongOrder: The model has int8 layers, whose scales are those of whole rows, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.pruning.blocks import blocks_of  # noqa: PLC0415
        from leanner.passes.pruning.features import remove_features  # noqa: PLC0415
        from leanner.passes.pruning.layers import refuse_zeros  # noqa: PLC0415
        from leanner.taggers.weights import encoder_linears  # noqa: PLC0415

        blocks = blocks_of(tagger, self.name)
        sets = [self.features(block) for block in blocks]
        text = calibration_text(self.articles)
        fits = self.compensation == "least-squares"
        if fits:
            refuse_zeros(layer for _, layer in encoder_linears(tagger.model))
        kept = remove_features(tagger, sets, self.share, text, scope=self.scope, least_squares=fits)
        for block, features in zip(blocks, kept, strict=True):
            self.settle(block, features)
        return tagger
