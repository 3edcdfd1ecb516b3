"""The merged corpus: documents of several corpora in three labels, read anew on every iteration."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import Policy
from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.corpora.resolve import MergeCounts
from leanner.corpora.resolve import check
from leanner.corpora.resolve import resolve
from leanner.corpora.sample import Sample
from leanner.corpora.sample import Survey
from leanner.corpora.tally import Statistics
from leanner.corpora.tally import Tally
from leanner.corpora.twins import Twins


if TYPE_CHECKING:
    from leanner.types import Document


__all__ = ["MergeCounts", "MergedCorpus", "Source", "resolve"]


@dataclass(frozen=True, slots=True)
class Source:
    """Native files of one corpus.

    Attributes:
        name: Name of the corpus.
        read: Reads the documents, in the order of the files, handing bad ones to its argument.
    """

    name: str
    read: Callable[[BadDocuments], Iterator[NativeDocument]]


class MergedCorpus:
    """Documents of several corpora, one after the other, by name of corpus and then as the files have them.

    Nothing is kept between documents but 8-byte fingerprints, so memory stays flat however
    many there are. Every iteration reads the files again; the first complete one also gives
    `sha256` and `statistics`, which read by themselves where no iteration came before.

    Args:
        sources: The native files. Several may belong to one corpus; document ids must differ within it.
        sentences: Draw whole articles until about this many sentences are there; ``None`` takes all.
        seed: Seed of the draw.
        on_bad_document: "error" raises the first `CorpusError`, "skip" leaves the document out and lists it.

    Raises:
        ValueError: No source, or ``sentences`` below 1.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        sentences: int | None = None,
        seed: int = 0,
        on_bad_document: Policy = "error",
    ) -> None:
        if not sources:
            raise ValueError("expected at least one corpus, found none")
        if sentences is not None and sentences < 1:
            raise ValueError(f"expected a sample of at least 1 sentence, found {sentences}")
        BadDocuments(on_bad_document)  # refuses an unknown policy now, not at the first iteration
        self._sources = sorted(sources, key=lambda source: source.name)
        self._sentences = sentences
        self._seed = seed
        self._policy: Policy = on_bad_document
        self._sample: Sample | None = None
        self._known: tuple[str, Statistics] | None = None

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora, in the order of reading."""
        return tuple(dict.fromkeys(source.name for source in self._sources))

    @property
    def name(self) -> str:
        """Names of the corpora, joined by ``+``."""
        return "+".join(self.corpora)

    def __iter__(self) -> Iterator[Document]:
        """Read the files and yield the documents.

        Raises:
            CorpusError: A document is bad, or shares its id with another of its corpus, and the policy is "error".
            ValueError: The files changed since they were read first.
        """
        if self._sentences is not None and self._sample is None:
            survey = Survey(self._seed)
            for document in self._read(self._tally(), None):
                survey.add(document)
            self._sample = survey.draw(self._sentences)
        tally = self._tally()
        yield from self._read(tally, self._sample)
        digest = tally.sha256()
        if self._known is None:
            self._known = digest, tally.statistics()
        elif digest != self._known[0]:
            raise ValueError(
                f"expected {self.name} to stay as it was read first (sha256 {self._known[0]}), found {digest}; "
                "its files changed meanwhile: start again"
            )

    def sha256(self) -> str:
        """Return a digest over splitter, sample, document ids, labels, texts and spans; no path is in it."""
        return self._summary()[0]

    def statistics(self) -> Statistics:
        """Return the counts by corpus and in total."""
        return self._summary()[1]

    def _summary(self) -> tuple[str, Statistics]:
        if self._known is None:
            for _ in self:
                pass
        assert self._known is not None, "a complete iteration leaves the summary behind"
        return self._known

    def _tally(self) -> Tally:
        sampled = self._sentences is not None
        return Tally(self.corpora, {"sentences": self._sentences, "seed": self._seed if sampled else None})

    def _read(self, tally: Tally, sample: Sample | None) -> Iterator[Document]:
        twins = Twins()
        ids = FingerprintSet()
        for source in self._sources:
            bad = BadDocuments(self._policy)
            for native in source.read(bad):
                try:
                    if not ids.add(fingerprint(source.name, native.id)):
                        raise _repeated_id(source.name, native)
                    if twins.left_out(source.name, native):
                        tally.duplicate(source.name)
                        continue
                    if sample is not None and not sample.holds(source.name, native.article):
                        check(native)
                        continue
                    document, counts = resolve(native, source.name)
                except CorpusError as error:
                    bad.report(error)
                    continue
                tally.document(document, counts, native.unmapped)
                yield document
            tally.bad(source.name, bad.errors)


def _repeated_id(corpus: str, native: NativeDocument) -> CorpusError:
    return CorpusError(
        native.path,
        native.line,
        expected=f"each document id once in {corpus}",
        found=f"{native.id!r} again",
        advice="remove one of the two documents, or name the folders apart (name=PATH)",
    )
