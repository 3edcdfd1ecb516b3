"""The Variome corpus (Verspoor et al., Database 2013): BRAT, paragraphs of full-text articles.

Files are named by article: ``PMCID-serial-section-paragraph``. GENE is "gene", DISEASE is
"disease" and "Disorder"; this release has no species type, so SPECIES is unknown.
"""

from __future__ import annotations

import re

from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import Vocabulary
from leanner.corpora.brat import read_brat
from leanner.corpora.brat import without_text
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.corpora.bad import BadDocuments


NAME: Final = "variome"
LAYOUT: Final = "data/*.{txt,ann}"

LABELS: Final = Vocabulary(
    {
        "gene": Label.GENE,
        "disease": Label.DISEASE,
        "Disorder": Label.DISEASE,
        **dict.fromkeys(("Concepts_Ideas", "Phenomena", "Physiology", "age", "body-part", "characteristic")),
        **dict.fromkeys(("cohort-patient", "ethnicity", "gender", "mutation", "patient", "size")),
    },
    "Variome",
)

_NAME: Final = re.compile(r"(\d+)-\d+-.+-p\d+")


def recognise(folder: Path) -> bool:
    """Whether ``folder`` holds text files named as the release names them, annotations beside them."""
    return any(path.with_suffix(".ann").is_file() for path in _texts(folder))


def read(folder: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read the release, in the order of the file names.

    Raises:
        CorpusError: The folder does not hold it.
    """
    texts = _texts(folder)
    if not texts:
        raise CorpusError(
            folder,
            None,
            expected=f"Variome ({LAYOUT}, named PMCID-serial-section-paragraph)",
            found="no such files",
            advice="name the folder that `data` lies in",
        )
    for error in without_text(_named(folder, "*.ann")):
        bad.report(error)
    yield from read_brat(
        texts,
        bad,
        label_of=LABELS,
        labels=frozenset({Label.GENE, Label.DISEASE}),
        name_of=lambda path: path.stem,
        article_of=lambda path: path.stem.split("-")[0],
    )


def _texts(folder: Path) -> list[Path]:
    return _named(folder, "*.txt")


def _named(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in (folder / "data").glob(pattern) if _NAME.fullmatch(path.stem))
