"""How a tokenizer treats long texts and batches; whoever shares it may have set something else.

It is written to only where it has to be: a tokenizer that is at work in another thread cannot be.
"""

from __future__ import annotations

from typing import Any


def read_whole(subtokens: Any) -> None:  # noqa: ANN401 - a tokenizers.Tokenizer
    """Have it cut nothing and pad nothing."""
    _no_padding(subtokens)
    if subtokens.truncation is not None:
        subtokens.no_truncation()


def read_in_windows(subtokens: Any, longest: int, overlap: int) -> None:  # noqa: ANN401 - the same
    """Have it read long texts in windows that overlap, and pad nothing.

    Args:
        subtokens: The tokenizer.
        longest: Sub-tokens of a window, special ones included.
        overlap: Sub-tokens that two windows share.
    """
    _no_padding(subtokens)
    now = subtokens.truncation
    if now is None or (now["max_length"], now["stride"]) != (longest, overlap):
        subtokens.enable_truncation(longest, stride=overlap)


def _no_padding(subtokens: Any) -> None:  # noqa: ANN401 - the same
    if subtokens.padding is not None:
        subtokens.no_padding()
