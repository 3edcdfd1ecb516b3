"""Linear layers with 2:4 weights on the GPU's sparse tensor cores, by torch's own kernels."""

from __future__ import annotations

import warnings

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from torch import Tensor
from torch import nn

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.pruning.layers import prunable
from leanner.passes.pruning.semi_structured import SIZES
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


#: What the kernels for 16-bit floats take at a time.
_ROWS: Final = 32
_COLUMNS: Final = 64


class SparseLinear(nn.Module):
    """A linear layer of whose weights two of every four neighbours are zero, stored without them.

    Args:
        linear: Its weights, 16-bit floats on a GPU, and its bias are taken.
        compress: From the dense weights to what ``torch.nn.functional.linear`` takes in their place.
    """

    def __init__(self, linear: nn.Linear, compress: Callable[[Tensor], Any] | None = None) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        self._sparse = (_compressed if compress is None else compress)(linear.weight.detach().contiguous())

    def weights(self) -> Tensor:
        """Return the weights with their zeros.

        *Shapes:* ``(out_features, in_features)``.
        """
        dense: Tensor = self._sparse.to_dense()
        return dense

    def packed(self) -> tuple[Tensor, ...]:
        """Return what is stored: the weights that are not zero, and where they lie."""
        return tuple(part for part in (self._sparse.packed, self._sparse.meta) if part is not None)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``.

        *Shapes:* ``x`` ``(…, in_features)``; result ``(…, out_features)``.
        """
        return nn.functional.linear(x.contiguous(), self._sparse, self.bias)


def check_layers(tagger: Tagger, name: str) -> None:
    """Refuse layers that the kernels do not take.

    Args:
        tagger: Run by its library.
        name: Of the pass that asks, for its errors.

    Raises:
        NotRunnable: One has other sizes.
        WrongOrder: One is int8, or the model has left its library.
    """
    for layer in prunable(tagger, name).values():
        if not isinstance(layer, nn.Linear):
            raise WrongOrder(f"{name} after {type(layer).__name__}: the kernels multiply 16-bit floats")
        if layer.out_features % _ROWS or layer.in_features % _COLUMNS:
            raise NotRunnable(SIZES)


def use_kernels(tagger: Tagger, compress: Callable[[Tensor], Any] | None = None) -> None:
    """Replace the encoder's linear layers, whose weights are 2:4 already.

    Args:
        tagger: The layers are in its model.
        compress: As in :class:`SparseLinear`.
    """
    for name, layer in list(encoder_linears(tagger.model)):
        assert isinstance(layer, nn.Linear)
        parent, _, own = name.rpartition(".")
        setattr(tagger.model.get_submodule(parent), own, SparseLinear(layer, compress))


def _compressed(weight: Tensor) -> Any:  # noqa: ANN401 - a subclass of Tensor without types
    with warnings.catch_warnings():
        # It says at its first use that torch's interface is a prototype.
        warnings.filterwarnings("ignore", message=".*SparseSemiStructuredTensor is in prototype stage.*")
        return torch.sparse.to_sparse_semi_structured(weight)
