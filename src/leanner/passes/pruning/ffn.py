"""Structured pruning of feed-forward layers: neurons go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.pruning.structured import StructuredPruning


if TYPE_CHECKING:
    from leanner.passes.pruning.features import Features


#: Neurons go in groups of so many, so that sizes stay multiples of what int8 kernels take at a time.
GROUP: Final = 16


@dataclass(frozen=True, slots=True)
class FfnPruning(StructuredPruning):
    """Remove the neurons of feed-forward layers that vary least (FLAP: An et al. 2024, AAAI, section "Methodology").

    ``intermediate.dense`` loses rows, ``output.dense`` columns, and the latter makes up for it. Otherwise than
    there, neurons go in groups of 16 with neighbouring metrics; ``share`` is that of the groups. Each layer
    keeps one.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "ffn-pruning"

    def features(self, block: Any) -> Features:  # noqa: ANN401 - transformers'
        """Return the neurons of the block."""
        # The table of configurations is read where torch is not.
        from leanner.passes.pruning.features import Features  # noqa: PLC0415

        return Features((block.intermediate.dense,), block.output.dense, GROUP, ranked=True)
