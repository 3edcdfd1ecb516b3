from __future__ import annotations

import pytest

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from leanner.taggers.subtokens import read_in_windows
from leanner.taggers.subtokens import read_whole


@pytest.fixture
def subtokens() -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return tokenizer


class Busy:
    """A tokenizer that is at work in another thread: whoever writes to it fails."""

    def __init__(self, truncation: dict[str, int] | None) -> None:
        self.padding = None
        self.truncation = truncation


def test_nothing_is_cut_or_padded_whatever_was_set_before(subtokens: Tokenizer) -> None:
    subtokens.enable_truncation(2)
    subtokens.enable_padding(length=9)

    read_whole(subtokens)

    assert subtokens.encode("a b a b").ids == [0, 1, 0, 1]


def test_a_long_text_is_read_in_windows_whatever_was_set_before(subtokens: Tokenizer) -> None:
    subtokens.enable_truncation(3, stride=0)
    subtokens.enable_padding(length=9)

    read_in_windows(subtokens, 2, 1)

    encoding = subtokens.encode("a b b")
    assert [encoding.ids, *(rest.ids for rest in encoding.overflowing)] == [[0, 1], [1, 1]]


def test_what_is_set_already_is_not_set_again() -> None:
    # Naive: set at every call, which raises "Already borrowed" while another thread encodes.
    read_whole(Busy(None))
    read_in_windows(Busy({"max_length": 8, "stride": 2}), 8, 2)
