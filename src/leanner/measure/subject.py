"""What cases are measured on: the corpus in memory, with what the record says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import Protocol

from leanner.corpora.load import BUNDLED
from leanner.corpora.load import load_corpus
from leanner.measure.timed import TimedPart
from leanner.measure.timed import timed_part
from leanner.report.record import CorpusInfo


if TYPE_CHECKING:
    from leanner.types import Document


#: Begin of the note of a document that is not in the corpus.
LEFT_OUT: Final = "a bad document was left out"


class TextOptions(Protocol):
    """What ``leanner.options.Options`` says of the text; the names are explained there."""

    @property
    def corpora(self) -> tuple[str, ...]:
        """Where corpora lie; the bundled one if it is empty."""
        ...

    @property
    def sentences(self) -> int | None:
        """About how many of them; all if ``None``."""
        ...

    @property
    def round_sentences(self) -> int:
        """About how many of them a round tags; all if 0."""
        ...

    @property
    def seed(self) -> int:
        """Of both samples."""
        ...

    @property
    def on_bad_document(self) -> str:
        """``error`` or ``skip``."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Documents that every case tags.

    Attributes:
        documents: In memory, so that no round reads files. F1 is of all of them.
        info: For the record; its name is ``bundled`` for the bundled corpus alone.
        quality: What a reader must know of the text.
        timed: What every round tags.
    """

    documents: tuple[Document, ...]
    info: CorpusInfo
    quality: tuple[str, ...]
    timed: TimedPart


def load_subject(options: TextOptions) -> Subject:
    """Read the corpora of ``options``.

    Raises:
        CorpusError: A file is not what its format promises.
        ValueError: There is no text in them.
    """
    merged = load_corpus(
        options.corpora,
        sentences=options.sentences,
        seed=options.seed,
        on_bad_document="skip" if options.on_bad_document == "skip" else "error",
    )
    documents = tuple(merged)
    statistics = merged.statistics()
    total = statistics.total
    if not total.sentences:
        raise ValueError(f"expected text in {merged.name}, found no sentence")
    bundled = tuple(options.corpora or (BUNDLED,)) == (BUNDLED,)
    info = CorpusInfo(
        name=BUNDLED if bundled else merged.name,
        sha256=merged.sha256(),
        sentences=total.sentences,
        tokens=total.words,
        mentions=sum(total.mentions.values()),
        articles=total.articles,
    )
    timed = timed_part(documents, options.round_sentences, options.seed)
    return Subject(documents, info, _quality(statistics.errors), timed)


def _quality(errors: Sequence[Exception]) -> tuple[str, ...]:
    if not errors:
        return ()
    return tuple(f"{LEFT_OUT}: {error}" for error in errors)
