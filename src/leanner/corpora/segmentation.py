"""Sentence splitting by segtok, never through a mention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from segtok.segmenter import split_multi


#: Named in the corpus hash: another splitter gives another corpus.
SPLITTER: Final = "segtok-1.5.11/split_multi"


def sentence_offsets(
    text: str,
    passages: Iterable[tuple[int, int]] | None = None,
    mentions: Iterable[tuple[int, int]] = (),
) -> list[tuple[int, int]]:
    """Split ``text`` into sentences.

    Args:
        text: The document.
        passages: ``(start, end)`` character offsets that no sentence may cross
            (title, abstract); the whole text if ``None``.
        mentions: ``(start, end)`` character offsets; sentences that a mention
            touches are joined, across passages too.

    Returns:
        ``(start, end)`` character offsets, without surrounding white space, in order.
    """
    sentences: list[tuple[int, int]] = []
    for passage_start, passage_end in [(0, len(text))] if passages is None else passages:
        position = passage_start
        for piece in split_multi(text[passage_start:passage_end]):
            stripped = piece.strip()
            if not stripped:
                continue
            start = text.index(stripped, position, passage_end)
            position = start + len(stripped)
            sentences.append((start, position))
    return _join_across(sentences, sorted(mentions))


def _join_across(sentences: list[tuple[int, int]], mentions: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    upcoming = iter(mentions)
    mention = next(upcoming, None)
    reach = 0
    for start, end in sentences:
        if joined and start < reach:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
        while mention is not None and mention[0] < end:
            reach = max(reach, mention[1])
            mention = next(upcoming, None)
    return joined
