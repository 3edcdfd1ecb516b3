"""2:4 pruning: two of every four neighbouring weights are zero, which GPUs have kernels for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Literal

from leanner.passes.precision import Precision
from leanner.passes.protocol import NotRunnable
from leanner.passes.pruning.second_order import SecondOrderPruning


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


#: Neighbouring weights of a row of which half are zero.
GROUP: Final = 4

_NO_CUDA: Final = "2:4 kernels need a GPU with sparse tensor cores, found {device}; second-order-50 has as many zeros"
_TOO_OLD: Final = "{gpu} has no sparse tensor cores: these came with compute capability 8.0"
SIZES: Final = "2:4 kernels need weights with multiples of 32 rows and 64 columns: this tagger's are others"


@dataclass(frozen=True, slots=True)
class SemiStructuredPruning(SecondOrderPruning):
    """Set two of every four neighbouring weights of a row to zero, and update the others.

    Which two, and how the others make up for them, is as in second-order pruning (SparseGPT: Frantar & Alistarh
    2023, section 3, extension to semi-structured sparsity). The layers stay dense: kernels are
    another pass.
    """

    sparsity: float = 0.5

    def __post_init__(self) -> None:
        if self.sparsity != 0.5:
            raise ValueError(f"expected sparsity 0.5, which is what 2:4 is, found {self.sparsity}")

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "semi-structured-pruning"

    @property
    def among(self) -> int:
        """Of how many neighbours in a row the same share becomes zero."""
        return GROUP


@dataclass(frozen=True, slots=True)
class SemiStructuredKernels:
    """2:4 pruning, half precision, and the GPU's sparse tensor cores (Mishra et al. 2021, section 3).

    The kernels multiply 16-bit floats, so that the whole tagger is cast, as by ``Precision``. It is one pass, so
    that nothing is pruned where there are no such kernels.

    Attributes:
        dtype: ``float16`` or ``bfloat16``.
        articles: How many articles of the calibration text are read; all by default.
    """

    dtype: Literal["float16", "bfloat16"] = "float16"
    articles: int | None = None

    def __post_init__(self) -> None:
        Precision(self.dtype)

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "semi-structured-kernels"

    @property
    def sparsity(self) -> float:
        """Share of the weights to be zero."""
        return 0.5

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "sparsity": self.sparsity, "dtype": self.dtype, "articles": self.articles}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        if not device.startswith("cuda"):
            return (_NO_CUDA.format(device=device),)
        others = (*SemiStructuredPruning().refusals(device, gpu), *Precision(self.dtype).refusals(device, gpu))
        return (_TOO_OLD.format(gpu=gpu), SIZES, *others)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Prune and cast ``tagger.model``, and replace the linear layers of its encoder.

        Raises:
            NotRunnable: There are no such kernels on the device, or for the sizes of a layer; or what the two passes
                in it cannot run.
            WrongOrder: The model has int8 layers, or has left its library.
        """
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from leanner.passes.pruning.sparse_kernels import check_layers  # noqa: PLC0415
        from leanner.passes.pruning.sparse_kernels import use_kernels  # noqa: PLC0415

        device = tagger.device
        if device.type != "cuda":
            raise NotRunnable(_NO_CUDA.format(device=device))
        if torch.cuda.get_device_capability(device) < (8, 0):
            raise NotRunnable(_TOO_OLD.format(gpu=torch.cuda.get_device_name(device)))
        check_layers(tagger, self.name)
        tagger = Precision(self.dtype)(SemiStructuredPruning(articles=self.articles)(tagger))
        use_kernels(tagger)
        return tagger
