"""From annotations in native labels and surface forms to a checked `NativeDocument`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.native import CorpusError
from leanner.corpora.native import Mention
from leanner.corpora.native import NativeDocument
from leanner.types import Label


if TYPE_CHECKING:
    from pathlib import Path


#: Where a native label stands for several labels, the first of these wins.
PRIORITY: Final = (Label.GENE, Label.SPECIES, Label.DISEASE)


class UnknownLabelError(LookupError):
    """A native label is not in the vocabulary of its corpus.

    Args:
        native: The label.
        expected: The vocabulary, in words.
        advice: What to do.
    """

    def __init__(self, native: str, *, expected: str, advice: str) -> None:
        super().__init__(native)
        self.native = native
        self.expected = expected
        self.advice = advice


#: From a native label to ours, None for one that is known and none of the three.
#: Raises `UnknownLabelError`.
LabelMap = Callable[[str], Label | None]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The native labels of a corpus: a `LabelMap`.

    Attributes:
        labels: The label of each, None for those outside the three.
        corpus: Whose vocabulary it is, as an error names it.
    """

    labels: Mapping[str, Label | None]
    corpus: str

    def __call__(self, native: str) -> Label | None:
        """Return the label of ``native``.

        Raises:
            UnknownLabelError: It is not in the vocabulary.
        """
        try:
            return self.labels[native]
        except KeyError:
            raise UnknownLabelError(
                native,
                expected=f"a label of {self.corpus} ({', '.join(sorted(self.labels))})",
                advice="check that the file is of this corpus and release",
            ) from None


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mention as its file has it.

    Attributes:
        start: Character offset into the document's text.
        end: End, exclusive.
        native: The native label.
        surface: The text of the mention as the file repeats it; None where it does not.
        line: Line of the annotation, 1-based.
        continuous: Whether a span can say it: False for a mention in pieces.
    """

    start: int
    end: int
    native: str
    surface: str | None
    line: int
    continuous: bool = True


def assemble(
    *,
    name: str,
    article: str,
    text: str,
    passages: Sequence[tuple[int, int]],
    annotations: Iterable[Annotation],
    label_of: LabelMap,
    labels: frozenset[Label],
    path: Path,
    line: int,
    annotation_path: Path | None = None,
    doi: str | None = None,
) -> NativeDocument:
    """Check the annotations of a document and map their labels.

    A mention in pieces is no span, and its covering range would call words a mention that
    the annotator left out: it is counted under ``unmapped`` as "LABEL (discontinuous)".

    Args:
        name: Identifier of the document.
        article: Article that it belongs to.
        text: Its text.
        passages: Character offsets; empty ones are left out.
        annotations: In the order of the file.
        label_of: From native labels to ours.
        labels: What is annotated here.
        path: File of the document.
        line: Line at which it begins.
        annotation_path: File of the annotations, if it is another.
        doi: DOI of the article, if known.

    Raises:
        CorpusError: Offsets outside the text or not matching it, or an unknown label.
    """
    where = annotation_path or path
    mentions = []
    unmapped: Counter[str] = Counter()
    for annotation in annotations:
        check_span(annotation, text, where)
        label = mapped(annotation.native, label_of, where, annotation.line)
        if label is None:
            unmapped[annotation.native] += 1
        elif not annotation.continuous:
            unmapped[f"{annotation.native} (discontinuous)"] += 1
        else:
            mentions.append(Mention(annotation.start, annotation.end, label))
    return NativeDocument(
        id=name,
        article=article,
        text=text,
        passages=tuple((start, end) for start, end in passages if start < end),
        mentions=tuple(mentions),
        labels=labels,
        unmapped=tuple(sorted(unmapped.items())),
        path=path,
        line=line,
        doi=doi,
    )


def check_span(annotation: Annotation, text: str, path: Path) -> None:
    """Check that an annotation lies in ``text`` and says what stands there.

    Raises:
        CorpusError: It does not.
    """
    start, end = annotation.start, annotation.end
    if not 0 <= start < end <= len(text):
        raise CorpusError(
            path,
            annotation.line,
            expected=f"offsets with 0 <= start < end <= {len(text)} (characters of the text)",
            found=f"start={start}, end={end}",
            advice="correct the offsets: characters from 0, end exclusive",
        )
    if annotation.continuous and annotation.surface is not None and text[start:end] != annotation.surface:
        raise CorpusError(
            path,
            annotation.line,
            expected=f"{annotation.surface!r} at {start}-{end}",
            found=repr(text[start:end]),
            advice="correct the offsets: characters from 0, end exclusive",
        )


def mapped(native: str, label_of: LabelMap, path: Path, line: int) -> Label | None:
    """Return the label of ``native``, which stands at ``path``:``line``.

    Raises:
        CorpusError: It is unknown.
    """
    try:
        return label_of(native)
    except UnknownLabelError as error:
        raise CorpusError(
            path, line, expected=error.expected, found=f"the label {error.native!r}", advice=error.advice
        ) from error


def labels_used(natives: Iterable[str], label_of: LabelMap) -> frozenset[Label]:
    """Return the labels that occur among ``natives``, reading no further than needed.

    A label without a single mention in a whole release is taken as not annotated there,
    so unknown and not absent. Unknown native labels are passed over: reading reports them.
    """
    seen: set[str] = set()
    found: set[Label] = set()
    for native in natives:
        if native in seen:
            continue
        seen.add(native)
        try:
            label = label_of(native)
        except UnknownLabelError:
            continue
        if label is not None:
            found.add(label)
            if len(found) == len(Label):
                break
    return frozenset(found)


def whole_number(value: str | None, what: str, path: Path, line: int) -> int:
    """Return ``value`` as a whole number.

    Raises:
        CorpusError: It is none.
    """
    if value is None or not value.isascii() or not value.isdigit():
        raise CorpusError(
            path, line, expected=f"a whole number as {what}", found=repr(value), advice="correct the annotation"
        )
    return int(value)


def repeated(name: str, path: Path, line: int) -> CorpusError:
    """Return the error for a document id that was there before."""
    return CorpusError(
        path,
        line,
        expected="each document id once",
        found=f"{name!r} again",
        advice="remove or rename one of the two documents",
    )


def nothing(path: Path, what: str) -> CorpusError:
    """Return the error for a corpus without a document."""
    return CorpusError(path, None, expected=f"at least one {what}", found="none", advice="fetch the corpus again")
