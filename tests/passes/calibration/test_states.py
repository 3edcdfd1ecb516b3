from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from torch import Tensor

from leanner.passes.calibration.states import hidden_states
from leanner.passes.calibration.text import calibration_text
from leanner.passes.protocol import NotRunnable
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.support import RNN
from leanner.taggers.load import load_tagger


def test_they_are_those_of_flair_one_sentence_at_a_time(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    found = [torch.cat(parts) for parts in zip(*hidden_states(tagger, calibration_text(2), 300), strict=True)]

    model: Any = tagger.model
    seen: list[tuple[Tensor, ...]] = []
    model.embeddings.model.register_forward_hook(lambda _, __, made: seen.append(made.hidden_states))
    alone = FlairTagger(model, "alone", tokenizer=tagger.tokenizer, mini_batch_size=1)
    list(alone.tag(calibration_text(2)))
    expected = [torch.cat([part[0] for part in parts]) for parts in zip(*seen, strict=True)]
    assert len(found) == len(expected) == 3
    for ours, flairs in zip(found, expected, strict=True):
        # Batches are by length: as sets of rows, and these by their sums.
        assert ours.shape == flairs.shape
        torch.testing.assert_close(ours.sum(-1).sort().values, flairs.sum(-1).sort().values, rtol=1e-4, atol=1e-4)


def test_a_tagger_that_the_lean_runtime_cannot_run(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    tagger.model.use_rnn = True  # type: ignore[assignment]
    with pytest.raises(NotRunnable, match=RNN[:6]):
        next(hidden_states(tagger, calibration_text(1)))
