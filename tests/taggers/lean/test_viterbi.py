from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from flair.data import Dictionary
from flair.models.sequence_tagger_utils.crf import CRF
from flair.models.sequence_tagger_utils.viterbi import ViterbiDecoder
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from leanner.taggers.lean.viterbi import best_tags


if TYPE_CHECKING:
    from numpy.typing import NDArray


def ends_of(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.cumsum(lengths, dtype=np.int64)


def best_by_trying_all(scores: list[list[int]], transitions: list[list[int]], start: int, stop: int) -> list[int]:
    """The best sequence; of equal ones that with the lowest tags, from the last word on."""
    found = []
    for tags in product(range(len(transitions)), repeat=len(scores)):
        path = (start, *tags, stop)
        total = sum(word[tag] for word, tag in zip(scores, tags, strict=True))
        total += sum(transitions[after][before] for before, after in pairwise(path))
        found.append((-total, tags[::-1]))
    return list(min(found)[1][::-1])


@settings(max_examples=300, deadline=None)
@given(data=st.data(), tags=st.integers(1, 4), lengths=st.lists(st.integers(0, 4), max_size=6))
def test_no_sequence_is_better_and_of_equal_ones_the_lowest_is_taken(
    data: st.DataObject, tags: int, lengths: list[int]
) -> None:
    # Small whole numbers are exact in float32, and many sequences are equally good.
    whole = st.lists(st.integers(-3, 3), min_size=tags, max_size=tags)
    sentences = [data.draw(st.lists(whole, min_size=length, max_size=length)) for length in lengths]
    transitions = data.draw(st.lists(whole, min_size=tags, max_size=tags))
    start, stop = data.draw(st.tuples(st.integers(0, tags - 1), st.integers(0, tags - 1)))
    words = [word for sentence in sentences for word in sentence]
    found = best_tags(
        torch.tensor(words, dtype=torch.float32).reshape(-1, tags),
        ends_of(lengths),
        torch.tensor(transitions, dtype=torch.float32),
        start=start,
        stop=stop,
        cells=data.draw(st.integers(1, 60)),
    )
    expected = [
        tag for sentence in sentences if sentence for tag in best_by_trying_all(sentence, transitions, start, stop)
    ]
    assert found.tags.tolist() == expected


def crf_of(tags: int, scale: float, *, forbidden: bool, seed: int) -> tuple[CRF, ViterbiDecoder]:
    dictionary = Dictionary(add_unk=False)
    for number in range(tags):
        dictionary.add_item(f"B-{number}")
    dictionary.set_start_stop_tags()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # From a state: without it Flair forbids what leads to <START> and from <STOP>.
        crf = CRF(dictionary, len(dictionary), init_from_state_dict=not forbidden)
    crf.transitions.detach().mul_(scale)
    return crf, ViterbiDecoder(dictionary)


def flair_tags(crf: CRF, decoder: ViterbiDecoder, sentences: Sequence[Tensor]) -> list[list[tuple[int, float]]]:
    order = sorted(range(len(sentences)), key=lambda number: -len(sentences[number]))
    lengths = torch.tensor([len(sentences[number]) for number in order])
    padded = torch.nn.utils.rnn.pad_sequence([sentences[number] for number in order], batch_first=True)
    decoded, _ = decoder.decode((crf(padded), lengths, crf.transitions), False, [])
    result: list[list[tuple[int, float]]] = [[] for _ in sentences]
    for number, tags in zip(order, decoded, strict=True):
        result[number] = [(decoder.tag_dictionary.get_idx_for_item(name), score) for name, score in tags]
    return result


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    tags=st.integers(1, 25),
    scale=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    forbidden=st.booleans(),
    rounded=st.booleans(),
    cells=st.sampled_from([1, 5000, 1 << 20]),
    seed=st.integers(0, 10_000),
)
def test_flairs_decoder_gives_the_same_tags_and_scores(
    *,
    lengths: list[int],
    tags: int,
    scale: float,
    forbidden: bool,
    rounded: bool,
    cells: int,
    seed: int,
) -> None:
    crf, decoder = crf_of(tags, scale, forbidden=forbidden, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    sentences = [2 * torch.randn(length, tags + 2, generator=generator) for length in lengths]
    with torch.inference_mode():
        if rounded:
            # Into ties.
            sentences = [sentence.round() for sentence in sentences]
            crf.transitions.detach().round_()
        found = best_tags(
            torch.cat(sentences),
            ends_of(lengths),
            crf.transitions,
            start=decoder.start_tag,
            stop=decoder.stop_tag,
            cells=cells,
        )
        expected = flair_tags(crf, decoder, sentences)
    assert found.tags.tolist() == [tag for sentence in expected for tag, _ in sentence]
    scores = [score for sentence in expected for _, score in sentence]
    assert found.confidences.tolist() == pytest.approx(scores, abs=1e-6)


def test_borders_are_tags_where_their_scores_say_so() -> None:
    crf, decoder = crf_of(3, 4.0, forbidden=False, seed=0)
    sentences = [torch.randn(20, 5, generator=torch.Generator().manual_seed(1))]
    with torch.inference_mode():
        (tags,) = flair_tags(crf, decoder, sentences)
        found = best_tags(sentences[0], ends_of([20]), crf.transitions, start=3, stop=4)
    assert {3, 4} & {tag for tag, _ in tags}
    assert found.tags.tolist() == [tag for tag, _ in tags]


def test_transitions_overrule_words() -> None:
    # Alone each word would be tag 0.
    emissions = torch.tensor([[2.0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
    transitions = torch.zeros(4, 4)
    transitions[0, 0] = -5
    arguments = (emissions, ends_of([3, 1]), transitions)
    assert best_tags(*arguments, start=2, stop=3).tags.tolist() == [0, 1, 0, 0]
    transitions[3, 0] = -9
    assert best_tags(*arguments, start=2, stop=3).tags.tolist() == [0, 1, 1, 1]


def test_no_sentence_has_no_tag() -> None:
    assert best_tags(torch.zeros(0, 4), ends_of([]), torch.zeros(4, 4), start=2, stop=3).tags.tolist() == []
    assert best_tags(torch.zeros(0, 4), ends_of([0, 0]), torch.zeros(4, 4), start=2, stop=3).tags.tolist() == []


def test_other_tags_and_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected transitions between the 4 tags .* found \(3, 3\)"):
        best_tags(torch.zeros(2, 4), ends_of([2]), torch.zeros(3, 3), start=0, stop=1)
    for ends in ([1], [3], [], [3, 2]):
        with pytest.raises(ValueError, match="expected ends that rise to the 2 words"):
            best_tags(torch.zeros(2, 4), np.array(ends, dtype=np.int64), torch.zeros(4, 4), start=0, stop=1)
