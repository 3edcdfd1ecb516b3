"""Runs of words in tags: IOB2 (BIO) and BIOES."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leanner.corpora.native import CorpusError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path


def tagged_runs(tags: Sequence[object], path: Path, lines: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """Yield ``(first, last, label)``, last inclusive, of every run of tagged words.

    A run begins at B or S, and, as in CoNLL's own scorer, at an I or E that continues
    nothing of its label.

    Args:
        tags: One a word.
        path: Where they stand.
        lines: Line of each.

    Raises:
        CorpusError: A tag is not O, or B, I, E or S with a label.
    """
    first: int | None = None
    label = ""
    for index, tag in enumerate(tags):
        prefix, native = _split(tag, path, lines[index])
        if first is not None and (prefix in "OBS" or native != label):
            yield first, index - 1, label
            first = None
        if prefix == "O":
            continue
        if first is None:
            first, label = index, native
        if prefix in "ES":
            yield first, index, label
            first = None
    if first is not None:
        yield first, len(tags) - 1, label


def _split(tag: object, path: Path, line: int) -> tuple[str, str]:
    if tag == "O":
        return "O", ""
    if isinstance(tag, str) and tag[:2] in {"B-", "I-", "E-", "S-"} and len(tag) > 2:
        return tag[0], tag[2:]
    raise CorpusError(
        path,
        line,
        expected="O, or B-, I-, E- or S- and a label",
        found=f"the tag {tag!r}",
        advice="correct the tag",
    )
