"""Measure what it costs, and what it saves, to make a biomedical NER tagger leaner."""

from __future__ import annotations

from typing import TYPE_CHECKING


__all__ = ["Lean", "lean"]


if TYPE_CHECKING:
    from leanner.export.lean import Lean
    from leanner.taggers.lean.predict import lean
else:

    def __getattr__(name: str) -> object:
        # Both import torch, and lean imports Flair: seconds that not every command needs.
        if name == "lean":
            from leanner.taggers.lean.predict import lean  # noqa: PLC0415

            return lean
        if name == "Lean":
            from leanner.export.lean import Lean  # noqa: PLC0415

            return Lean
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
