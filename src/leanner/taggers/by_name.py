"""A tagger by the name that a user gives it, whichever library runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from leanner.taggers.hf.load import load_hf
from leanner.taggers.libraries import HF
from leanner.taggers.load import load_tagger


if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from leanner.taggers.protocol import Tagger


def load_by_name(
    name: str,
    device: str | torch.device = "cpu",
    *,
    labels: str | Path | None = None,
    **options: Any,  # noqa: ANN401 - handed on
) -> Tagger:
    """Return a tagger.

    Warning:
        A Flair file is a pickle: see :func:`~leanner.taggers.load.load_tagger`.

    Args:
        name: ``hf:…`` for a checkpoint of transformers, else what ``load_tagger`` takes.
        device: Where to put it.
        labels: Label map of a checkpoint.
        options: Of whoever loads it.

    Raises:
        TaggerError: There is no such tagger, it cannot be loaded, it gives none of the three labels, or the
            device is not there.
    """
    if name.startswith(HF):
        return load_hf(name, device, label_map=labels, **options)
    return load_tagger(name, device, **options)
