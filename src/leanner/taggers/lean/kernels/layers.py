"""An int8 encoder in one call, compiled from C for CPUs with AVX-512 VNNI.

Between two products nothing returns to Python, and what lies there stays in the cache of the thread that made it.
"""

from __future__ import annotations

import ctypes

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import Final

import torch

from torch import Tensor

from leanner.taggers.lean.kernels.compiling import KernelError
from leanner.taggers.lean.kernels.compiling import load
from leanner.taggers.lean.kernels.reference import computed
from leanner.taggers.lean.kernels.reference import made_up


if TYPE_CHECKING:
    from leanner.taggers.lean.kernels.parts import Embedding
    from leanner.taggers.lean.kernels.parts import Grid
    from leanner.taggers.lean.kernels.parts import Layer
    from leanner.taggers.lean.kernels.parts import Product


__all__ = ["LAYERS", "LayerKernels", "find_layer_kernels", "load_layer_kernels"]

LAYERS: Final = Path(__file__).with_name("layers.c")

_POINTER, _LONG, _FLOAT, _INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_float, ctypes.c_int
_ARGUMENTS: Final[list[Any]] = [
    *(_POINTER, _POINTER, _LONG, _LONG, _POINTER, _POINTER, _POINTER, _LONG),
    *(_POINTER, _LONG, _POINTER, _LONG, _POINTER, _INT),
]


#: How far kernels may be from torch where they are tried, among states of the size of 1.
_TOLERANCE: Final = 0.5
_MEDIAN_TOLERANCE: Final = 1e-4


class _Product(ctypes.Structure):
    _fields_: ClassVar[list[tuple[str, Any]]] = [
        *((name, _POINTER) for name in ("weights", "start", "scale", "bias")),
        *((name, _LONG) for name in ("inputs", "outputs")),
    ]

    @classmethod
    def of(cls, product: Product) -> _Product:
        pointers = (part.data_ptr() for part in (product.weights, product.start, product.scale, product.bias))
        return cls(*pointers, product.inputs, len(product.scale))


class _Grid(ctypes.Structure):
    _fields_: ClassVar[list[tuple[str, Any]]] = [("steps", _POINTER), ("shift", _POINTER)]

    @classmethod
    def of(cls, grid: Grid | None) -> _Grid:
        return cls() if grid is None else cls(grid[0].data_ptr(), grid[1].data_ptr())


class _Embedding(ctypes.Structure):
    _fields_: ClassVar[list[tuple[str, Any]]] = [
        # A table is two pointers as well.
        *((name, _Grid) for name in ("words", "positions", "types")),
        *((name, _POINTER) for name in ("gain", "bias")),
        ("following", _Grid),
        ("epsilon", _FLOAT),
    ]

    @classmethod
    def of(cls, embedding: Embedding) -> _Embedding:
        norm = embedding.norm
        return cls(
            *map(_Grid.of, (embedding.words, embedding.positions, embedding.types)),
            *(norm.gain.data_ptr(), norm.bias.data_ptr(), _Grid.of(embedding.following), norm.epsilon),
        )


class _Layer(ctypes.Structure):
    _fields_: ClassVar[list[tuple[str, Any]]] = [
        *((name, _Product) for name in ("query", "key", "value", "output", "first", "second")),
        *((name, _POINTER) for name in ("attention_gain", "attention_bias", "gain", "bias")),
        *((name, _FLOAT) for name in ("attention_epsilon", "epsilon")),
        *((name, _Grid) for name in ("attended", "normed", "following")),
        *((name, _FLOAT) for name in ("made_steps", "made_shift")),
        ("heads", _LONG),
    ]

    @classmethod
    def of(cls, layer: Layer) -> _Layer:
        inner, outer = layer.attention_norm, layer.norm
        return cls(
            *map(_Product.of, layer.products),
            *(part.data_ptr() for part in (inner.gain, inner.bias, outer.gain, outer.bias)),
            *(inner.epsilon, outer.epsilon),
            *map(_Grid.of, (layer.attended, layer.normed, layer.following)),
            *(*layer.made, layer.heads),
        )


class _Held(ctypes.Structure):
    _fields_: ClassVar[list[tuple[str, Any]]] = [("keys", _POINTER), ("values", _POINTER)]


