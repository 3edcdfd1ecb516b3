from __future__ import annotations

import pytest

from leanner.export.manifest import WordSplitting
from leanner.export.splitting import named_splitting
from leanner.export.splitting import splitter_of
from leanner.taggers.errors import TaggerError
from leanner.taggers.splitters import SegtokWords
from leanner.taggers.splitters import SpacedWords
from leanner.taggers.splitters import VisibleWords
from leanner.taggers.tokenizers import FlairTokens
from leanner.taggers.tokenizers import Words


@pytest.mark.parametrize(
    ("splitter", "plain"),
    [
        (Words(), VisibleWords()),
        (VisibleWords(), VisibleWords()),
        (FlairTokens(), SegtokWords()),
        (SegtokWords(("-", "/")), SegtokWords(("-", "/"))),
        (SpacedWords(), SpacedWords()),
    ],
)
def test_a_splitter_by_its_name(splitter: Words | FlairTokens, plain: VisibleWords) -> None:
    named = named_splitting(splitter)
    assert splitter_of(named) == plain
    assert splitter_of(named).name == splitter.name
    assert type(splitter_of(named)) is type(plain)


def test_an_unknown_name() -> None:
    with pytest.raises(TaggerError, match=r"expected words that are split by one of leanner\.words, .*, found moses"):
        splitter_of(WordSplitting("moses"))
