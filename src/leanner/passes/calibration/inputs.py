"""What goes into the linear layers of an encoder while it reads the calibration text."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

import torch

from torch import Tensor
from torch import nn

from leanner.passes.protocol import NotRunnable
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.make import make_lean
from leanner.taggers.lean.padded import PaddedEncoder


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


# A row that is longer than a batch may be is a batch of its own.
_ALONE: Final = 1


@dataclass(frozen=True, slots=True)
class Moments:
    """Of each input of a layer, over the sub-tokens of the text; ``n - 1`` in the denominator.

    Attributes:
        mean: ``(in_features,)``, float64.
        variance: The same.
        covariance: ``(in_features, in_features)``, float64, if it was asked for.
    """

    mean: Tensor
    variance: Tensor
    covariance: Tensor | None = None


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


def input_moments(
    tagger: Tagger, layers: Mapping[str, nn.Module], documents: Sequence[Document], *, together: bool = False
) -> dict[str, Moments]:
    """Return mean and variance of each input of each layer, batches merged as in Chan et al. 1983, section 2.

    Args:
        tagger: Reads the documents.
        layers: In its model.
        documents: The text.
        together: Whether to tell how inputs vary with each other, too.

    Raises:
        NotRunnable: The tagger has parts that the lean runtime does not have.
    """
    counts = dict.fromkeys(layers, 0)
    # Mean, and sum of the products of what lies off it.
    parts: dict[str, tuple[Tensor, Tensor]] = {}

    def products(rows: Tensor) -> Tensor:
        return (rows.float().T @ rows.float()).double() if together else rows.square().sum(0)

    def merge(name: str, x: Tensor) -> None:
        x = x.double()
        mean = x.mean(0)
        total = products(x - mean)
        before, after = counts[name], counts[name] + len(x)
        if before:
            offset = mean - parts[name][0]
            mean = parts[name][0] + offset * (len(x) / after)
            total += parts[name][1] + products(offset.unsqueeze(0)) * (before * len(x) / after)
        parts[name], counts[name] = (mean, total), after

    _show(tagger, layers, documents, merge)
    moments = {}
    for name in list(parts):
        # A covariance of BERT-base's neurons takes 75 MB: all of them are not held twice.
        mean, total = parts.pop(name)
        spread = total / max(counts[name] - 1, 1)
        moments[name] = Moments(mean, spread.diagonal(), spread) if together else Moments(mean, spread)
    return moments


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
        # Padding would count as input.
        lean = make_lean(tagger)
        if isinstance(lean.encoder, PaddedEncoder):
            lean = make_lean(tagger, batch_tokens=_ALONE)
    except TaggerError as error:
        raise NotRunnable(str(error)) from error
    handles = [layer.register_forward_pre_hook(partial(hook, name)) for name, layer in layers.items()]
    try:
        for _ in lean.tag(documents):
            pass
    finally:
        for handle in handles:
            handle.remove()
