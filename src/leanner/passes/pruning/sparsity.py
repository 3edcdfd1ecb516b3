"""Shares that can be asked for: of weights to be zero, of neurons or heads to go."""

from __future__ import annotations

from typing import Final


#: Of what has weights that stay make up for those that go.
ZEROS: Final = (
    "zeros among the weights: making up for what goes would fill them in; remove features before weights, and prune "
    "weights once"
)


def checked_sparsity(sparsity: float, name: str = "sparsity") -> float:
    """Return ``sparsity``.

    Args:
        sparsity: What is asked for.
        name: Of the parameter, for the error.

    Raises:
        ValueError: It is no share below one.
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"expected 0 <= {name} < 1, found {sparsity}")
    return sparsity
