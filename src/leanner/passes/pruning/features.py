"""Removal of features that one layer of the encoder makes and another takes: neurons, attention heads.

FLAP (An et al. 2024, AAAI, section "Methodology"): what hardly varies is what a constant can stand for. A
feature's metric is the variance of its values times the squared norm of the weights that take them,
standardised within its layer, so that layers can compete; what goes leaves its mean behind, in
the bias of the layer that took it.

More than its mean can be made up for: what stays varies with what goes. The weights of what stays
take over what a regression by least squares gives them (He et al. 2017, ICCV, section 3.1, reconstruction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

import torch

from torch import Tensor
from torch import nn

from leanner.passes.calibration.inputs import input_moments
from leanner.passes.pruning.compensation import DAMPING
from leanner.passes.pruning.masks import lowest


if TYPE_CHECKING:
    from leanner.passes.calibration.inputs import Moments
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class Features:
    """What some layers make for one other to take, in units that stay or go as a whole.

    Attributes:
        makers: Each has a row for each feature.
        taker: It has a column for each feature.
        unit: Features in a unit.
        ranked: Whether a unit holds features with neighbouring metrics; otherwise neighbours in the layer.
    """

    makers: tuple[nn.Linear, ...]
    taker: nn.Linear
    unit: int
    ranked: bool


def remove_features(
    tagger: Tagger,
    sets: Sequence[Features],
    share: float,
    documents: Sequence[Document],
    *,
    scope: Literal["global", "layer"] = "global",
    least_squares: bool = False,
) -> list[int]:
    """Remove the ``share`` of units with the lowest metrics, and return how many features each set keeps.

    Each set keeps its highest unit.

    Args:
        tagger: Whose modules are in ``sets``.
        sets: One for each layer.
        share: Of the units.
        documents: What the metric, and what makes up for it, is taken from.
        scope: ``global``: the lowest over all sets; ``layer``: the same share of each.
        least_squares: Whether what stays makes up for what goes, not its mean alone.

    Raises:
        NotRunnable: The tagger has parts that the lean runtime does not have.
    """
    takers = {str(number): each.taker for number, each in enumerate(sets)}
    by_name = input_moments(tagger, takers, documents, together=least_squares)
    moments = [by_name[name] for name in takers]
    metrics = [
        standardised(fluctuation(each.taker.weight.detach(), own.variance))
        for each, own in zip(sets, moments, strict=True)
    ]
    units = [units_of(metric, each.unit, ranked=each.ranked) for metric, each in zip(metrics, sets, strict=True)]
    scores = [torch.stack([metric[unit].mean() for unit in own]) for metric, own in zip(metrics, units, strict=True)]
    together = [scores] if scope == "global" else [[score] for score in scores]
    chosen = [gone for group in together for gone in removable(group, share)]
    kept_features = []
    for each, seen, own, gone in zip(sets, moments, units, chosen, strict=True):
        kept = torch.cat([unit for unit, goes in zip(own, gone.tolist(), strict=True) if not goes]).sort().values
        keep_inputs(each.taker, kept, seen)
        for maker in each.makers:
            keep_outputs(maker, kept)
        kept_features.append(len(kept))
    return kept_features


def fluctuation(weight: Tensor, variance: Tensor) -> Tensor:
    """Return how much the layer's output would vary less without each of its inputs.

    *Shapes:* ``weight`` ``(out_features, in_features)``; ``variance`` and result ``(in_features,)``, float64.
    """
    return variance * weight.double().square().sum(0)


def standardised(metric: Tensor) -> Tensor:
    """Return ``metric`` with mean 0 and standard deviation 1; zeros if, but for rounding, it is the same everywhere.

    *Shapes:* both ``(features,)``.
    """
    centred = metric - metric.mean()
    deviation = centred.square().mean().sqrt()
    is_level = deviation <= 1e-12 * metric.abs().max()
    return torch.zeros_like(metric) if is_level else centred / deviation


def units_of(metric: Tensor, unit: int, *, ranked: bool) -> list[Tensor]:
    """Return the numbers of the features of each unit, the highest first if ranked.

    If ``unit`` does not divide the features, the last unit is smaller.

    *Shapes:* ``metric`` ``(features,)``.
    """
    order = metric.argsort(descending=True, stable=True) if ranked else torch.arange(len(metric), device=metric.device)
    return list(torch.split(order, unit))


def removable(scores: Sequence[Tensor], share: float) -> list[Tensor]:
    """Return where the ``share`` of units lies that is lowest over all sets, the highest of each set left out.

    Exactly ``round(share * units)`` are chosen, or as many as leave one in each set.

    *Shapes:* bool, each as its scores.
    """
    total = sum(len(score) for score in scores)
    open_to_all = []
    for score in scores:
        held = score.clone()
        held[score.argmax()] = torch.inf
        open_to_all.append(held)
    return lowest(open_to_all, min(share, 1 - len(scores) / total))


def keep_outputs(layer: nn.Linear, kept: Tensor) -> None:
    """Leave the layer only these rows of its weight, and of its bias.

    *Shapes:* ``kept`` ``(features,)``, numbers in ascending order.
    """
    layer.weight = _as_parameter(layer.weight.detach()[kept], layer.weight)
    if layer.bias is not None:
        layer.bias = _as_parameter(layer.bias.detach()[kept], layer.bias)
    layer.out_features = len(kept)


def keep_inputs(layer: nn.Linear, kept: Tensor, moments: Moments) -> None:
    """Leave the layer only these columns of its weight, and make up for the others.

    Its bias takes what the others give in the mean. If their covariance is known, the columns that stay take what
    can be told of the others from them; the variances are damped as in second-order pruning.

    *Shapes:* ``kept`` ``(features,)``, numbers in ascending order.
    """
    weight, mean = layer.weight.detach().double(), moments.mean
    is_gone = torch.ones(layer.in_features, dtype=torch.bool, device=weight.device)
    is_gone[kept] = False
    gone, left = weight[:, is_gone], weight[:, kept]
    bias = gone @ mean[is_gone]
    if layer.bias is not None:
        bias += layer.bias.detach().double()
    if moments.covariance is not None:
        between = moments.covariance[kept]
        damping = DAMPING * moments.variance.mean().clamp_min(1e-12)
        damped = between[:, kept] + damping * torch.eye(len(kept), dtype=between.dtype, device=between.device)
        taken = gone @ torch.linalg.solve(damped, between[:, is_gone]).T
        left = left + taken
        bias -= taken @ mean[kept]
    layer.bias = _as_parameter(bias.to(layer.weight.dtype), layer.weight)
    layer.weight = _as_parameter(left.to(layer.weight.dtype), layer.weight)
    layer.in_features = len(kept)


def _as_parameter(values: Tensor, before: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=before.requires_grad)
