"""The best sequences of tags under a linear-chain CRF, over many sentences at once.

The algorithm is Viterbi's (1967, IEEE Transactions on Information Theory 13(2), section IV), in
the form of Forney (1973, Proceedings of the IEEE 61(3), section III): a loop over positions
that keeps the best score of a path to each tag and where it came from. The sums are added up in the
order of ``flair.models.sequence_tagger_utils``, and of equal scores the lowest tag wins, last
word first, so that no rounding and no tie is decided otherwise than by Flair.

Sentences are sorted by length. Those that reach a position are then the first ones, and
nothing is computed or held for padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final
from typing import NamedTuple

import numpy as np
import torch

from torch import Tensor


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Sums in one step, over sentences and pairs of tags.
_CELLS: Final = 1 << 20


class BestTags(NamedTuple):
    """The best sequences.

    Attributes:
        tags: The number of each word's tag, ``(words,)``.
        confidences: What Flair calls the score of a tag, ``(words,)``: the largest softmax of the scores of paths up
            to the word, whichever tag is chosen in the end.
    """

    tags: Tensor
    confidences: Tensor


def best_tags(
    emissions: Tensor, ends: NDArray[np.int64], transitions: Tensor, *, start: int, stop: int, cells: int = _CELLS
) -> BestTags:
    """Return each word's tag in its sentence's best sequence.

    *Shapes:* ``emissions`` ``(words, tags)``, the sentences behind each other; ``ends``
    ``(sentences,)``, the number of words up to the end of each; ``transitions`` ``(tags, tags)``,
    ``[to, from]``.

    Args:
        emissions: Scores of the tags, as a head gives them.
        ends: Rising; a sentence may have no word.
        transitions: Scores of pairs of neighbours.
        start: The tag that stands before each sentence. Its scores decide whether it is within one too.
        stop: The tag after each sentence; the same holds.
        cells: Largest number of sums in one step, unless a single sentence has more.

    Raises:
        ValueError: The sentences are not those of the emissions, or the transitions not of their tags.
    """
    words, tags = emissions.shape
    if transitions.shape != (tags, tags):
        raise ValueError(
            f"expected transitions between the {tags} tags of the emissions, found {tuple(transitions.shape)}; "
            "give the head and the transitions of one tagger"
        )
    lengths = np.diff(ends, prepend=0)
    if lengths.sum() != words or (lengths < 0).any():
        raise ValueError(
            f"expected ends that rise to the {words} words of the emissions, found {ends.tolist()[-5:]} at the end; "
            "count prompt words too"
        )
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    together = max(1, cells // tags**2)
    result = BestTags(torch.empty(words, dtype=torch.long, device=emissions.device), emissions.new_empty(words))
    for begin in range(0, len(order), together):
        chosen = order[begin : begin + together]
        firsts = (ends - lengths)[chosen]
        _decode(emissions, firsts, lengths[chosen], transitions, start=start, stop=stop, into=result)
    return result


def _decode(
    emissions: Tensor,
    firsts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    transitions: Tensor,
    *,
    start: int,
    stop: int,
    into: BestTags,
) -> None:
    """Write what is found of some sentences, the longest first, to their words in ``into``."""
    longest = int(lengths[0])
    # How many sentences have a word at each position.
    reached = np.searchsorted(-lengths, -np.arange(longest)).tolist()
    first = torch.from_numpy(firsts).to(emissions.device)
    scores = emissions[first] + transitions[:, start]
    into.confidences[first] = _largest_share(scores)
    origins: list[Tensor] = []
    for position in range(1, longest):
        count = reached[position]
        step = emissions[first[:count] + position].unsqueeze(-1) + transitions
        best = step.add_(scores[:count].unsqueeze(1)).max(-1)
        scores[:count] = best.values
        into.confidences[first[:count] + position] = _largest_share(best.values)
        # Held for every word: half of what torch's indices take.
        origins.append(best.indices.to(torch.int32))
    # The scores of a sentence stay as they were at its own last word.
    tags = (scores + transitions[stop]).max(-1).indices
    for position in range(longest - 1, 0, -1):
        count = reached[position]
        into.tags[first[:count] + position] = tags[:count]
        tags[:count] = origins[position - 1].gather(1, tags[:count].unsqueeze(1)).squeeze(1).long()
    into.tags[first] = tags


def _largest_share(scores: Tensor) -> Tensor:
    return scores.softmax(-1).max(-1).values
