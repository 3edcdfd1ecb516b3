"""Half precision: every weight and activation as a 16-bit float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Literal

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


_NO_FLOAT16: Final = "float16 needs CUDA, found {device}; bf16 is the 16-bit float of CPUs"
_NO_BFLOAT16_ON_GPU: Final = "{gpu} has no bfloat16"
_NO_BFLOAT16_ON_CPU: Final = (
    "this CPU has no instructions for bfloat16 (AVX-512, AMX or Arm's BF16): torch would compute it about a hundred "
    "times slower than float32"
)
_CRF: Final = "Flair decodes a CRF in float32 only"
_MEAN: Final = "Flair averages sub-tokens in float32 only"


@dataclass(frozen=True, slots=True)
class Precision:
    """Cast all floating-point weights; activations follow.

    Nothing stays float32 but what the kernels accumulate in. float16 is for CUDA: on a CPU
    it was as slow as float32, even with AVX512-FP16, and bfloat16 is what CPUs multiply fast.

    Attributes:
        dtype: ``bfloat16`` or ``float16``.
    """

    dtype: Literal["bfloat16", "float16"]

    def __post_init__(self) -> None:
        if self.dtype not in ("bfloat16", "float16"):
            raise ValueError(f"expected bfloat16 or float16, found {self.dtype!r}")

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "bf16" if self.dtype == "bfloat16" else "fp16"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "dtype": self.dtype}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        is_gpu = device.startswith("cuda")
        if self.dtype == "float16":
            own = () if is_gpu else (_NO_FLOAT16.format(device=device),)
        else:
            own = (_NO_BFLOAT16_ON_GPU.format(gpu=gpu) if is_gpu else _NO_BFLOAT16_ON_CPU,)
        return (*own, _CRF, _MEAN)

    def __call__(self, tagger: Tagger) -> Tagger:
        """Cast ``tagger.model``.

        Raises:
            NotRunnable: float16 on a CPU, bfloat16 on a CPU or GPU without instructions for it,
                or a tagger whose Flair code is float32 only.
            WrongOrder: The model is quantized already, or has left its library.
        """
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from leanner.passes.int8 import quantized_layers  # noqa: PLC0415

        run_by_its_library(tagger, self.name)
        device = tagger.device
        if self.dtype == "float16" and device.type != "cuda":
            raise NotRunnable(_NO_FLOAT16.format(device=device))
        if self.dtype == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise NotRunnable(_NO_BFLOAT16_ON_GPU.format(gpu=torch.cuda.get_device_name(device)))
        if self.dtype == "bfloat16" and device.type == "cpu" and not multiplies_bfloat16():
            raise NotRunnable(_NO_BFLOAT16_ON_CPU)
        if getattr(tagger.model, "use_crf", False):
            raise NotRunnable(_CRF)
        if getattr(getattr(tagger.model, "embeddings", None), "subtoken_pooling", "first") == "mean":
            raise NotRunnable(_MEAN)
        if next(quantized_layers(tagger.model), None) is not None:
            raise WrongOrder(f"{self.name} after int8: the weights are int8 already")
        tagger.model.to(getattr(torch, self.dtype))
        return tagger


def multiplies_bfloat16() -> bool:
    """Whether oneDNN multiplies matrices of bfloat16 on this CPU; without it torch falls back to plain loops.

    On a Zen 3 (AVX2 only) these ran at 1.3 GFLOP/s, float32 at 157.
    """
    import torch  # noqa: PLC0415 - as above

    return torch.backends.mkldnn.is_available() and bool(  # type: ignore[no-untyped-call]
        torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - torch has no public name for it
    )
