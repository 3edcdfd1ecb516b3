"""Strict span scores once more, by comparing every span with every other: slow, and without our code."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


def naive_matches(
    tagged: Iterable[tuple[Document, Prediction]], labels: Iterable[str], corpus: str | None = None
) -> tuple[int, int, int]:
    """Return tp, fp, fn of ``labels`` in ``corpus``."""
    wanted = [str(label) for label in labels]
    tp = fp = fn = 0
    for document, prediction in tagged:
        if corpus is not None and document.corpus != corpus:
            continue
        for number, sentence in enumerate(document.sentences):
            gold: list[tuple[int, int, str]] = []
            guess: list[tuple[int, int, str]] = []
            for source, into in ((sentence.spans, gold), (prediction[number], guess)):
                for span in source:
                    entry = (span.start, span.end, str(span.label))
                    known = any(str(label) == entry[2] for label in document.labels)
                    if known and entry[2] in wanted and entry not in into:
                        into.append(entry)
            hits = sum(1 for one in gold for other in guess if one == other)
            tp, fp, fn = tp + hits, fp + len(guess) - hits, fn + len(gold) - hits
    return tp, fp, fn
