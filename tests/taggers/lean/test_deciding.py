from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flair.data import Sentence

from leanner.taggers.lean.deciding import Decider
from leanner.taggers.lean.encoding import WordEncoder
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.reading import Reading
from leanner.taggers.load import load_model
from leanner.taggers.rows import Chunk


TEXTS = (["Loss", "of", "PTEN"], ["Sjo\u0308gren", "\u200b", "IL-6", "rose"])


@pytest.fixture(scope="module")
def model(shaped_file: Path) -> Any:  # noqa: ANN401 - Flair's
    return load_model(str(shaped_file))


def test_tags_and_probabilities_are_those_of_flairs_head(model: Any) -> None:  # noqa: ANN401
    encode = WordEncoder(Reading.of(model.embeddings, ["genes"]))
    decided = Decider(Parts.of_flair(model), batch_tokens=40)(encode.encode(encode.in_order(list(TEXTS))))
    with torch.inference_mode():
        sentences = [Sentence(["genes", *words]) for words in TEXTS]
        tensor, lengths = model._prepare_tensors(sorted(sentences, key=len))
        expected = model(tensor, lengths).softmax(-1).max(-1)
    assert decided.tags.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(decided.scores, expected.values.numpy(), atol=1e-5)


def test_of_nothing_there_is_nothing_to_decide(model: Any) -> None:  # noqa: ANN401
    decided = Decider(Parts.of_flair(model), batch_tokens=40)(Chunk([], np.zeros(0, dtype=np.int64)))
    assert decided.tags.tolist() == decided.scores.tolist() == []
