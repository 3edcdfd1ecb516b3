"""One row of SourceData's JSON lines: the words of a caption, or the panels of an article."""

from __future__ import annotations

import unicodedata

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import LabelMap
from leanner.corpora.annotation import assemble
from leanner.corpora.annotation import repeated
from leanner.corpora.iob import tagged_runs
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from leanner.types import Label


_TYPES: Final = {
    "molecule": "SMALL_MOLECULE",
    "geneprod": "GENEPROD",
    "gene": "GENEPROD",
    "protein": "GENEPROD",
    "subcellular": "SUBCELLULAR",
    "cell": "CELL",
    "cell_type": "CELL_TYPE",
    "cell_line": "CELL_LINE",
    "tissue": "TISSUE",
    "organism": "ORGANISM",
}
_CATEGORIES: Final = {"assay": "EXP_ASSAY", "disease": "DISEASE"}


def row_labels(row: dict[str, Any]) -> Iterator[str]:
    """Yield the native labels of a row."""
    if "figures" in row:
        for _, panel in _panels(row):
            yield from (_tag_label(tag) for tag in panel.get("tags") or ())
    else:
        yield from (str(label).partition("-")[2] for label in row["labels"] if label != "O")


def token_row(
    row: dict[str, Any], label_of: LabelMap, labels: frozenset[Label], *, path: Path, line: int
) -> NativeDocument:
    """Return the caption of a token row.

    Raises:
        CorpusError: Words and labels differ in number, a label is no IOB2 label or unknown,
            or the words are not those of the text.
    """
    words, tags = row["words"], row["labels"]
    if len(words) != len(tags):
        raise CorpusError(
            path, line, expected=f"{len(words)} labels, one a word", found=f"{len(tags)}", advice="correct the row"
        )
    text = row.get("text")
    if text is None:
        text = " ".join(words)
    offsets = word_places(words, text, path, line)
    annotations = [
        Annotation(offsets[first][0], offsets[last][1], native, None, line)
        for first, last, native in tagged_runs(tags, path, [line] * len(tags))
    ]
    name = f"{path.name.removesuffix('.jsonl')}:{line}"
    return assemble(
        name=name,
        article=name,
        text=text,
        passages=((0, len(text)),),
        annotations=annotations,
        label_of=label_of,
        labels=labels,
        path=path,
        line=line,
    )


def word_places(words: Sequence[str], text: str, path: Path, line: int) -> list[tuple[int, int]]:
    """Return the character offsets of ``words``, which follow each other in ``text``.

    White space and signs may stand between two words, letters and digits may not.

    Raises:
        CorpusError: They do not follow each other so.
    """
    places = []
    position = 0
    for word in words:
        start = text.find(word, position)
        if not word or start < 0 or any(character.isalnum() for character in text[position:start]):
            raise CorpusError(
                path,
                line,
                expected=f"the word {word!r} next in the text",
                found=repr(text[position : position + 30]),
                advice="correct the row: its words must be those of its text",
            )
        position = start + len(word)
        places.append((start, position))
    return places


def panels(
    row: dict[str, Any], label_of: LabelMap, labels: frozenset[Label], *, known: set[str], path: Path, line: int
) -> list[NativeDocument]:
    """Return the panels of an article.

    Args:
        row: The article.
        label_of: From native labels to ours.
        labels: What the release annotates.
        known: DOIs of earlier rows; takes this one's.
        path: The file.
        line: Line of the row.

    Raises:
        CorpusError: Offsets do not match the text, a label is unknown, or the DOI was there before.
    """
    doi = str(row.get("doi") or "")
    if not doi or doi in known:
        raise repeated(doi, path, line) if doi else _expected("a document with a doi", "none", path, line)
    documents = []
    for place, panel in _panels(row):
        text = panel.get("text") or ""
        annotations, off_caption = _panel_annotations(panel, text, path, line)
        document = assemble(
            name=f"{doi}/{panel.get('panel_id') or place}",
            article=doi,
            text=text,
            passages=((0, len(text)),),
            annotations=annotations,
            label_of=label_of,
            labels=labels if annotations or off_caption else frozenset(),
            path=path,
            line=line,
            doi=doi if doi.startswith("10.") else None,
        )
        unmapped = Counter(dict(document.unmapped)) + Counter(
            f"{native} (not in the caption)" for native in off_caption
        )
        documents.append(replace(document, unmapped=tuple(sorted(unmapped.items()))))
    names = [document.id for document in documents]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise repeated(twice, path, line)
    known.add(doi)
    return documents


def _panels(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for figure_number, figure in enumerate(row["figures"] or (), start=1):
        for panel_number, panel in enumerate(figure.get("panels") or (), start=1):
            yield f"{figure_number}.{panel_number}", panel


def _panel_annotations(panel: dict[str, Any], text: str, path: Path, line: int) -> tuple[list[Annotation], list[str]]:
    annotations: list[Annotation] = []
    off_caption: list[str] = []
    for tag in panel.get("tags") or ():
        native = _tag_label(tag)
        offsets: list[Any] = tag.get("local_offsets") or []
        if not isinstance(offsets, list):
            raise _expected("local_offsets as a list", repr(offsets), path, line)
        if offsets and isinstance(offsets[0], list):
            offsets = offsets[0]
        if not offsets and str(tag.get("in_caption")) == "False":
            off_caption.append(native)
        elif len(offsets) == 2 and all(isinstance(offset, int) for offset in offsets):
            annotations.append(Annotation(offsets[0], offsets[1], native, str(tag.get("text") or ""), line))
        else:
            raise _expected("local_offsets with a start and an end", repr(offsets), path, line)
    # The published loader strips a panel's text before it applies the offsets. What matches to the letter comes first:
    # repetitive text may match elsewhere but for its blanks.
    lead = len(text) - len(text.lstrip())
    tries = ((shift, alike) for alike in (str.__eq__, _alike) for shift in (0, lead))
    shift = next((shift for shift, alike in tries if not _first_wrong(annotations, text, shift, alike)), None)
    if shift is None:
        wrong = _first_wrong(annotations, text, 0, _alike)
        assert wrong is not None, "without a wrong one the shift is 0"
        raise CorpusError(
            path,
            line,
            expected=f"{wrong.surface!r} at {wrong.start}-{wrong.end} of panel {panel.get('panel_id')}",
            found=repr(text[max(0, wrong.start) : wrong.end]),
            advice="correct the offsets: characters of the panel's text, end exclusive",
        )
    moved = [replace(item, start=item.start + shift, end=item.end + shift, surface=None) for item in annotations]
    return moved, off_caption


def _first_wrong(
    annotations: list[Annotation], text: str, shift: int, alike: Callable[[str, str], bool]
) -> Annotation | None:
    return next(
        (
            item
            for item in annotations
            if not alike(text[max(0, item.start + shift) : max(0, item.end + shift)], item.surface or "")
        ),
        None,
    )


def _tag_label(tag: dict[str, Any]) -> str:
    kind = str(tag.get("entity_type") or "")
    category = str(tag.get("category") or "")
    return _TYPES.get(kind) or _CATEGORIES.get(category) or kind or category


def _alike(found: str, surface: str) -> bool:
    """Whether two texts are the same but for the kind of their dashes and blanks."""
    return _plain(found) == _plain(surface)


def _plain(text: str) -> str:
    return "".join(
        "-" if unicodedata.category(character) == "Pd" else " " if character.isspace() else character
        for character in text
    )


def _expected(what: str, found: str, path: Path, line: int) -> CorpusError:
    return CorpusError(path, line, expected=what, found=found, advice="correct the row")
