"""How many sub-tokens an encoder can tell the positions of."""

from __future__ import annotations

from typing import Any


def positions_of(encoder: Any) -> int | None:  # noqa: ANN401 - transformers'
    """Return how many positions an encoder has a vector for; ``None`` if it tells them in another way."""
    for module in encoder.modules():
        # Quantized or not.
        number = getattr(getattr(module, "position_embeddings", None), "num_embeddings", None)
        if number is not None:
            # RoBERTa counts positions from behind the padding's.
            padding = getattr(module, "padding_idx", None)
            return int(number) - (0 if padding is None else int(padding) + 1)
    return None
