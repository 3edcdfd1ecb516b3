"""A user's own corpus: PubTator, BRAT, BioC XML or CoNLL, in one file or a folder of them."""

from __future__ import annotations

import re

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora import bioc_xml
from leanner.corpora import brat
from leanner.corpora import conll
from leanner.corpora import pubtator
from leanner.corpora.annotation import labels_used
from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.label_file import FILE_NAME
from leanner.corpora.label_file import Format
from leanner.corpora.label_file import LabelFile
from leanner.corpora.label_file import label_file
from leanner.corpora.lines import raw_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from collections.abc import Iterator

    from leanner.corpora.bad import BadDocuments
    from leanner.types import Label


_ENDINGS: Final[dict[Format, frozenset[str]]] = {
    "pubtator": frozenset({".pubtator", ".txt"}),
    "brat": frozenset({".txt"}),
    "bioc": frozenset({".xml", ".bioc"}),
    "conll": frozenset({".conll", ".bio", ".iob", ".iob2", ".bioes", ".iobes", ".tsv", ".txt"}),
}
_TITLE: Final = re.compile(rb"[^|\t]+\|t\|")
_TAGGED: Final = re.compile(rb"\S.*[\t ](?:O|[BIES]-\S+)|-DOCSTART-.*|#.* = .*")


def read_custom(name: str, path: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read the corpus ``name`` at ``path``, a file or a folder, by the label map beside or in it.

    A label is annotated if ``annotated`` of the map lists it; without that, if a native
    label maps to it; without a map of labels, if it occurs.

    Raises:
        CorpusError: There is nothing at ``path``, its format cannot be told, or the map is wrong.
    """
    if not path.exists():
        raise CorpusError(
            path, None, expected=f"the corpus {name}", found="nothing there", advice="check the path (name=PATH)"
        )
    labels_toml = label_file(path)
    form = labels_toml.format or _recognise(name, path)
    files = _files(path, form)
    if not files:
        raise CorpusError(
            path,
            None,
            expected=f"{form} files of the corpus {name} ({', '.join(sorted(_ENDINGS[form]))})",
            found="none",
            advice=f"rename them, or name another format in {labels_toml.path}",
        )
    labels = _annotated(labels_toml, form, files)
    yield from _read(form, path, files, labels_toml=labels_toml, labels=labels, bad=bad)


def _read(
    form: Format,
    path: Path,
    files: list[Path],
    *,
    labels_toml: LabelFile,
    labels: frozenset[Label],
    bad: BadDocuments,
) -> Iterator[NativeDocument]:
    known = FingerprintSet()
    root = path if path.is_dir() else path.parent
    if form == "brat":
        for error in brat.without_text(file for file in _visible(path) if file.suffix == ".ann"):
            bad.report(error)
        name_of = partial(_name, root)
        yield from brat.read_brat(files, bad, label_of=labels_toml, labels=labels, name_of=name_of, article_of=name_of)
        return
    for file in files:
        if form == "pubtator":
            yield from pubtator.read_pubtator(
                file, bad, label_of=labels_toml, labels=labels, dialect=pubtator.LENIENT, known=known
            )
        elif form == "bioc":
            yield from bioc_xml.read_bioc(
                file, bad, label_of=labels_toml, labels=labels, unit=labels_toml.offsets, known=known
            )
        else:
            yield from conll.read_conll(
                file, bad, label_of=labels_toml, labels=labels, prefix=_name(root, file), known=known
            )


def _annotated(labels_toml: LabelFile, form: Format, files: list[Path]) -> frozenset[Label]:
    if labels_toml.annotated is not None:
        return labels_toml.annotated
    if labels_toml.labels is not None:
        return frozenset(label for label in labels_toml.labels.values() if label is not None)
    if form == "brat":
        return labels_used(brat.native_labels(files), labels_toml)
    natives = {"pubtator": pubtator.native_labels, "bioc": bioc_xml.native_labels, "conll": conll.native_labels}[form]
    return labels_used((native for file in files for native in natives(file)), labels_toml)


def _recognise(name: str, path: Path) -> Format:
    for form in ("brat", "bioc", "pubtator", "conll"):
        if any(_is(form, file) for file in _files(path, form)[: None if form == "brat" else 1]):
            return form
    raise CorpusError(
        path,
        None,
        expected=f"PubTator, BRAT, BioC XML or CoNLL files of the corpus {name}",
        found="none that begins like one of them",
        advice=f'write format = "…" into {(path if path.is_dir() else path.parent) / FILE_NAME}',
    )


def _is(form: Format, file: Path) -> bool:
    if form == "brat":
        return _ending(file) == ".txt" and file.with_suffix(".ann").is_file()
    first = _first_line(file)
    if form == "bioc":
        return first.startswith(b"<")
    return (_TITLE if form == "pubtator" else _TAGGED).match(first) is not None


def _first_line(file: Path) -> bytes:
    try:
        return next((line.strip() for _, line in raw_lines(file) if line.strip()), b"")
    except CorpusError:
        return b""  # damaged before its first line: nothing to tell its format by


def _files(path: Path, form: Format) -> list[Path]:
    return [path] if path.is_file() else [file for file in _visible(path) if _ending(file) in _ENDINGS[form]]


def _visible(path: Path) -> list[Path]:
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and not file.name.upper().startswith(("README", "LICEN"))
    )


def _ending(file: Path) -> str:
    return Path(file.stem).suffix.lower() if file.suffix == ".gz" else file.suffix.lower()


def _name(root: Path, file: Path) -> str:
    return file.relative_to(root).with_suffix("").as_posix()
