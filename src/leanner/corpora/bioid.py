"""Bio-ID (BioCreative VI, track 1; Arighi et al. 2017): figure captions in BioC XML.

A document is the caption of a panel, its article the ``pmc_id``. Offsets count UTF-8
bytes. Where the captions have no annotations (``caption_bioc_unannotated``), the mentions
come from ``annotations.csv``, whose offsets count characters.

GENE is Uniprot, NCBI gene, "protein" and "gene"; SPECIES is NCBI taxon and "organism".
GO is a component of the cell and no gene. Diseases were not annotated.
"""

from __future__ import annotations

import csv

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import PRIORITY
from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import Vocabulary
from leanner.corpora.annotation import assemble
from leanner.corpora.annotation import repeated
from leanner.corpora.annotation import whole_number
from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.bioc_elements import Element
from leanner.corpora.bioc_elements import document_elements
from leanner.corpora.bioc_xml import document_id
from leanner.corpora.bioc_xml import joined
from leanner.corpora.bioc_xml import native_labels
from leanner.corpora.bioc_xml import read_bioc
from leanner.corpora.bioc_xml import text_parts
from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint
from leanner.corpora.lines import decode
from leanner.corpora.lines import raw_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path


NAME: Final = "bioid"
LAYOUT: Final = "caption_bioc/*.xml, or annotations.csv with caption_bioc_unannotated/*.xml"

ANNOTATED: Final = frozenset({Label.GENE, Label.SPECIES})

_VOCABULARY: Final = Vocabulary(
    {
        **dict.fromkeys(("Uniprot", "NCBI gene", "protein", "gene"), Label.GENE),
        **dict.fromkeys(("NCBI taxon", "organism"), Label.SPECIES),
        **dict.fromkeys(("BAO", "CHEBI", "CL", "CVCL", "Corum", "GO", "PubChem", "Rfam", "Uberon")),
        **dict.fromkeys(("cell", "molecule", "subcellular", "tissue")),
    },
    "Bio-ID",
)

#: What ``annotations.csv`` says, by article and figure.
_Rows = dict[tuple[str, str], list[Annotation | CorpusError]]

_COLUMNS: Final = ("don_article", "figure", "first left", "last right", "text", "obj")


def label_of(native: str) -> Label | None:
    """Return the label of databases joined by ``|``.

    Raises:
        UnknownLabelError: A database is not one of Bio-ID's.
    """
    labels = {_VOCABULARY(database) for database in native.split("|")}
    return next((label for label in PRIORITY if label in labels), None)


def databases(identifiers: str) -> str:
    """Return the databases of ``Uniprot:P00731|Uniprot:P19223|NCBI gene:1``: ``NCBI gene|Uniprot``."""
    return "|".join(sorted({_database(identifier) for identifier in identifiers.split("|")}))


def recognise(folder: Path) -> bool:
    """Whether ``folder`` holds the captions of a release."""
    return bool(_captions(folder, "caption_bioc")) or (
        (folder / "annotations.csv").is_file() and bool(_captions(folder, "caption_bioc_unannotated"))
    )