class LayerKernels:
    """The function of a compiled library. It runs in torch's threads, and lets other threads of Python run meanwhile.

    Args:
        library: As ``compiled`` returns it.

    Attributes:
        has_amx: Whether products are made by AMX: the CPU has it, and the kernel lets this process use it.
    """

    def __init__(self, library: Path) -> None:
        functions = ctypes.CDLL(str(library))
        self.has_amx: Final = bool(functions.leanner_has_amx())
        self._function: Final[Any] = functions.leanner_layers
        self._function.argtypes, self._function.restype = _ARGUMENTS, _INT

    def __call__(
        self,
        embedding: Embedding,
        layers: Sequence[Layer],
        ids: Tensor,
        *,
        rows: tuple[Tensor, Tensor],
        wanted: Tensor,
        held: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> Tensor:
        """Return the states of the last layer at the wanted positions.

        *Shapes:* ``ids`` ``(positions,)``, rows behind each other; ``wanted`` ``(n,)``; result ``(n, width)``.

        Args:
            embedding: Of the words.
            layers: Whose inputs are multiples of four, and features of a head of eight.
            ids: Words, int64.
            rows: Where each begins, and its length, ``(rows,)``, int64.
            wanted: Positions in ascending order, each at most once, int64.
            held: Keys and values that all rows see before their own, of each layer, ``(before, heads · size)``.

        Raises:
            IndexError: A word or a position has no embedding, or there is no wanted position.
            TypeError: Numbers of another type, or not behind each other, where int64 is read.
            MemoryError: There is none for a row so long.
        """
        begins, lengths = rows
        kept = [(keys.contiguous(), values.contiguous()) for keys, values in held]
        before = len(kept[0][0]) if kept else 0
        _check(embedding, ids, before + int(lengths.max()))
        _check_places(len(ids), wanted, (ids, begins, lengths, wanted))
        pointers = (_Held * len(kept))(*(_Held(keys.data_ptr(), values.data_ptr()) for keys, values in kept))
        result = torch.empty(len(wanted), embedding.words[0].shape[1], dtype=torch.float32)
        failed = self._function(
            *(ctypes.byref(_Embedding.of(embedding)), (_Layer * len(layers))(*map(_Layer.of, layers)), len(layers)),
            *(result.shape[1], ids.data_ptr(), begins.data_ptr(), lengths.data_ptr(), len(lengths)),
            *(pointers if kept else None, before, wanted.data_ptr(), len(wanted)),
            *(result.data_ptr(), torch.get_num_threads()),
        )
        if failed:
            raise MemoryError(f"no memory for rows of up to {int(lengths.max())} positions")
        return result


def load_layer_kernels(folder: Path | None = None) -> LayerKernels:
    """Return the kernels of this machine; they are compiled if they are not there yet, which takes seconds.

    Args:
        folder: Where they are kept; the user's cache if ``None``.

    Raises:
        KernelError: They cannot be had here, or do not compute what torch computes.
    """
    kernels = load(LAYERS, LayerKernels, folder)
    _try(kernels)
    return kernels


def find_layer_kernels() -> tuple[LayerKernels | None, tuple[str, ...]]:
    """Return the kernels, or what a reader of an int8 tagger's results must know without them."""
    try:
        return load_layer_kernels(), ()
    except KernelError as error:
        return None, (f"int8 layers are computed one by one by oneDNN, which is slower: {error}",)


def _try(kernels: LayerKernels) -> None:
    """See that the layers are what torch makes of them.

    Raises:
        KernelError: They are not: of this compiler on this machine, nothing else is to be believed.
    """
    # Sizes that fill blocks of weights, and such that do not.
    for heads, size, inner in ((2, 32, 64), (3, 16, 80), (1, 40, 72)):
        _try_sizes(kernels, heads, size, inner)


def _try_sizes(kernels: LayerKernels, heads: int, size: int, inner: int) -> None:
    generator = torch.Generator().manual_seed(0)
    # A step that is rounded otherwise is seen by its row: there are several.
    lengths = [200, *[37] * 12, 3]
    embedding, layers, held = made_up(2, heads=heads, size=size, inner=inner, before=5, generator=generator)
    ids = torch.randint(0, len(embedding.words[0]), (sum(lengths),), generator=generator)
    sizes = torch.tensor(lengths)
    wanted = torch.arange(0, len(ids), 2)
    with torch.inference_mode():
        found = kernels(embedding, layers, ids, rows=(sizes.cumsum(0) - sizes, sizes), wanted=wanted, held=held)
        apart = (found - computed(embedding, layers, ids, lengths, held)[wanted]).abs()
    # A value that lies between two steps is rounded up by one and down by the other: few states differ by that.
    median, most = float(apart.median()), float(apart.max())
    if not (median <= _MEDIAN_TOLERANCE and most <= _TOLERANCE):
        raise KernelError(
            f"expected what torch computes within {_MEDIAN_TOLERANCE}, or {_TOLERANCE} where rounding differs, "
            f"found differences of {median} in the median and of up to {most}"
        )


def _check(embedding: Embedding, ids: Tensor, positions: int) -> None:
    """Refuse what would be read behind the end of a table.

    Raises:
        IndexError: See there.
    """
    words, places = len(embedding.words[0]), len(embedding.positions[0])
    least, most = int(ids.min()), int(ids.max())
    if least < 0 or most >= words or positions > places:
        raise IndexError(
            f"expected words from 0 to {words - 1} and at most {places} positions, "
            f"found words from {least} to {most} and {positions} positions"
        )


def _check_places(positions: int, wanted: Tensor, numbers: tuple[Tensor, ...]) -> None:
    """Refuse places that no block has, and numbers that would be misread.

    Raises:
        IndexError: See there.
        TypeError: See there.
    """
    for each in numbers:
        if each.dtype != torch.int64 or not each.is_contiguous():
            raise TypeError(f"expected int64 behind each other, found {each.dtype} with strides {each.stride()}")
    if len(wanted) and (int(wanted[0]) < 0 or int(wanted[-1]) >= positions):
        raise IndexError(f"expected positions from 0 to {positions - 1}, found {int(wanted[0])} to {int(wanted[-1])}")
