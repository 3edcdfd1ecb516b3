"""Shares of weights that can be asked for."""

from __future__ import annotations


def checked_sparsity(sparsity: float) -> float:
    """Return ``sparsity``.

    Raises:
        ValueError: It is no share below one.
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"expected 0 <= sparsity < 1, found {sparsity}")
    return sparsity
