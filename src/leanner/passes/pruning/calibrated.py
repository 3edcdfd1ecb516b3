"""What pruning by the calibration text has in common: the unpruned tagger reads it, then each layer is pruned."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.passes.pruning.sparsity import ZEROS
from leanner.passes.pruning.sparsity import checked_sparsity
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

    from leanner.passes.int8 import Int8Linear
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class CalibratedPruning(ABC):
    """Weights of the encoder's linear layers become zero by what the tagger makes of the calibration text.

    Embeddings, LayerNorms, biases and the tagging head are left alone. The layers stay dense: half of the
    weights zero does not mean half of the time.

    Attributes:
        sparsity: Share of the weights to be zero.
        articles: How many articles of the calibration text are read; all by default.
    """

    sparsity: float
    articles: int | None = None

    def __post_init__(self) -> None:
        checked_sparsity(self.sparsity)

    @property
    @abstractmethod
    def name(self) -> str:
        """The field's name for it."""

    @property
    def makes_up(self) -> bool:
        """Whether what stays makes up for what goes, which zeros of an earlier pass would not survive."""
        return False

    @abstractmethod
    def pruned(
        self,
        tagger: Tagger,
        layers: Mapping[str, nn.Linear | Int8Linear],
        documents: Sequence[Document],
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield, for each layer, its name and its weights with zeros, after the text has been read as a whole.

        *Shapes:* ``(out_features, in_features)``.

        Raises:
            NotRunnable: The tagger cannot read the text as the criterion wants it.
            WrongOrder: The criterion cannot judge layers as an earlier pass has left them.
        """

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, "sparsity": self.sparsity, "articles": self.articles}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - every device is one to it
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        return (*REASONS, ZEROS) if self.makes_up else REASONS

    def __call__(self, tagger: Tagger) -> Tagger:
        """Change the weights of ``tagger.model``.

        Raises:
            NotRunnable: The tagger has parts that the lean runtime, which reads the calibration text, does not have; or
                zeros would be filled in.
            WrongOrder: The model has int8 layers with activation ranges, or has left its library.
        """
        # The table of configurations is read where torch is not.
        from leanner.passes.calibration.text import calibration_text  # noqa: PLC0415
        from leanner.passes.pruning.layers import prunable  # noqa: PLC0415
        from leanner.passes.pruning.layers import refuse_zeros  # noqa: PLC0415
        from leanner.passes.pruning.layers import replace_weight  # noqa: PLC0415

        layers = prunable(tagger, self.name)
        if self.makes_up:
            refuse_zeros(layers.values())
        for name, weight in self.pruned(tagger, layers, calibration_text(self.articles)):
            replace_weight(layers[name], weight)
        return tagger
