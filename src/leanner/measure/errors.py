"""Errors of a session."""

from __future__ import annotations


class SetupError(RuntimeError):
    """What every case needs is not there (corpus, tagger, meter): none can run."""
