"""Other encoders of transformers than BERT, over rows that are padded to the longest of their batch.

Rows are sorted by their length, so that padding is little; it is masked, and nothing of it is read.
"""

from __future__ import annotations

import contextlib

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from torch import Tensor


if TYPE_CHECKING:
    from leanner.taggers.lean.bert import CachedPrefix


class PaddedEncoder:
    """The encoder of a tagger, run as transformers runs it, in evaluation mode.

    Args:
        model: As passes have left it.
        last_layer: Whether the head reads what the last layer gives, as Flair's does, and not what a norm behind it,
            where there is one, makes of that.
    """

    #: No kernel computes all layers of it together.
    whole: Final = None

    def __init__(self, model: Any, *, last_layer: bool) -> None:  # noqa: ANN401 - transformers'
        self.model: Final = model
        self._last_layer: Final = last_layer
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
        with evaluating(self.model):
            made = self.model(
                input_ids=given, attention_mask=mask.long(), output_hidden_states=self._last_layer, return_dict=True
            )
        hidden: Tensor = made.hidden_states[-1] if self._last_layer else made.last_hidden_state
        places = torch.nonzero(mask.flatten()).squeeze(1)
        return hidden.flatten(0, 1)[places[wanted]]


@contextlib.contextmanager
def evaluating(model: Any) -> Iterator[None]:  # noqa: ANN401 - transformers'
    """Have it drop nothing out, whatever mode its modules are in."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
