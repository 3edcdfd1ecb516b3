"""What a bad document costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.native import CorpusError


if TYPE_CHECKING:
    from collections.abc import Iterator


def _error(line: int) -> CorpusError:
    return CorpusError(Path("file.txt"), line, expected="a", found="b", advice="c")


def _items() -> Iterator[int]:
    yield 1
    yield 2
    yield 3
    raise _error(4)


def _build(item: int) -> str:
    if item == 2:
        raise _error(item)
    return str(item)


def test_error_raises_at_the_first_bad_document() -> None:
    documents = read_each(_items(), _build, BadDocuments("error"))
    assert next(documents) == "1"
    with pytest.raises(CorpusError, match=r"file\.txt:2: expected a, found b; c"):
        next(documents)


def test_skip_lists_bad_documents_and_keeps_the_others() -> None:
    bad = BadDocuments("skip")
    assert list(read_each(_items(), _build, bad, empty=_error(9))) == ["1", "3"]
    assert [error.line for error in bad.errors] == [2, 4]


def test_a_listed_error_holds_no_frames() -> None:
    bad = BadDocuments("skip")
    list(read_each(_items(), _build, bad))
    assert len(bad.errors) == 2
    for error in bad.errors:
        assert error.__traceback__ is None
        assert error.__cause__ is None
        assert error.__context__ is None


def test_nothing_at_all_is_an_error() -> None:
    bad = BadDocuments("skip")
    assert list(read_each([], _build, bad, empty=_error(9))) == []
    assert [error.line for error in bad.errors] == [9]


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a policy of error, skip, found 'ignore'"):
        BadDocuments("ignore")  # type: ignore[arg-type]
