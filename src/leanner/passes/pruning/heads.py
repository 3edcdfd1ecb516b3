"""Structured pruning of attention: heads go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.passes.pruning.structured import StructuredPruning


if TYPE_CHECKING:
    from leanner.passes.pruning.features import Features


@dataclass(frozen=True, slots=True)
class HeadPruning(StructuredPruning):
    """Remove the attention heads whose output varies least (FLAP: An et al. 2024, AAAI, section "Methodology").

    A head's metric is the mean of those of its outputs. Query, key and value lose rows, ``output.dense`` columns,
    and the latter makes up for it. Each layer keeps a head.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "head-pruning"

    def features(self, block: Any) -> Features:  # noqa: ANN401 - transformers'
        """Return the outputs of the block's heads."""
        # The table of configurations is read where torch is not.
        from leanner.passes.pruning.features import Features  # noqa: PLC0415

        attention = block.attention.self
        makers = (attention.query, attention.key, attention.value)
        return Features(makers, block.attention.output.dense, attention.attention_head_size, ranked=False)

    def settle(self, block: Any, kept: int) -> None:  # noqa: ANN401 - transformers'
        """Tell the attention how many heads it has left."""
        attention = block.attention.self
        attention.num_attention_heads = kept // attention.attention_head_size
        attention.all_head_size = kept
