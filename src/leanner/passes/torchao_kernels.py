"""torchao's quantization of weights, and of activations as they come, by kernels for GPUs."""

from __future__ import annotations

import importlib.util

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Literal
from typing import get_args

from leanner.passes.precision import Precision
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


Scheme = Literal["w8a8", "int8-weights", "int4-weights", "fp8"]

NO_TORCHAO: Final = "torchao's kernels need torchao: pip install 'leanner[torchao]'"
UNSUITED: Final = (
    "the torchao that is installed does not go with the torch that is: pip install 'leanner[torchao]' brings one that "
    "does"
)
SIZES: Final = "torchao's int4 weights come in groups of 128: this tagger's layers have other sizes"

_NO_CUDA: Final = "{name} needs CUDA, found {device}; int8, int8-static and pt2e-… are 8 bits on a CPU"
_TOO_OLD: Final = "{gpu} has not the kernels for {name}: these came with compute capability {least}"

#: The compute capability that a scheme needs.
_LEAST: Final[dict[Scheme, tuple[int, int]]] = {
    "w8a8": (8, 0),
    "int8-weights": (8, 0),
    "int4-weights": (8, 0),
    "fp8": (8, 9),
}
_DESCRIBED: Final[dict[Scheme, dict[str, Any]]] = {
    "w8a8": {"weights": "int8", "weight_scales": "row", "activations": "int8", "activation_scales": "token"},
    "int8-weights": {"weights": "int8", "weight_scales": "row", "activations": "bfloat16"},
    "int4-weights": {"weights": "int4", "weight_scales": "group of 128", "activations": "bfloat16"},
    "fp8": {
        "weights": "float8_e4m3",
        "weight_scales": "row",
        "activations": "float8_e4m3",
        "activation_scales": "token",
    },
}


@dataclass(frozen=True, slots=True)
class TorchaoQuantization:
    """The linear layers of the encoder by torchao's ``quantize_`` (its documentation, "Quantized Inference").

    The tagger is cast to bfloat16 first, which these kernels take, as by ``Precision``. Embeddings become int8 with a
    scale for each row. The tagging head stays bfloat16. Nothing is calibrated. torchao recommends to compile what is
    quantized so: ``compile`` may follow.

    Attributes:
        scheme: ``w8a8``: int8 weights, and int8 activations with a scale for each token, found at run time;
            ``int8-weights`` and ``int4-weights``: weights alone; ``fp8``: 8-bit floats, both.
    """

    scheme: Scheme

    def __post_init__(self) -> None:
        if self.scheme not in get_args(Scheme):
            raise ValueError(f"expected one of {', '.join(get_args(Scheme))}, found {self.scheme!r}")

    @property
    def name(self) -> str:
        """The field's name for it."""
        return f"torchao-{self.scheme}"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, **_DESCRIBED[self.scheme], "embeddings": "int8"}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        if not device.startswith("cuda"):
            return (_NO_CUDA.format(name=self.name, device=device),)
        own = (self._too_old(gpu), NO_TORCHAO, UNSUITED, SIZES)
        return (*own, *Precision("bfloat16").refusals(device, gpu))

    def __call__(self, tagger: Tagger) -> Tagger:
        """Cast ``tagger.model``, and replace its layers.

        Raises:
            NotRunnable: Not on CUDA, on too old a GPU, without torchao, or for what ``Precision`` cannot run.
            WrongOrder: The model has layers that are quantized or sparse already, or has left its library.
        """
        # The table of configurations is read where torch is not.
        import torch  # noqa: PLC0415

        from leanner.passes.torchao_layers import config_of  # noqa: PLC0415
        from leanner.passes.torchao_layers import use_torchao  # noqa: PLC0415

        _check_order(tagger, self.name)
        device = tagger.device
        if device.type != "cuda":
            raise NotRunnable(_NO_CUDA.format(name=self.name, device=device))
        if torch.cuda.get_device_capability(device) < _LEAST[self.scheme]:
            raise NotRunnable(self._too_old(torch.cuda.get_device_name(device)))
        if importlib.util.find_spec("torchao") is None:
            raise NotRunnable(NO_TORCHAO)
        try:
            config = config_of(self.scheme)
        except ImportError as error:
            raise NotRunnable(UNSUITED) from error
        if self.scheme == "int4-weights" and not _in_groups(tagger):
            raise NotRunnable(SIZES)
        tagger = Precision("bfloat16")(tagger)
        use_torchao(tagger, config)
        return tagger

    def _too_old(self, gpu: str | None) -> str:
        least = ".".join(map(str, _LEAST[self.scheme]))
        return _TOO_OLD.format(gpu=gpu, name=self.name, least=least)


def _check_order(tagger: Tagger, name: str) -> None:
    """Refuse layers that are no longer torch's own.

    Raises:
        WrongOrder: There are some.
    """
    from torch import nn  # noqa: PLC0415 - as above

    from leanner.passes.int8 import quantized_layers  # noqa: PLC0415 - as above
    from leanner.taggers.weights import encoder_linears  # noqa: PLC0415 - as above

    run_by_its_library(tagger, name)
    if next(quantized_layers(tagger.model), None) is not None:
        raise WrongOrder(f"int8 twice: {name} after a pass that made integers of the weights")
    for _, layer in encoder_linears(tagger.model):
        if type(layer) is not nn.Linear:
            raise WrongOrder(f"{name} after {type(layer).__name__}: these layers have kernels of their own")


def _in_groups(tagger: Tagger) -> bool:
    from leanner.taggers.weights import encoder_linears  # noqa: PLC0415 - as above
    from leanner.taggers.weights import linear_weights  # noqa: PLC0415 - as above

    return all(linear_weights(layer).shape[1] % 128 == 0 for _, layer in encoder_linears(tagger.model))
