"""Where a tagger can be put."""

from __future__ import annotations

import torch

from leanner.taggers.errors import TaggerError


def usable(device: str | torch.device) -> torch.device:
    """Return the device.

    Raises:
        TaggerError: It is a CUDA device, and there is none.
    """
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise TaggerError(
            f"expected a CUDA device for {str(device)!r}, found none that torch {torch.__version__} can use"
        )
    return place
