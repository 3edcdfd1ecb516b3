"""Running a tagger over the corpus: rounds, and one sentence at a time."""

from __future__ import annotations

import random
import time

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import TypeVar


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


T = TypeVar("T")


def timed(call: Callable[[], T], clock: Callable[[], float] | None = None) -> tuple[T, float]:
    """Return what ``call`` returned and the seconds it took, by ``time.perf_counter`` if no clock is given."""
    clock = clock or time.perf_counter
    began = clock()
    result = call()
    return result, clock() - began


def tag_all(tagger: Tagger, documents: Sequence[Document]) -> list[Prediction]:
    """Tag every document: the body of a round."""
    return list(tagger.tag(documents))


def single_stream(tagger: Tagger, documents: Sequence[Document], *, sentences: int, seed: int) -> list[float]:
    """Return the milliseconds that single sentences took, one at a time.

    A request is its own document: its sentence has no neighbours. The sentences are
    a seeded sample; the first one is tagged once before, untimed.
    """
    singles = [replace(document, sentences=(sentence,)) for document in documents for sentence in document.sentences]
    chosen = random.Random(seed).sample(singles, min(sentences, len(singles)))  # noqa: S311 - a sample, no secret
    tag_all(tagger, chosen[:1])
    return [1000.0 * timed(partial(tag_all, tagger, [one]))[1] for one in chosen]
