"""What goes into the linear layers of an encoder while it reads the calibration text."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch

from torch import Tensor
from torch import nn

from leanner.passes.protocol import NotRunnable
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.make import make_lean


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


def gram_matrices(tagger: Tagger, layers: Mapping[str, nn.Module], documents: Sequence[Document]) -> dict[str, Tensor]:
    """Return the mean of ``x x^T`` over the inputs of each layer: sub-tokens of the text, no padding.

    *Shapes:* of each layer ``(in_features, in_features)``, float64.

    Raises:
        NotRunnable: The tagger has parts that the lean runtime does not have.
    """
    sums = {name: torch.zeros((), dtype=torch.float64) for name in layers}
    counts = dict.fromkeys(layers, 0)

    def add(name: str, x: Tensor) -> None:
        x = x.float()
        sums[name] = sums[name] + (x.T @ x).double()
        counts[name] += len(x)

    _show(tagger, layers, documents, add)
    return {name: total / counts[name] for name, total in sums.items()}


def input_ranges(
    tagger: Tagger, layers: Mapping[str, nn.Module], documents: Sequence[Document]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the smallest and the largest value of each input of each layer.

    *Shapes:* of each layer two times ``(in_features,)``.

    Raises:
        NotRunnable: The tagger has parts that the lean runtime does not have.
    """
    ranges: dict[str, tuple[Tensor, Tensor]] = {}

    def widen(name: str, x: Tensor) -> None:
        lowest, highest = x.amin(0), x.amax(0)
        before = ranges.get(name, (lowest, highest))
        ranges[name] = torch.minimum(before[0], lowest), torch.maximum(before[1], highest)

    _show(tagger, layers, documents, widen)
    return ranges


def _show(
    tagger: Tagger,
    layers: Mapping[str, nn.Module],
    documents: Sequence[Document],
    see: Callable[[str, Tensor], None],
) -> None:
    """Tag the documents, and call ``see`` with the name and the inputs, ``(positions, in_features)``, of each layer."""

    def hook(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        see(name, given[0].detach().reshape(-1, given[0].shape[-1]))

    try:
        # It reads text without padding, which would count as input.
        lean = make_lean(tagger)
    except TaggerError as error:
        raise NotRunnable(str(error)) from error
    handles = [layer.register_forward_pre_hook(partial(hook, name)) for name, layer in layers.items()]
    try:
        for _ in lean.tag(documents):
            pass
    finally:
        for handle in handles:
            handle.remove()
