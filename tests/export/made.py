"""Taggers of a few weights, and what they tag."""

from __future__ import annotations

import random

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import torch

from leanner.export.lean import Lean
from leanner.export.write import export
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass
    from leanner.taggers.flair import FlairTagger


TEXTS = (
    "Loss of PTEN is common in glioma.",
    "Mouse p53 suppresses tumours; it isn't rare.",
    "   ",
    "We gave 5 mg\u200b to Danio rerio at 20 °C (see https://x.org/a?b=c).",
    "Sjo\u0308gren’s syndrome 😀 and siGli1/MLH1-deficient rats'.",
    "",
    "MLH1 deficiency " * 300,
)


def documents(count: int = 10, seed: int = 7) -> list[Document]:
    rng = random.Random(seed)
    return [
        Document(
            str(number),
            "test",
            str(number),
            frozenset(Label),
            tuple(Sentence(rng.choice(TEXTS)) for _ in range(number % 6)),
        )
        for number in range(count)
    ]


def shaped(path: Path, *, context: int = 64, pooling: str = "first", **options: Any) -> FlairTagger:  # noqa: ANN401 - handed on
    tagger = load_tagger(str(path), **options)
    model: Any = tagger.model
    model.embeddings.context_length, model.embeddings.subtoken_pooling = context, pooling
    return tagger


def exported(tagger: FlairTagger, folder: Path, *passes: Pass, name: str = "lean") -> Lean:
    """Export and load again; the spans are looked at elsewhere."""
    export(tagger, name, passes, folder, check=())
    return Lean.load(folder)


def measured(tagger: FlairTagger, *passes: Pass) -> LeanTagger:
    """What a case would run."""
    result: Any = tagger
    for each in passes:
        result = each(result)
    return result if isinstance(result, LeanTagger) else LeanTagger(result)


def with_random_transitions(tagger: FlairTagger) -> FlairTagger:
    model: Any = tagger.model
    transitions = model.crf.transitions.detach()
    transitions.copy_(torch.randn(transitions.shape, generator=torch.Generator().manual_seed(2)))
    return tagger
