"""What lies between the matrix products of an encoder on a CPU, compiled from C where a compiler is.

torch has it too, in more passes over memory: without these kernels the same is computed, more slowly.
"""

from __future__ import annotations

import ctypes

from pathlib import Path
from typing import Any
from typing import Final

import torch

from torch import Tensor

from leanner.taggers.lean.kernels.compiling import SOURCE
from leanner.taggers.lean.kernels.compiling import KernelError
from leanner.taggers.lean.kernels.compiling import load


__all__ = ["HEAD_STEP", "WIDTH_STEP", "KernelError", "Kernels", "find_kernels", "load_kernels"]

#: What the features of a head, and of a position, are a multiple of.
HEAD_STEP: Final = 32
WIDTH_STEP: Final = 16

_LONG, _FLOAT, _INT, _POINTER = ctypes.c_long, ctypes.c_float, ctypes.c_int, ctypes.c_void_p
_SIGNATURES: Final[dict[str, tuple[list[Any], Any]]] = {
    "leanner_attention": (
        [
            *(_POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER, _LONG, _LONG),
            *(_POINTER, _POINTER, _LONG, _LONG, _LONG, _FLOAT, _POINTER, _LONG, _INT),
        ],
        _INT,
    ),
    "leanner_add_norm": ([*[_POINTER] * 4, _FLOAT, *[_LONG] * 2, *[_POINTER] * 4, _INT], None),
    "leanner_quantize": ([*[_POINTER] * 3, *[_LONG] * 2, _POINTER, _INT], None),
}
#: How far a kernel may be from torch where it is tried: both round.
_TOLERANCE: Final = 1e-4


