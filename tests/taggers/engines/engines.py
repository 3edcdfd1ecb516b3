"""What tests of engines share: which are here, and one that is torch itself."""

from __future__ import annotations

import importlib.util

from typing import TYPE_CHECKING
from typing import Final

import numpy as np
import pytest
import torch

from leanner.taggers.engines.graph import PaddedBert
from leanner.taggers.engines.support import PACKAGES
from leanner.taggers.engines.support import missing_packages


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.engines.padding import Padded
    from leanner.taggers.lean.parts import Parts


#: Each engine, skipped where it is not installed.
EACH: Final = [
    pytest.param(
        name, marks=pytest.mark.skipif(missing_packages(name) is not None, reason=f"needs {', '.join(needed)}")
    )
    for name, needed in PACKAGES.items()
]


NEEDS_TORCHAO: Final = pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="needs torchao")


class TorchEngine:
    """The graph as torch computes it."""

    runtime = "torch"

    def __init__(self, parts: Parts) -> None:
        self.graph = PaddedBert(parts).eval()

    def scores(self, batch: Padded) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(self.graph(*map(torch.from_numpy, batch.inputs)).numpy())
