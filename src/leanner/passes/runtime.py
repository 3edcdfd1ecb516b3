"""What runs the tagger: the library that it is of, or the lean runtime."""

from __future__ import annotations

import dataclasses

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import run_by_its_library
from leanner.taggers.lean.support import NO_GRAPHS
from leanner.taggers.lean.support import NO_REGROUPING
from leanner.taggers.lean.support import PREFIX_REASONS
from leanner.taggers.lean.support import REASONS


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


_NO_CUDA: Final = "CUDA graphs need CUDA, found {device}"


@dataclass(frozen=True, slots=True)
class LeanRuntime:
    """The lean runtime over the tagger's modules, as the passes before have left them.

    No padding, no objects for words, spans decoded over many sentences at once. In float32
    the spans are Flair's.

    Attributes:
        batch_tokens: Sub-tokens in one forward pass.
        prefix_caching: Whether keys and values of [CLS] and the prompt are computed once, as in
            Prompt Cache (Gim et al. 2024, MLSys, section 3). The prompt then does not see the
            sentence, so that F1 may change.
        deduplicate: Whether a sentence that was seen with the same context, one of the last 32,768
            different ones, is not computed again.
        window_words: The most words of sentences of a document that are computed together, as each
            other's context: see ``leanner.taggers.lean.windows``. The tagger was not trained so: F1
            may change. 0 for each sentence alone, as Flair does it.
        cuda_graphs: Whether what a small batch computes is recorded once for its shape, and replayed: see
            ``leanner.taggers.lean.graphs``. No weight is to be changed then any more. Not run on a GPU yet.
    """

    batch_tokens: int = 2048
    prefix_caching: bool = False
    deduplicate: bool = False
    window_words: int = 0
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        if self.batch_tokens < 1:
            raise ValueError(f"expected a batch of at least one sub-token, found {self.batch_tokens}")
        if self.window_words < 0:
            raise ValueError(f"expected windows of at least one word, or 0 for none, found {self.window_words}")

    @property
    def name(self) -> str:
        """The field's name for it."""
        return "lean-runtime"

    @property
    def runtime(self) -> str:
        """What the record calls it."""
        return "lean"

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters."""
        return {"name": self.name, **dataclasses.asdict(self)}

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:  # noqa: ARG002 - the GPU's name does not matter
        """Return the reasons for which it can be not runnable, as ``NotRunnable`` gives them.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        reasons = REASONS + PREFIX_REASONS if self.prefix_caching else REASONS
        if self.deduplicate or self.window_words:
            reasons = (*reasons, NO_REGROUPING)
        if not self.cuda_graphs:
            return reasons
        return (
            (*reasons, NO_GRAPHS)
            if device.startswith("cuda")
            else (*reasons, NO_GRAPHS, _NO_CUDA.format(device=device))
        )

    def check(self, tagger: Tagger) -> None:
        """Refuse what the runtime cannot run, before other passes take their time.

        Raises:
            NotRunnable: The tagger has parts that the runtime does not have.
            WrongOrder: It has left its library already.
        """
        # The table of configurations is read where torch is not.
        from leanner.taggers.errors import TaggerError  # noqa: PLC0415
        from leanner.taggers.lean.make import check_runnable  # noqa: PLC0415

        run_by_its_library(tagger, self.name)
        self._check_device(tagger)
        try:
            check_runnable(
                tagger, prefix_caching=self.prefix_caching, regroup=self.deduplicate or self.window_words > 0
            )
        except TaggerError as error:
            raise NotRunnable(str(error)) from error

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the lean tagger.

        Raises:
            NotRunnable: The tagger has parts that the runtime does not have.
            WrongOrder: It has left its library already.
        """
        # The table of configurations is read where torch is not.
        from leanner.taggers.errors import TaggerError  # noqa: PLC0415
        from leanner.taggers.lean.make import make_lean  # noqa: PLC0415

        run_by_its_library(tagger, self.name)
        self._check_device(tagger)
        try:
            lean = make_lean(
                tagger,
                batch_tokens=self.batch_tokens,
                prefix_caching=self.prefix_caching,
                deduplicate=self.deduplicate,
                window_words=self.window_words,
            )
            if self.cuda_graphs:
                lean.record_small_batches()
        except TaggerError as error:
            raise NotRunnable(str(error)) from error
        return lean

    def _check_device(self, tagger: Tagger) -> None:
        if self.cuda_graphs and tagger.device.type != "cuda":
            raise NotRunnable(_NO_CUDA.format(device=tagger.device))
