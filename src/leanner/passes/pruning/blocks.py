"""The blocks of an encoder that structured pruning works on: attention and feed-forward layers of BERT."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from torch import nn

from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import WrongOrder
from leanner.passes.protocol import run_by_flair
from leanner.taggers.lean.support import reason_against
from leanner.taggers.weights import encoder_linears


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


def blocks_of(tagger: Tagger, name: str) -> list[Any]:
    """Return the blocks of the tagger's encoder in order, transformers' ``BertLayer``.

    Args:
        tagger: Run by Flair.
        name: Of the pass that asks, for its errors.

    Raises:
        NotRunnable: The encoder is no BERT, or the lean runtime, which reads the calibration text, cannot run the rest.
        WrongOrder: The model has int8 layers, or has left Flair.
    """
    run_by_flair(tagger, name)
    if (reason := reason_against(tagger.model)) is not None:
        raise NotRunnable(reason)
    for _, layer in encoder_linears(tagger.model):
        if type(layer) is not nn.Linear:
            raise WrongOrder(f"{name} after {type(layer).__name__}: prune first")
    model: Any = tagger.model
    return list(model.embeddings.model.encoder.layer)
