"""Which library runs a tagger by itself, by the tagger's name: known where neither is imported."""

from __future__ import annotations

from typing import Final


#: What the names of Hugging Face checkpoints begin with.
HF: Final = "hf:"
FLAIR: Final = "flair"
TRANSFORMERS: Final = "transformers"
LIBRARIES: Final = (FLAIR, TRANSFORMERS)


def library_of(name: str) -> str:
    """Return what runs the tagger of this name before any pass."""
    return TRANSFORMERS if name.startswith(HF) else FLAIR
