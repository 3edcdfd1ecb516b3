"""What can go wrong with a tagger."""

from __future__ import annotations


class TaggerError(RuntimeError):
    """A tagger cannot be loaded; the message says what was expected, what was found and what to do."""