class Kernels:
    """Functions of a compiled library, over float32 on the CPU.

    They run in torch's threads, and let other threads of Python run meanwhile.

    Args:
        library: As ``compiled`` returns it.
    """

    def __init__(self, library: Path) -> None:
        functions = ctypes.CDLL(str(library))
        for name, (arguments, result) in _SIGNATURES.items():
            function = getattr(functions, name)
            function.argtypes, function.restype = arguments, result
        self._functions: Final[Any] = functions

    def attention(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        *,
        rows: tuple[Tensor, Tensor],
        heads: int,
        held: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return what each position attends to: softmax(q kᵀ / √size) v within its row.

        *Shapes:* ``queries``, ``keys`` and ``values`` ``(positions, heads · size)``, rows behind each other, which may
        be columns of one tensor; ``held`` keys and values ``(n, heads · size)`` that all rows see besides; result
        like ``queries``, contiguous.

        Args:
            queries: Of all rows.
            keys: The same.
            values: The same.
            rows: Where each begins, and its length, ``(rows,)``, int64.
            heads: Heads that lie beside each other.
            held: What stands before each row.

        Raises:
            MemoryError: There is none for a row so long.
            ValueError: Other numbers than float32 on the CPU, or heads of another size.
        """
        size = queries.shape[1] // heads
        _check(queries, keys, values, *(held or ()), multiple=HEAD_STEP * heads)
        begins, lengths = rows
        before = (queries.new_empty(0), queries.new_empty(0)) if held is None else held
        # Rows of a tensor may lie apart, features may not.
        alike = queries.stride() == keys.stride() == values.stride() and before[0].stride() == before[1].stride()
        if not alike or queries.stride(1) != 1 or (held is not None and before[0].stride(1) != 1):
            raise ValueError("expected queries, keys and values that lie alike, features side by side")
        result = torch.empty_like(queries, memory_format=torch.contiguous_format)
        failed = self._functions.leanner_attention(
            *(queries.data_ptr(), keys.data_ptr(), values.data_ptr(), queries.stride(0)),
            *(before[0].data_ptr(), before[1].data_ptr(), before[0].stride(0), len(before[0])),
            *(begins.data_ptr(), lengths.data_ptr(), len(lengths), heads, size, size**-0.5),
            *(result.data_ptr(), result.stride(0), torch.get_num_threads()),
        )
        if failed:
            raise MemoryError(f"no memory for the scores of rows of up to {int(lengths.max())} positions")
        return result

    def add_norm(
        self, x: Tensor, residual: Tensor, norm: torch.nn.LayerNorm, grid: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return LayerNorm of a sum, and what the layers behind it take.

        *Shapes:* ``x``, ``residual`` and results ``(positions, features)``; ``grid`` two of ``(features,)``.

        Args:
            x: Overwritten.
            residual: Added to it.
            norm: With weight and bias.
            grid: Steps and shift by which the second result is stored as uint8; the first one itself if ``None``.

        Raises:
            ValueError: Other numbers than float32 on the CPU, or another number of features.
        """
        _check(x, residual, norm.weight, norm.bias, *(grid or ()), multiple=WIDTH_STEP)
        x, residual = x.contiguous(), residual.contiguous()
        stored = None if grid is None else torch.empty(x.shape, dtype=torch.uint8)
        steps, shift = (None, None) if grid is None else grid
        self._functions.leanner_add_norm(
            *(x.data_ptr(), residual.data_ptr(), norm.weight.data_ptr(), norm.bias.data_ptr(), norm.eps, *x.shape),
            *(x.data_ptr(), _at(stored), _at(steps), _at(shift), torch.get_num_threads()),
        )
        return x, x if stored is None else stored

    def quantize(self, x: Tensor, grid: tuple[Tensor, Tensor]) -> Tensor:
        """Return ``floor(x * steps + shift)`` within 0 to 255, as uint8.

        *Shapes:* ``x`` and result ``(positions, features)``; ``grid`` two of ``(features,)``: steps and shift.
        """
        _check(x, *grid, multiple=WIDTH_STEP)
        x = x.contiguous()
        stored = torch.empty(x.shape, dtype=torch.uint8)
        steps, shift = grid
        self._functions.leanner_quantize(
            *(x.data_ptr(), steps.data_ptr(), shift.data_ptr(), *x.shape, stored.data_ptr(), torch.get_num_threads())
        )
        return stored


def load_kernels(folder: Path | None = None) -> Kernels:
    """Return the kernels of this machine; they are compiled if they are not there yet, which takes seconds.

    Args:
        folder: Where they are kept; the user's cache if ``None``.

    Raises:
        KernelError: They cannot be had here, or do not compute what torch computes.
    """
    kernels = load(SOURCE, Kernels, folder)
    _try(kernels)
    return kernels


def find_kernels(device: torch.device) -> tuple[Kernels | None, tuple[str, ...]]:
    """Return the kernels for a device, or what a reader of a tagger's results must know without them."""
    if device.type != "cpu":
        return None, ()
    try:
        return load_kernels(), ()
    except KernelError as error:
        return None, (f"attention and normalization are torch's, which is slower: {error}",)


def _try(kernels: Kernels) -> None:
    """See that attention and normalization are torch's.

    Raises:
        KernelError: They are not: of this compiler on this machine, nothing else is to be believed.
    """
    generator = torch.Generator().manual_seed(0)
    lengths, heads, size = [21, 3], 2, 32
    queries, keys, values = torch.randn(3, sum(lengths), heads * size, generator=generator)
    found = kernels.attention(
        queries, keys, values, rows=(torch.tensor([0, lengths[0]]), torch.tensor(lengths)), heads=heads
    )
    expected = [
        torch.nn.functional.scaled_dot_product_attention(
            *(part.unflatten(-1, (heads, size)).transpose(0, 1) for part in row)
        )
        .transpose(0, 1)
        .flatten(1)
        for row in zip(*(part.split(lengths) for part in (queries, keys, values)), strict=True)
    ]
    norm = torch.nn.LayerNorm(heads * size)
    with torch.inference_mode():
        normed, _ = kernels.add_norm(queries.clone(), keys, norm)
        apart = max(
            float((found - torch.cat(expected)).abs().max()), float((normed - norm(queries + keys)).abs().max())
        )
    if not apart <= _TOLERANCE:
        raise KernelError(f"expected what torch computes within {_TOLERANCE}, found a difference of {apart}")


def _check(*tensors: Tensor, multiple: int) -> None:
    """Refuse what a kernel would misread.

    Raises:
        ValueError: See there.
    """
    width = tensors[0].shape[-1]
    for tensor in tensors:
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise ValueError(f"expected float32 on the CPU, found {tensor.dtype} on {tensor.device}")
        if tensor.shape[-1] != width or width % multiple:
            raise ValueError(f"expected {width} features, a multiple of {multiple}, found {tensor.shape[-1]}")


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
