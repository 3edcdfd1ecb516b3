"""One native document as sentences with spans that do not overlap."""

from __future__ import annotations

from bisect import bisect_left
from bisect import insort
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Final

from leanner.corpora.native import CorpusError
from leanner.corpora.native import Mention
from leanner.corpora.native import NativeDocument
from leanner.corpora.segmentation import sentence_offsets
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


_PRECEDENCE: Final = {label: rank for rank, label in enumerate((Label.GENE, Label.DISEASE, Label.SPECIES))}


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What did not come through the merge as it was annotated.

    Attributes:
        overlapping: Mentions that gave way to a longer, more leftward or preferred one, by label.
        repeated: Further copies of a mention with the same offsets and label, by label.
        outside: Mentions in no sentence (white space alone, or outside the passages), by label.
        joined: Sentence borders that were lifted because a mention crosses them.
    """

    overlapping: Mapping[Label, int] = field(default_factory=dict)
    repeated: Mapping[Label, int] = field(default_factory=dict)
    outside: Mapping[Label, int] = field(default_factory=dict)
    joined: int = 0


def check(native: NativeDocument) -> None:
    """Refuse mentions that cannot be merged.

    Raises:
        CorpusError: A mention lies outside the text, is empty, or has a label that the document does not annotate.
    """
    for mention in native.mentions:
        if not 0 <= mention.start < mention.end <= len(native.text):
            raise CorpusError(
                native.path,
                native.line,
                expected=f"offsets with 0 <= start < end <= {len(native.text)} in document {native.id!r}",
                found=f"{mention.label} {mention.start}-{mention.end}",
                advice="correct the offsets, or skip bad documents",
            )
        if mention.label not in native.labels:
            raise CorpusError(
                native.path,
                native.line,
                expected=f"mentions of {', '.join(sorted(native.labels)) or 'no label'} in document {native.id!r}",
                found=f"{mention.label} {mention.start}-{mention.end}",
                advice="name the label among those that the corpus annotates",
            )


def resolve(native: NativeDocument, corpus: str) -> tuple[Document, MergeCounts]:
    """Split ``native`` into sentences and place its mentions in them, one label a character.

    Of mentions that overlap, the longest stays, then the leftmost, then GENE before
    DISEASE before SPECIES. A mention that crosses a sentence border joins the sentences.
    A mention keeps its white space: the sentence grows to hold it.

    Args:
        native: The document as annotated.
        corpus: Name of its corpus.

    Returns:
        The document, and what was dropped or joined.

    Raises:
        CorpusError: See `check`.
    """
    check(native)
    distinct = set(native.mentions)
    repeated = Counter(mention.label for mention in native.mentions)
    repeated.subtract(mention.label for mention in distinct)
    outside = {mention for mention in distinct if native.text[mention.start : mention.end].isspace()}
    kept, overlapping = _without_overlap(distinct - outside)

    plain = sentence_offsets(native.text, native.passages or None)
    sentences, homeless = _place(plain, kept, native.text)
    joined = 0
    if homeless:
        borders = sentence_offsets(native.text, native.passages or None, [(m.start, m.end) for m in kept])
        joined = len(plain) - len(borders)
        sentences, homeless = _place(borders, kept, native.text)
    outside.update(homeless)
    document = Document(native.id, corpus, native.article, native.labels, sentences)
    return document, MergeCounts(
        overlapping=Counter(mention.label for mention in overlapping),
        repeated=+repeated,
        outside=Counter(mention.label for mention in outside),
        joined=joined,
    )


def _without_overlap(mentions: Iterable[Mention]) -> tuple[list[Mention], list[Mention]]:
    """Return the mentions that stay, sorted by start, and those that give way."""
    kept: list[Mention] = []
    dropped: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (m.start - m.end, m.start, _PRECEDENCE[m.label])):
        index = bisect_left(kept, mention.start, key=lambda m: m.start)
        free_before = index == 0 or kept[index - 1].end <= mention.start
        free_behind = index == len(kept) or mention.end <= kept[index].start
        if free_before and free_behind:
            insort(kept, mention, key=lambda m: m.start)
        else:
            dropped.append(mention)
    return kept, dropped


def _place(
    borders: list[tuple[int, int]], mentions: list[Mention], text: str
) -> tuple[tuple[Sentence, ...], list[Mention]]:
    """Return the sentences with the mentions inside them, and the mentions that no sentence holds."""
    sentences: list[Sentence] = []
    homeless: list[Mention] = []
    index = 0
    for number, (start, end) in enumerate(borders):
        # White space around a sentence belongs to nobody: a mention may reach into it.
        floor = borders[number - 1][1] if number else 0
        ceiling = borders[number + 1][0] if number + 1 < len(borders) else len(text)
        inside: list[Mention] = []
        while index < len(mentions) and mentions[index].start < end:
            mention = mentions[index]
            index += 1
            held = (
                floor <= mention.start
                and mention.end <= ceiling
                and not text[mention.start : start].strip()
                and not text[end : mention.end].strip()
                and mention.end > start
            )
            (inside if held else homeless).append(mention)
        if inside:
            start, end = min(start, inside[0].start), max(end, inside[-1].end)  # noqa: PLW2901
        spans = tuple(Span(m.start - start, m.end - start, m.label) for m in inside)
        sentences.append(Sentence(text[start:end], start, spans))
    homeless.extend(mentions[index:])
    return tuple(sentences), homeless
