"""Any encoder of transformers over rows that are padded to the longest of their batch.

Rows are sorted by their length, so that padding is little; it is masked, and nothing of it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from torch import Tensor


if TYPE_CHECKING:
    from leanner.taggers.lean.bert import CachedPrefix


class PaddedEncoder:
    """The encoder of a tagger, run as transformers runs it.

    Args:
        model: As passes have left it.
    """

    #: No kernel computes all layers of it together.
    whole: Final = None

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - transformers'
        self.model: Final = model
        # Masked, so that any number would do; RoBERTa counts positions by it.
        self._padding: Final = int(model.config.pad_token_id or 0)

    def __call__(
        self, ids: Tensor, lengths: Sequence[int], wanted: Tensor, prefix: CachedPrefix | None = None
    ) -> Tensor:
        """Return the hidden states of the last layer at the wanted positions.

        *Shapes:* ``ids`` ``(positions,)``, the rows behind each other; ``wanted`` ``(n,)`` indices
        into them; result ``(n, hidden)``.

        Args:
            ids: Sub-tokens.
            lengths: Of the rows.
            wanted: Positions in the whole batch.
            prefix: None: what its layers keep is not known.
        """
        assert prefix is None, "who asks for a prefix has asked reason_against_prefix before"
        sizes = torch.tensor(lengths, device=ids.device)
        mask = torch.arange(int(sizes.max()), device=ids.device) < sizes.unsqueeze(1)
        given = torch.full(mask.shape, self._padding, dtype=ids.dtype, device=ids.device)
        given[mask] = ids
        hidden: Tensor = self.model(input_ids=given, attention_mask=mask.long()).last_hidden_state
        places = torch.nonzero(mask.flatten()).squeeze(1)
        return hidden.flatten(0, 1)[places[wanted]]
