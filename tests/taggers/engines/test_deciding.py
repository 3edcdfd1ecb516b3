from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanner.taggers.engines.deciding import EngineDecider
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.reading import Reading
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.rows import Chunk
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from taggers.engines.engines import TorchEngine


TEXTS = (
    "Loss of PTEN is common in glioma.",
    "Mouse p53 suppresses tumours; it isn't rare.",
    "We gave 5 mg to Danio rerio at 20 °C.",
    # Nothing is left of its second word.
    "IL-6 \ue000 rose.",
    "MLH1 deficiency " * 300,
    "",
)
DOCUMENTS = tuple(
    Document(str(number), "test", str(number), frozenset(Label), tuple(map(Sentence, TEXTS[number:])))
    for number in range(len(TEXTS))
)


def lean_of(path: Path, pooling: str = "first") -> LeanTagger:
    tagger = load_tagger(str(path))
    model: Any = tagger.model
    model.embeddings.subtoken_pooling = pooling
    return LeanTagger(tagger)


def decider_of(lean: LeanTagger, batch_tokens: int = 700) -> EngineDecider:
    parts = lean.parts
    missing = parts.head.get_parameter("bias").detach().numpy()
    return EngineDecider(TorchEngine(parts), missing, mean=parts.mean, crf=parts.crf, batch_tokens=batch_tokens)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_it_decides_as_the_lean_runtime_does(shaped_file: Path, pooling: str) -> None:
    lean = lean_of(shaped_file, pooling)
    chunk = lean.encode(DOCUMENTS)
    expected, found = lean._decide(chunk), decider_of(lean)(chunk)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    assert np.array_equal(found.tags, expected.tags)


@pytest.mark.parametrize("batch_tokens", [1, 97])
def test_batches_change_nothing(shaped_file: Path, batch_tokens: int) -> None:
    lean = lean_of(shaped_file)
    chunk = lean.encode(DOCUMENTS)
    assert np.array_equal(decider_of(lean, batch_tokens)(chunk).tags, lean._decide(chunk).tags)


def test_a_crf_decides_with_it(shaped_crf_file: Path) -> None:
    lean = lean_of(shaped_crf_file)
    chunk = lean.encode(DOCUMENTS)
    expected, found = lean._decide(chunk), decider_of(lean)(chunk)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    assert np.array_equal(found.tags, expected.tags)


def test_a_word_of_which_nothing_is_left_has_the_heads_bias(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    one = Document("1", "test", "1", frozenset(Label), (Sentence("IL-6 \ue000 rose."),))
    chunk = lean.encode([one])
    (row,) = chunk.rows
    (missing,) = set(range(int(chunk.ends[-1]))) - set(row.words.tolist())
    bias = lean.parts.head.get_parameter("bias")
    assert decider_of(lean)(chunk).tags[missing] == int(bias.argmax())


def test_of_nothing_there_is_nothing_to_decide(shaped_file: Path) -> None:
    found = decider_of(lean_of(shaped_file))(Chunk([], np.zeros(0, dtype=np.int64)))
    assert len(found.tags) == 0


def test_reading_and_parts_are_the_lean_taggers(shaped_file: Path) -> None:
    lean = lean_of(shaped_file)
    assert isinstance(lean.reading, Reading)
    assert isinstance(lean.parts, Parts)
