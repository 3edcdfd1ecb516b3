"""Batches of rows by their length in sub-tokens."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence


def check_limits(batch_tokens: int, chunk_sentences: int) -> None:
    """Refuse a batch or a chunk of nothing.

    Raises:
        ValueError: One of the two is not positive.
    """
    if min(batch_tokens, chunk_sentences) < 1:
        raise ValueError(
            f"expected at least one sub-token a batch and one sentence a chunk, found {batch_tokens}, {chunk_sentences}"
        )


def token_batches(lengths: Sequence[int], budget: int, *, padded: bool = False) -> Iterator[list[int]]:
    """Yield the numbers of rows, longest first, in batches of at most ``budget`` sub-tokens.

    A row that is longer than the budget is a batch of its own.

    Args:
        lengths: Of the rows.
        budget: Sub-tokens.
        padded: Whether each row of a batch counts as the longest of them.

    Raises:
        ValueError: The budget is not positive.
    """
    if budget < 1:
        raise ValueError(f"expected a budget of at least one sub-token, found {budget}")
    batch: list[int] = []
    held = 0
    # Stable, so that a run is repeatable.
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        own = lengths[batch[0]] if padded and batch else lengths[row]
        if batch and held + own > budget:
            yield batch
            batch, held, own = [], 0, lengths[row]
        batch.append(row)
        held += own
    if batch:
        yield batch


def equal_runs(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield ``(rows, length)`` of neighbours that are equally long."""
    begin = 0
    for end in range(1, len(lengths) + 1):
        if end == len(lengths) or lengths[end] != lengths[begin]:
            yield end - begin, lengths[begin]
            begin = end
