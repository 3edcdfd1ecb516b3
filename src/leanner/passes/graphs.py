"""CUDA graphs for the small batches of a lean tagger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


_NO_CUDA: Final = "CUDA graphs need CUDA, found {device}"
_NO_BERT: Final = "CUDA graphs are recorded of BERT with absolute positions only"


@dataclass(frozen=True, slots=True)
class CudaGraphs:
    """What a small batch computes is recorded once for its shape, and replayed: see ``leanner.taggers.lean.graphs``.

    It comes last: what is recorded is not seen to change. Not run on a GPU yet.
    """

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "cuda-graphs"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - the GPU's name does not matter
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (_NO_BERT,) if device.startswith("cuda") else (_NO_CUDA.format(device=device), _NO_BERT)

    def check(self, tagger: Tagger) -> None:
        """Refuse another device, before other passes take their time.

        Raises:
            NotRunnable: The tagger is not on a GPU.
        """
        if tagger.device.type != "cuda":
            raise NotRunnable(_NO_CUDA.format(device=tagger.device))

    def __call__(self, tagger: Tagger) -> Tagger:
        """Have the tagger's encoder record its small batches.

        Raises:
            NotRunnable: The tagger is not on a GPU, or its encoder is another one than BERT.
            WrongOrder: The lean runtime does not run it.
        """
        # The table of configurations is read where torch is not.
        from leanner.taggers.lean.bert import PackedBert  # noqa: PLC0415
        from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415
        from leanner.taggers.lean.text_tagger import LeanTextTagger  # noqa: PLC0415

        if not isinstance(tagger, LeanTagger | LeanTextTagger):
            raise WrongOrder(f"{self.name} after {tagger.runtime}: they are recorded of the lean runtime")
        self.check(tagger)
        if not isinstance(tagger.encoder, PackedBert):
            raise NotRunnable(_NO_BERT)
        tagger.record_small_batches()
        return tagger
