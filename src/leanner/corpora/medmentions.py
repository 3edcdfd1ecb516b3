"""MedMentions (Mohan & Li, AKBC 2019), the full release: PubTator with UMLS semantic types.

Only the full release can be read: st21pv folds proteins into chemicals, genes into
anatomy and diseases into normal biologic functions.

A mention with several types ("T116,T123") counts by those that map; if they map to
several labels, GENE wins before SPECIES before DISEASE. A label without a mention in the
whole release is unknown there: the official one has all three.
"""

from __future__ import annotations

import re

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import PRIORITY
from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import UnknownLabelError
from leanner.corpora.annotation import labels_used
from leanner.corpora.lines import raw_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.corpora.pubtator import native_labels
from leanner.corpora.pubtator import read_pubtator
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.corpora.bad import BadDocuments


NAME: Final = "medmentions"
LAYOUT: Final = "full/data/corpus_pubtator.txt.gz"

#: Gene or genome; amino acid, peptide or protein; enzyme; receptor.
GENE_TYPES: Final = frozenset({"T028", "T116", "T126", "T192"})
#: HunFlair2's list, which is the UMLS group of disorders, without T033: "finding" is mostly no disease.
DISEASE_TYPES: Final = frozenset(
    {"T019", "T020", "T037", "T046", "T047", "T048", "T049", "T050", "T184", "T190", "T191"}
)
#: Organisms, from virus to human. Patients and participants are groups of persons (T101, T098), not species.
SPECIES_TYPES: Final = frozenset(
    {
        *("T001", "T002", "T004", "T005", "T007", "T008", "T010", "T011"),
        *("T012", "T013", "T014", "T015", "T016", "T194", "T204"),
    }
)

_TYPES_OF: Final = {Label.GENE: GENE_TYPES, Label.SPECIES: SPECIES_TYPES, Label.DISEASE: DISEASE_TYPES}
_TYPE: Final = re.compile(r"T\d{3}")

# U+200E stands before these mentions, and they were annotated from it on
# (corrected so by sg-wbi/belb too). PMID -> spans.
_EARLY: Final = {"27928244": frozenset({(480, 499), (678, 687)})}
_LEFT_TO_RIGHT_MARK: Final = "\u200e"


def recognise(folder: Path) -> bool:
    """Whether ``folder`` has the layout of a MedMentions release, st21pv included."""
    return _file(folder, "full") is not None or _file(folder, "st21pv") is not None


def read(folder: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read the full release.

    Raises:
        CorpusError: The folder holds no MedMentions, or only st21pv.
    """
    path = _file(folder, "full")
    if path is None:
        other = _file(folder, "st21pv")
        if other is not None:
            raise _refuse_st21pv(other, None)
        raise CorpusError(
            folder,
            None,
            expected=f"MedMentions ({LAYOUT})",
            found="no such file",
            advice="name the folder that `full` lies in",
        )
    _check_is_full(path)
    labels = labels_used(native_labels(path), label_of)
    yield from read_pubtator(path, bad, label_of=label_of, labels=labels, correct=_correct)


def label_of(native: str) -> Label | None:
    """Return the label of comma-separated semantic types.

    Raises:
        UnknownLabelError: One is neither a semantic type nor "UnknownType".
    """
    types = set(native.split(","))
    for semantic_type in types - {"UnknownType"}:
        if not _TYPE.fullmatch(semantic_type):
            raise UnknownLabelError(
                native,
                expected="UMLS semantic types (T116 or T116,T123) or UnknownType",
                advice="check that the file is the full release of MedMentions",
            )
    return next((label for label in PRIORITY if types & _TYPES_OF[label]), None)


def _file(folder: Path, release: str) -> Path | None:
    names = ("corpus_pubtator.txt.gz", "corpus_pubtator.txt")
    return next((path for name in names if (path := folder / release / "data" / name).is_file()), None)


def _check_is_full(path: Path) -> None:
    # Someone may keep st21pv's file under the other's name: its identifiers give it away.
    try:
        for number, raw in raw_lines(path):
            fields = raw.split(b"\t")
            if len(fields) == 6:
                if fields[5].startswith(b"UMLS:"):
                    raise _refuse_st21pv(path, number)
                return
    except CorpusError as error:
        if error.expected.startswith("MedMentions"):
            raise
        return  # damage: reading the documents meets it again and reports it


def _refuse_st21pv(path: Path, line: int | None) -> CorpusError:
    return CorpusError(
        path,
        line,
        expected="MedMentions' full release for GENE and DISEASE",
        found="st21pv, whose 21 coarse types put proteins among chemicals (T103), genes among anatomy (T017) "
        "and diseases among normal biologic functions (T038)",
        advice=f"fetch {LAYOUT}",
    )


def _correct(name: str, text: str, annotation: Annotation) -> Annotation:
    span = (annotation.start, annotation.end)
    if span not in _EARLY.get(name, ()) or text[span[0] : span[0] + 1] != _LEFT_TO_RIGHT_MARK:
        return annotation
    surface = annotation.surface and annotation.surface.removeprefix(_LEFT_TO_RIGHT_MARK)
    return replace(annotation, start=annotation.start + 1, surface=surface)
