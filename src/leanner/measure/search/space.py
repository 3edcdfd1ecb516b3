"""What a search tries: the named configurations, and combinations that make sense."""

from __future__ import annotations

import random

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING
from typing import Final

from leanner.combinations import combined
from leanner.configurations import CONFIGURATIONS
from leanner.passes.runtime import LeanRuntime


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass


@dataclass(frozen=True, slots=True)
class Candidate:
    """Passes that may win.

    Attributes:
        name: As :func:`leanner.combinations.combined` reads it.
        passes: Applied in this order.
    """

    name: str
    passes: tuple[Pass, ...]

    @property
    def runtime(self) -> LeanRuntime | None:
        """The last pass, if it is the one that leaves the model as it is and runs it otherwise."""
        last = self.passes[-1] if self.passes else None
        return last if isinstance(last, LeanRuntime) else None

    @property
    def stem(self) -> tuple[Pass, ...]:
        """The passes that change the model: candidates with the same ones can share a prepared tagger."""
        return self.passes if self.runtime is None else self.passes[:-1]


_NOTHING: Final = ""
_HEADS: Final = (_NOTHING, "heads-ls-25", "heads-ls-50")
_NEURONS: Final = (_NOTHING, "ffn-ls-25", "ffn-ls-50:share=0.375", "ffn-ls-50", "ffn-ls-50:share=0.625")
_ZEROS: Final = ("second-order-30", "second-order-50")


def _joined(*parts: str) -> str:
    return "+".join(part for part in parts if part)


#: The choices in the order in which passes are applied, one of each: what is pruned is quantized afterwards, with
#: the ranges of what is left, and the runtime comes last. In any other order passes refuse each other. Heads and
#: neurons can go together; zeros beside them would only cost F1, since dense kernels multiply them. Another family is
#: another entry.
AXES: Final[tuple[tuple[str, ...], ...]] = (
    (*(_joined(*parts) for parts in product(_HEADS, _NEURONS)), *_ZEROS),
    (_NOTHING, "bf16", "fp16", "int8", "int8-static"),
    ("lean", "lean-prefix", "lean-prefix:batch_tokens=1024", "lean-prefix:batch_tokens=4096"),
)


def candidates(seed: int) -> tuple[Candidate, ...]:
    """Return all candidates, none twice, in the order in which they are tried; those with the same stem together.

    First the named configurations in the lean runtime, those that run by default before the others: a search that has
    not tried them cannot say that it found better. Then what ``AXES`` allow, in an order that is drawn, so that a
    short budget sees a sample of all. Last the other named ones: what Flair runs, the lean runtime runs faster with
    the same weights.

    Args:
        seed: Of the draw.
    """
    default_first = sorted(CONFIGURATIONS, key=lambda each: not each.default)
    named = [Candidate(each.name, each.passes) for each in default_first if each.passes and each.served is None]
    groups = list(_by_stem(_grid()))
    # A sample of all of them is their order; no secret.
    drawn = random.Random(seed).sample(groups, len(groups))  # noqa: S311
    lean = [each for each in named if each.runtime is not None]
    others = [each for each in named if each.runtime is None]
    found: dict[tuple[Pass, ...], Candidate] = {}
    for group in (*_by_stem(lean), *drawn, *_by_stem(others)):
        for candidate in group:
            found.setdefault(candidate.passes, candidate)
    return tuple(found.values())


def _grid() -> Iterator[Candidate]:
    for parts in product(*AXES):
        name = _joined(*parts)
        yield Candidate(name, combined(name).passes)


def _by_stem(candidates: list[Candidate] | Iterator[Candidate]) -> Iterator[list[Candidate]]:
    groups: dict[tuple[Pass, ...], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.stem, []).append(candidate)
    yield from groups.values()