def read(folder: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read a release, in the order of the file names.

    Raises:
        CorpusError: The folder does not hold it.
    """
    captions = _captions(folder, "caption_bioc")
    table = folder / "annotations.csv"
    known = FingerprintSet()
    if captions and not (table.is_file() and _without_annotations(captions)):
        for path in captions:
            yield from read_bioc(
                path,
                bad,
                label_of=label_of,
                native_of=databases,
                labels=ANNOTATED,
                unit="bytes",
                known=known,
                article_of=partial(_article, path),
                doi_of=_doi,
            )
        return
    captions = captions or _captions(folder, "caption_bioc_unannotated")
    if not captions or not table.is_file():
        raise CorpusError(
            folder,
            None,
            expected=f"Bio-ID ({LAYOUT})",
            found="annotations.csv without the captions" if table.is_file() else "no such files",
            advice="name the folder that `caption_bioc` lies in",
        )
    yield from _read_with_table(captions, table, known, bad)


def _captions(folder: Path, name: str) -> list[Path]:
    # The archive has hidden files beside the captions.
    return sorted(path for path in (folder / name).glob("*.xml") if not path.name.startswith("."))


def _without_annotations(captions: list[Path]) -> bool:
    return next((native for path in captions for native in native_labels(path)), None) is None


def _database(identifier: str) -> str:
    # Cellosaurus identifiers stand without their database.
    return "CVCL" if identifier.startswith("CVCL_") else identifier.partition(":")[0]


def _article(path: Path, element: Element) -> str:
    return element.infon("pmc_id") or path.stem


def _doi(element: Element) -> str | None:
    return element.infon("doi") or None


def _figure(element: Element) -> str:
    # The table names the figure as `sourcedata_figure_dir` does, which is `figure` without spaces.
    return element.infon("sourcedata_figure_dir") or (element.infon("figure") or "").replace(" ", "_")


def _read_with_table(
    captions: list[Path], table: Path, known: FingerprintSet, bad: BadDocuments
) -> Iterator[NativeDocument]:
    rows = _rows(table, bad)
    articles: set[str] = set()
    for path in captions:
        build = partial(_document_with_rows, rows, known, table, path)
        for document in read_each(document_elements(path), build, bad):
            articles.add(document.article)
            yield document
    # The table may speak of more articles than there are captions of, but not of more figures of these.
    left = {place: entries for place, entries in rows.items() if place[0] in articles}
    if left and not bad.errors:
        (article, figure), entries = next(iter(left.items()))
        bad.report(
            CorpusError(
                table,
                entries[0].line,
                expected=f"the caption of {figure} of article {article}",
                found=f"none, and so for {len(left)} figures of the table",
                advice="fetch the captions again",
            )
        )


def _document_with_rows(
    rows: _Rows, known: FingerprintSet, table: Path, path: Path, element: Element
) -> NativeDocument:
    name = document_id(element, path)
    parts = text_parts(element, path)
    article = _article(path, element)
    document = assemble(
        name=name,
        article=article,
        text=joined(parts),
        passages=[(part.start, part.start + len(part.text)) for part in parts],
        annotations=_good(rows.pop((article, _figure(element)), ())),
        label_of=label_of,
        labels=ANNOTATED,
        path=path,
        line=element.line,
        annotation_path=table,
        doi=_doi(element),
    )
    if not known.add(fingerprint(name)):
        raise repeated(name, path, element.line)
    return document


def _good(entries: Iterable[Annotation | CorpusError]) -> Iterator[Annotation]:
    for entry in entries:
        if isinstance(entry, CorpusError):
            raise entry
        yield entry


def _rows(table: Path, bad: BadDocuments) -> _Rows:
    """Return the annotations of ``annotations.csv`` by article and figure.

    A bad row stands as its error, so that it costs its caption: without the row, a mention
    of the caption would be called absent.
    """
    rows: _Rows = defaultdict(list)
    undecodable: dict[int, CorpusError] = {}
    reader = csv.reader(_decoded(table, undecodable))
    header = next(reader, [])
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise CorpusError(
            table,
            1,
            expected=f"the columns {', '.join(_COLUMNS)}",
            found=f"none named {', '.join(missing)}",
            advice="check that the file is Bio-ID's",
        )
    at = {column: header.index(column) for column in _COLUMNS}
    for row in filter(None, reader):
        line = reader.line_num
        try:
            if line in undecodable:
                raise undecodable.pop(line)
            entry: Annotation | CorpusError = _annotation(at, len(header), table, row, line)
        except CorpusError as error:
            entry = error
        if len(row) > max(at["don_article"], at["figure"]):
            rows[row[at["don_article"]], row[at["figure"]]].append(entry)
        elif isinstance(entry, CorpusError):
            bad.report(entry)
    return rows


def _decoded(table: Path, undecodable: dict[int, CorpusError]) -> Iterator[str]:
    for number, raw in raw_lines(table):
        try:
            yield decode(raw, table, number)
        except CorpusError as error:
            undecodable[number] = error
            yield raw.decode("utf-8", "replace")


def _annotation(at: dict[str, int], columns: int, table: Path, row: list[str], line: int) -> Annotation:
    if len(row) != columns:
        raise CorpusError(table, line, expected=f"{columns} columns", found=f"{len(row)}", advice="correct the row")
    start = whole_number(row[at["first left"]], "first left", table, line)
    end = whole_number(row[at["last right"]], "last right", table, line)
    return Annotation(start, end, databases(row[at["obj"]]), row[at["text"]], line)
