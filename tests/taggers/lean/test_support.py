from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leanner.taggers.errors import TaggerError
from leanner.taggers.lean import support
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger


class GPT2Model:
    config = type("Config", (), {"num_hidden_layers": 2, "is_decoder": True})


@pytest.mark.parametrize(
    ("change", "value", "reason"),
    [
        ("use_rnn", True, support.RNN),
        ("reproject_embeddings", True, support.REPROJECTION),
        ("predict_spans", False, support.WORD_LABELS),
        ("embeddings.subtoken_pooling", "last", support.POOLING),
        ("embeddings.layer_indexes", [0, 2], support.LAYERS),
        ("augmentation_strategy", object(), support.PROMPT),
        ("embeddings.model.config.is_decoder", True, support.ENCODER),
        ("embeddings.model.config.is_encoder_decoder", True, support.ENCODER),
        ("embeddings.model.config.model_type", "fnet", support.ENCODER),
    ],
)
def test_what_it_lacks_is_said(shaped_file: Path, change: str, value: object, reason: str) -> None:
    tagger = load_tagger(str(shaped_file))
    assert support.reason_against(tagger.model) is None
    holder: Any = tagger.model
    *path, name = change.split(".")
    for step in path:
        holder = getattr(holder, step)
    setattr(holder, name, value)
    assert support.reason_against(tagger.model) == reason
    assert reason in support.REASONS
    with pytest.raises(TaggerError, match="run this tagger by Flair"):
        LeanTagger(tagger)


def test_other_embeddings_and_tokenizers_are_refused(shaped_file: Path) -> None:
    model: Any = load_tagger(str(shaped_file)).model
    embeddings = model.embeddings

    class Slow:
        is_fast = False

    class WithoutSeparator:
        is_fast = True

        @staticmethod
        def build_inputs_with_special_tokens(ids: list[int]) -> list[int]:
            return [101, *ids]

    for tokenizer in (Slow(), WithoutSeparator()):
        embeddings.tokenizer = tokenizer
        assert support.reason_against(model) == support.TOKENIZER
    del model.embeddings
    model.embeddings = GPT2Model()
    assert support.reason_against(model) == support.NO_TRANSFORMER


def test_layers_that_are_not_berts_are_not_worked_on(shaped_file: Path) -> None:
    model: Any = load_tagger(str(shaped_file)).model
    assert support.reason_against_blocks(model.embeddings.model) is None
    model.embeddings.context_length = 0
    assert support.reason_against_prefix(model) is None
    model.embeddings.model.config.position_embedding_type = "relative_key"
    assert support.reason_against_blocks(model.embeddings.model) == support.BLOCKS
    assert support.reason_against_prefix(model) == support.BLOCKS
    assert support.BLOCKS in support.PREFIX_REASONS
    assert support.reason_against(model) is None


def test_every_reason_is_one_of_its_own() -> None:
    every = (*support.REASONS, *support.PREFIX_REASONS)
    assert len(set(every)) == len(every)
