"""What passes from layer to layer of an encoder while it reads the calibration text."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import torch

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from leanner.passes.protocol import NotRunnable
from leanner.taggers.lean.batches import token_batches
from leanner.taggers.lean.encoding import Encoder
from leanner.taggers.lean.reading import Reading
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import task_prompt


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger
    from leanner.types import Document


def hidden_states(
    tagger: FlairTagger, documents: Sequence[Document], batch_tokens: int = 2048
) -> Iterator[tuple[Tensor, ...]]:
    """Yield, batch by batch, what goes into the encoder's first layer and what comes out of each, without padding.

    *Shapes:* each ``(positions, hidden)``; one more than there are layers.

    Raises:
        NotRunnable: The tagger has parts that the lean runtime, which makes the rows, does not have.
    """
    model: Any = tagger.model
    if (reason := reason_against(model)) is not None:
        raise NotRunnable(reason)
    encoder = model.embeddings.model
    rows = Encoder(Reading.of(model.embeddings, task_prompt(model)), tagger.tokenizer)(documents).rows
    for batch in token_batches([len(row.ids) for row in rows], batch_tokens):
        ids = [torch.from_numpy(rows[number].ids).to(tagger.device) for number in batch]
        mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
        with torch.inference_mode():
            given = {"input_ids": pad_sequence(ids, batch_first=True), "attention_mask": mask}
            states: tuple[Tensor, ...] = encoder(**given, output_hidden_states=True).hidden_states
        yield tuple(state[mask.bool()] for state in states)
