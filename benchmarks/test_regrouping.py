"""Whether spans depend on what else is in a batch: ``pytest benchmarks -m equality -k alone -rP``.

Each sentence (``--leanner-corpora`` and ``--leanner-sentences`` say which) is tagged alone and in a batch drawn at
random. With a scale for each token, nothing of another sentence enters its integers. The lean runtime pads nothing
either: its spans must be the same. Flair pads a batch, and attention over more places adds the same numbers in another
order. An activation in the middle between two integers, but for the last bits of a float, may then be rounded to the
other one. Where a sentence has other spans, the first integers that differ must be such ties.
"""

from __future__ import annotations

import contextlib
import random

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.configurations import named
from leanner.serving.wire import document_in


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from torch import Tensor

    from leanner.measure.subject import Subject
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


pytestmark = pytest.mark.equality

BATCH: Final = 16
#: How far from the middle between two integers a rounding tie may lie, in steps: an activation has up to 127 of them,
#: and float32 has 24 bits, of which sums of some hundred products lose a few.
TIE: Final = 1e-4
#: More sentences with other spans would be no coincidence, ties or not.
MOST_REGROUPED: Final = 0.01


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model read and computed in one batch.

    Attributes:
        pieces: Sub-tokens of each row, padding left out.
        inputs: Of each int8 layer of the encoder in the order of their calls, ``(rows, places, features)``.
    """

    pieces: list[tuple[int, ...]]
    inputs: list[Tensor]


def behind(tagger: Tagger, configuration: str) -> Tagger:
    """Return the tagger behind the passes of a configuration."""
    for step in named(configuration).passes:
        tagger = step(tagger)
    return tagger


def batches_of(subject: Subject) -> Iterator[Sequence[Document]]:
    """Yield all sentences, each a document of its own, in batches drawn at random."""
    texts = [sentence.text for document in subject.documents for sentence in document.sentences]
    random.Random(1).shuffle(texts)  # noqa: S311 - no secret
    for begin in range(0, len(texts), BATCH):
        yield [document_in([text]) for text in texts[begin : begin + BATCH]]


@contextlib.contextmanager
def watched(tagger: Tagger) -> Iterator[list[Seen]]:
    """Note what the encoder of a Flair tagger reads and computes."""
    from leanner.passes.int8 import Int8Linear  # noqa: PLC0415 - cases are collected without torch

    seen: list[Seen] = []
    embeddings: Any = tagger.model.embeddings

    def begin(module: object, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:  # noqa: ARG001 - torch's
        rows = zip(given[0], named["attention_mask"], strict=True)
        seen.append(Seen([tuple(ids[mask.bool()].tolist()) for ids, mask in rows], []))

    def note(module: object, given: tuple[Tensor, ...]) -> None:  # noqa: ARG001 - torch's
        seen[-1].inputs.append(given[0].clone())

    handles = [embeddings.model.register_forward_pre_hook(begin, with_kwargs=True)]
    layers = [layer for layer in embeddings.model.modules() if isinstance(layer, Int8Linear)]
    handles += [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def from_a_tie(one: Tensor, other: Tensor) -> float | None:
    """Return how far from a tie, in steps, the farthest value lies that is rounded to another integer in ``other``.

    ``None`` if all integers are the same; infinite if one differs by more than a step.
    """
    from leanner.passes.int8 import quantize_rows  # noqa: PLC0415 - cases are collected without torch

    (integers, scale), (others, _) = quantize_rows(one), quantize_rows(other)
    differ = integers != others
    if not differ.any():
        return None
    if (integers.int() - others.int()).abs().max() > 1:
        return float("inf")
    steps = (one / scale)[differ]
    return float((steps - steps.floor() - 0.5).abs().max())


def first_difference(alone: Seen, batch: Seen) -> float | None:
    """Return :func:`from_a_tie` of the first layer whose integers differ."""
    (pieces,) = alone.pieces
    row = batch.pieces.index(pieces)
    found = (from_a_tie(a[0], b[row, : len(pieces)]) for a, b in zip(alone.inputs, batch.inputs, strict=True))
    return next((distance for distance in found if distance is not None), None)


@pytest.mark.parametrize("configuration", ["lean-int8", "lean-int8-static", "lean-int8-static-prefix-ffn-ls-50"])
def test_a_sentence_alone_in_the_lean_runtime(configuration: str, tagger: Tagger, merged_corpus: Subject) -> None:
    """It has the spans that it has in a batch, always."""
    lean = behind(tagger, configuration)
    sentences = regrouped = 0
    for batch in batches_of(merged_corpus):
        together = list(lean.tag(batch))
        alone = [next(iter(lean.tag([document]))) for document in batch]
        sentences += len(batch)
        regrouped += sum(one != other for one, other in zip(together, alone, strict=True))
    print(f"{configuration}: {regrouped} of {sentences} sentences have other spans alone")  # noqa: T201 - shown with -rP
    assert regrouped == 0


def test_a_sentence_alone_in_flairs_runtime(tagger: Tagger, merged_corpus: Subject) -> None:
    """With a scale for each token it has other spans than in a batch only if a value was rounded at a tie."""
    flair = behind(tagger, "int8")
    sentences = 0
    distances: list[float | None] = []
    for batch in batches_of(merged_corpus):
        with watched(flair) as seen:
            together = list(flair.tag(batch))
            alone = [next(iter(flair.tag([document]))) for document in batch]
        of_batch, *of_one = seen
        sentences += len(batch)
        answers = zip(together, alone, of_one, strict=True)
        distances += [first_difference(one, of_batch) for mine, other, one in answers if mine != other]
    print(  # noqa: T201 - shown with -rP
        f"int8: {len(distances)} of {sentences} sentences have other spans alone; their first integers that differ lie "
        f"so far from a tie, in steps: {distances}"
    )
    assert all(distance is not None and distance < TIE for distance in distances)
    assert len(distances) <= MOST_REGROUPED * sentences
