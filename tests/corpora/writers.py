"""Writers of the native formats, for tests that write and re-read: none shares code with the readers."""

from __future__ import annotations

import csv
import gzip
import io
import json

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bioc

from bioc import biocxml
from hypothesis import strategies as st


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Text:
    """A document to write: mentions are ``(start, end, native label)`` in characters of ``text``."""

    name: str
    text: str
    mentions: tuple[tuple[int, int, str], ...] = ()
    #: Where the title ends, for formats that have one; a space stands there.
    title_end: int = 0


# Letters of one to four bytes, signs, and line ends that only Python's splitlines() knows.
_WORDS = st.text(alphabet="abYZ07βΔ−é中🧬.()/-\u2028\u0085\u200e", min_size=1, max_size=8)


@st.composite
def texts(draw: st.DrawFn, natives: Sequence[str], *, on_words: bool = False) -> list[Text]:
    """Up to four documents of words joined by spaces, with mentions that may overlap (never if ``on_words``)."""
    words = st.text(alphabet="abYZ07βΔé中", min_size=1, max_size=8) if on_words else _WORDS
    documents = []
    for number in range(draw(st.integers(1, 4))):
        tokens = draw(st.lists(words, min_size=2, max_size=12))
        text = " ".join(tokens)
        title_words = draw(st.integers(1, len(tokens) - 1))
        if on_words:
            mentions = _on_words(tokens, draw(st.lists(st.sampled_from(["", *natives]), max_size=12)))
        else:
            ends = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text)))
            spans = draw(st.lists(ends.filter(lambda span: span[0] < span[1]), max_size=6))
            mentions = tuple((*span, draw(st.sampled_from(natives))) for span in spans)
        documents.append(Text(str(1000 + number), text, mentions, len(" ".join(tokens[:title_words]))))
    return documents


def _on_words(tokens: list[str], natives: list[str]) -> tuple[tuple[int, int, str], ...]:
    mentions = []
    position = 0
    for token, native in zip(tokens, natives, strict=False):
        if native:
            mentions.append((position, position + len(token), native))
        position += len(token) + 1
    return tuple(mentions)


def pubtator(documents: Iterable[Text]) -> str:
    """PubTator; the title ends at ``title_end``."""
    blocks = []
    for document in documents:
        title, abstract = document.text[: document.title_end], document.text[document.title_end + 1 :]
        lines = [f"{document.name}|t|{title}", f"{document.name}|a|{abstract}"]
        for start, end, native in document.mentions:
            lines.append("\t".join([document.name, str(start), str(end), document.text[start:end], native, "C1"]))
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def medmentions(folder: Path, documents: Iterable[Text], release: str = "full") -> Path:
    """The layout of MedMentions; returns the file."""
    path = folder / release / "data" / "corpus_pubtator.txt.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(pubtator(documents).encode()))
    return path


def brat(folder: Path, documents: Iterable[Text]) -> None:
    """A text file and an annotation file a document."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        (folder / f"{document.name}.txt").write_bytes(document.text.encode())
        lines = [
            f"T{number}_x\t{native} {start} {end}\t{document.text[start:end]}\n"
            for number, (start, end, native) in enumerate(document.mentions)
        ]
        (folder / f"{document.name}.ann").write_bytes("".join([*lines, "R1\thas Arg1:T1 Arg2:T2\n"]).encode())


def bioc_xml(documents: Iterable[Text], unit: str, *, annotated: bool = True) -> str:
    """BioC XML by the package `bioc`: title and abstract are passages with offsets of their own."""
    collection = bioc.BioCCollection()
    collection.source, collection.date, collection.key = "SourceData", "0", "k"
    for document in documents:
        entry = bioc.BioCDocument()
        entry.id = document.name
        entry.infons = {"pmc_id": f"9{document.name}", "sourcedata_figure_dir": "Figure_1"}
        passage = bioc.BioCPassage()
        passage.offset = 7  # as if a title of seven characters stood before
        passage.text = document.text
        for number, (start, end, native) in enumerate(document.mentions if annotated else ()):
            annotation = bioc.BioCAnnotation()
            annotation.id = str(number)
            annotation.infons["type"] = native
            annotation.text = document.text[start:end]
            before, within = document.text[:start], document.text[start:end]
            if unit == "bytes":
                location = bioc.BioCLocation(7 + len(before.encode()), len(within.encode()))
            else:
                location = bioc.BioCLocation(7 + len(before), len(within))
            annotation.add_location(location)
            passage.add_annotation(annotation)
        entry.add_passage(passage)
        collection.add_document(entry)
    written: str = biocxml.dumps(collection)
    return written


def annotations_csv(documents: Iterable[Text]) -> str:
    """The table of Bio-ID, in characters."""
    columns = [
        "thomas_article",
        "doi",
        "don_article",
        "figure",
        "annot id",
        "paper id",
        "first left",
        "last right",
        "length",
        "byte length",
        "left alphanum",
        "text",
        "right alphanum",
        "obj",
        "overlap",
        "identical span",
        "overlap_label_count",
    ]
    file = io.StringIO()
    table = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    table.writeheader()
    for document in documents:
        for start, end, native in document.mentions:
            row = {"don_article": f"9{document.name}", "figure": "Figure_1", "first left": start, "last right": end}
            table.writerow(row | {"text": document.text[start:end], "obj": native})
    return file.getvalue()


def token_rows(documents: Iterable[Text]) -> str:
    """SourceData's token rows; mentions must be on words."""
    rows = []
    for document in documents:
        words = document.text.split(" ")
        row = {"words": words, "labels": _tags(document), "is_category": [0] * len(words), "text": document.text}
        rows.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(rows)


def article_rows(documents: Iterable[Text], lead: str = "") -> str:
    """SourceData's documents, one panel each; ``lead`` stands before the text and is not counted by the offsets."""
    rows = []
    for document in documents:
        tags = [
            {"entity_type": native, "category": "entity", "text": document.text[start:end], "in_caption": True}
            | {"local_offsets": [start, end]}
            for start, end, native in document.mentions
        ]
        panel = {"panel_id": "p1", "text": lead + document.text, "tags": tags}
        row = {"doi": f"10.1/{document.name}", "abstract": "", "figures": [{"fig_id": "f", "panels": [panel]}]}
        rows.append(json.dumps(row) + "\n")
    return "".join(rows)


def conll(documents: Iterable[Text]) -> str:
    """CoNLL with two columns, a sentence a document; mentions must be on words."""
    blocks = []
    for document in documents:
        words = document.text.split(" ")
        lines = [f"{word}\t{tag}\n" for word, tag in zip(words, _tags(document), strict=True)]
        blocks.append(f"# doc_id = {document.name}\n" + "".join(lines))
    return "\n".join(blocks)


def _tags(document: Text) -> list[str]:
    tags = []
    position = 0
    starts = {start: native for start, _, native in document.mentions}
    for word in document.text.split(" "):
        tags.append(f"B-{starts[position]}" if position in starts else "O")
        position += len(word) + 1
    return tags
