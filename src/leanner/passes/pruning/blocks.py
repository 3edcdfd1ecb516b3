"""The blocks of an encoder that structured pruning works on: attention and feed-forward layers of BERT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from torch import nn

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_its_library
from leanner.taggers.hf.tagger import HfTagger
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import reason_against_blocks
from leanner.taggers.lean.support import reason_against_classifier
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


def blocks_of(tagger: Tagger, name: str) -> list[Any]:
    """Return the blocks of the tagger's encoder in order, transformers' ``BertLayer``.

    Args:
        tagger: Run by its library.
        name: Of the pass that asks, for its errors.

    Raises:
        NotRunnable: The encoder is no BERT, or the lean runtime, which reads the calibration text, cannot run the rest.
        WrongOrder: The model has int8 layers, or has left its library.
    """
    run_by_its_library(tagger, name)
    model: Any = tagger.model
    if isinstance(tagger, HfTagger):
        reason = reason_against_classifier(model, tagger.tokenizer)
    else:
        reason = reason_against(model)
    if reason is not None:
        raise NotRunnable(reason)
    encoder = model.base_model if isinstance(tagger, HfTagger) else model.embeddings.model
    if (reason := reason_against_blocks(encoder)) is not None:
        raise NotRunnable(reason)
    for _, layer in encoder_linears(tagger.model):
        if type(layer) is not nn.Linear:
            raise WrongOrder(f"{name} after {type(layer).__name__}: prune first")
    return list(encoder.encoder.layer)


def keep_blocks(tagger: Tagger, kept: Sequence[int]) -> None:
    """Leave the encoder only these of its blocks.

    Args:
        tagger: One whose head reads the last block alone.
        kept: Numbers in ascending order.
    """
    embeddings: Any = tagger.model.embeddings
    encoder = embeddings.model
    encoder.encoder.layer = nn.ModuleList(encoder.encoder.layer[number] for number in kept)
    encoder.config.num_hidden_layers = len(kept)
    # Flair may have counted the last one from the front.
    embeddings.layer_indexes = [-1 for _ in embeddings.layer_indexes]
