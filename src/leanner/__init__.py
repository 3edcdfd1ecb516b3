"""Measure what it costs, and what it saves, to make a biomedical NER tagger leaner."""

from __future__ import annotations

from typing import TYPE_CHECKING


__all__ = ["lean"]


if TYPE_CHECKING:
    from leanner.taggers.lean.predict import lean
else:

    def __getattr__(name: str) -> object:
        if name == "lean":
            # It imports Flair and torch: seconds that not every command needs.
            from leanner.taggers.lean.predict import lean  # noqa: PLC0415

            return lean
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
