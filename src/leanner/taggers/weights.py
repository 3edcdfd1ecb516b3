"""What a model's weights are and weigh: digest, bytes as stored, zeros, operations."""

from __future__ import annotations

import hashlib

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from typing import runtime_checkable

from torch import Tensor
from torch import int64
from torch import nn
from torch import uint8


@runtime_checkable
class CompressedLinear(Protocol):
    """A linear layer whose weights are not one float parameter.

    *Shapes:* what ``weights`` returns is ``(out_features, in_features)``.
    """

    in_features: int
    out_features: int

    def weights(self) -> Tensor:
        """Return the weights as stored; a zero is a zero of the layer."""
        ...


@runtime_checkable
class Packed(Protocol):
    """A module with weights that are neither parameters nor buffers (a kernel's own layout)."""

    def packed(self) -> Iterable[Tensor]:
        """Return them."""
        ...


@runtime_checkable
class Filled(Packed, Protocol):
    """One whose layout fills up its last blocks: these bytes are stored, and are no parameters."""

    @property
    def filled(self) -> int:
        """How many values do so."""
        ...


@runtime_checkable
class Weighing(Protocol):
    """A module whose weights torch does not hold: it says itself what they weigh."""

    def weigh(self) -> Weights:
        """Return it."""
        ...


@dataclass(frozen=True, slots=True)
class Weights:
    """What a model's weights weigh.

    Attributes:
        parameters: Numbers stored, scales of quantized weights included.
        bytes_by_dtype: Bytes as stored, by dtype ("float32", "int8").
        linear: Weights of the encoder's linear layers: what pruning works on.
        linear_nonzero: Those of them that are not zero.
        flops: Floating-point (or integer) operations of all linear layers but the unused
            pooler for one sub-token, two for each weight that is not zero. Attention scores are
            left out: they depend on the length.
    """

    parameters: int
    bytes_by_dtype: dict[str, int]
    linear: int
    linear_nonzero: int
    flops: float

    @property
    def weights_mb(self) -> float:
        """Bytes as stored, in MB = 10^6 bytes."""
        return sum(self.bytes_by_dtype.values()) / 1e6

    @property
    def sparsity(self) -> float | None:
        """Share of zeros in the encoder's linear layers; ``None`` if it has none."""
        return 1 - self.linear_nonzero / self.linear if self.linear else None


def weigh(model: nn.Module) -> Weights:
    """Return what the weights of ``model`` are and weigh, each shared tensor counted once."""
    if isinstance(model, Weighing):
        return model.weigh()
    sizes: Counter[str] = Counter()
    parameters = 0
    for tensor in stored_tensors(model):
        sizes[str(tensor.dtype).removeprefix("torch.")] += tensor.numel() * tensor.element_size()
        parameters += tensor.numel()
    parameters -= sum(module.filled for module in model.modules() if isinstance(module, Filled))
    encoder = {name: linear_weights(module) for name, module in encoder_linears(model)}
    nonzero = {name: int(values.count_nonzero()) for name, values in encoder.items()}
    rest = sum(
        int(linear_weights(module).count_nonzero())
        for name, module in model.named_modules()
        if name not in encoder and _is_linear(module) and not _is_pooler(name)
    )
    return Weights(
        parameters=parameters,
        bytes_by_dtype=dict(sizes),
        linear=sum(values.numel() for values in encoder.values()),
        linear_nonzero=sum(nonzero.values()),
        flops=2.0 * (sum(nonzero.values()) + rest),
    )


def stored_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Yield every tensor that ``model`` stores, once; indices (``position_ids``) are no weights."""
    seen: set[int] = set()
    for module in model.modules():
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if isinstance(module, Packed):
            own.extend(module.packed())
        for tensor in own:
            if tensor.dtype != int64 and id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def encoder_linears(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield name and module of the linear layers of the transformer in ``model``, pooler and head left out."""
    # An exported tagger knows what its weights weigh without it.
    from transformers import PreTrainedModel  # noqa: PLC0415

    for outer, transformer in model.named_modules():
        # A transformer with a head has itself without it as its base.
        if isinstance(transformer, PreTrainedModel) and transformer.base_model is transformer:
            for inner, module in transformer.named_modules(prefix=outer):
                if _is_linear(module) and not _is_pooler(inner):
                    yield inner, module
            return


def weights_sha256(model: nn.Module) -> str:
    """Return the digest over names, types, shapes and bytes of the state dict, in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if not isinstance(value, Tensor):
            continue
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(uint8).numpy().data)
    return digest.hexdigest()


def linear_weights(module: nn.Module) -> Tensor:
    """Return the weights of a linear layer as stored.

    *Shapes:* ``(out_features, in_features)``.

    Raises:
        TypeError: It is none.
    """
    if isinstance(module, nn.Linear):
        return module.weight.detach()
    if isinstance(module, CompressedLinear):
        return module.weights()
    raise TypeError(f"expected a linear layer, found {type(module).__name__}")


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | CompressedLinear)


def _is_pooler(name: str) -> bool:
    return "pooler" in name.split(".")
