from __future__ import annotations

import numpy as np

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.lean.encoding import InContext
from leanner.taggers.lean.repeats import KnownTags
from leanner.taggers.lean.repeats import Seen
from leanner.taggers.lean.repeats import share_of_repeats


WORDS = st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=2)
SENTENCES = st.builds(InContext, WORDS, WORDS, WORDS)


def tags_of(sentence: InContext) -> list[int]:
    """Return tags that tell any two sentences apart, one for each word of the text."""
    return [abs(hash(str(sentence))) % 1000 + place for place in range(len(sentence.text))]


@given(st.lists(st.lists(SENTENCES, max_size=8), max_size=6), st.integers(1, 5))
def test_every_sentence_gets_the_tags_that_it_would_have_alone(chunks: list[list[InContext]], remembered: int) -> None:
    seen, known = Seen(remembered), KnownTags()
    for chunk in chunks:
        repeats = seen(chunk)
        assert len(set(map(str, repeats.new))) == len(repeats.new)
        new = [tags_of(sentence) for sentence in repeats.new]
        tags, ends = known(
            repeats,
            np.array([tag for one in new for tag in one], dtype=np.int64),
            np.cumsum([len(one) for one in new], dtype=np.int64),
        )
        assert tags.tolist() == [tag for sentence in chunk for tag in tags_of(sentence)]
        assert ends.tolist() == np.cumsum([len(sentence.text) for sentence in chunk], dtype=np.int64).tolist()
        assert len(known._tags) <= remembered
        assert len(seen._numbers) <= remembered


def test_another_context_is_another_sentence() -> None:
    ones = [InContext(["a"], ["b"], []), InContext([], ["b"], ["a"]), InContext([], ["a", "b"], [])]
    assert Seen()(ones).new == ones


def test_words_are_not_run_together() -> None:
    ones = [InContext([], ["ab"], []), InContext([], ["a", "b"], [])]
    assert Seen()(ones).numbers == [0, 1]


def test_what_is_no_unicode_text_is_told_apart_too() -> None:
    assert Seen()([InContext([], ["\ud800"], []), InContext([], ["\ud801"], [])]).numbers == [0, 1]


def test_the_share_is_of_all_sentences() -> None:
    one, other = InContext([], ["a"], []), InContext([], ["b"], [])
    assert share_of_repeats([one, other, one, one]) == 0.5
    assert share_of_repeats([]) is None
