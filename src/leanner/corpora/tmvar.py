"""tmVar 3.0 (Wei et al., Bioinformatics 2022): one PubTator file of 500 abstracts.

Copies with DISEASE mentions and copies without are both about: a label without a single
mention in the whole file is unknown there, not absent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import Vocabulary
from leanner.corpora.annotation import labels_used
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.corpora.pubtator import native_labels
from leanner.corpora.pubtator import read_pubtator
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.corpora.bad import BadDocuments


NAME: Final = "tmvar"
LAYOUT: Final = "tmVar3Corpus.txt"

LABELS: Final = Vocabulary(
    {
        "Gene": Label.GENE,
        "Species": Label.SPECIES,
        "Disease": Label.DISEASE,
        **dict.fromkeys(("AcidChange", "CellLine", "DNAAllele", "DNAMutation")),
        **dict.fromkeys(("OtherMutation", "ProteinAllele", "ProteinMutation", "SNP")),
    },
    "tmVar 3.0",
)

# In this one document the offsets run ahead of the text, from one character
# early in the abstract to six at the end, for genes (whose true offsets are published) and diseases
# alike; the other 499 are clean.
_DRIFTING: Final = "21904390"
_DRIFT: Final = 6


def recognise(folder: Path) -> bool:
    """Whether ``folder`` holds the file of the release."""
    return (folder / LAYOUT).is_file()


def read(folder: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read the release.

    Raises:
        CorpusError: The folder does not hold it.
    """
    path = folder / LAYOUT
    if not path.is_file():
        raise CorpusError(
            folder,
            None,
            expected=f"tmVar 3.0 ({LAYOUT})",
            found="no such file",
            advice="name the folder that the file lies in",
        )
    labels = labels_used(native_labels(path), LABELS)
    yield from read_pubtator(path, bad, label_of=LABELS, labels=labels, correct=_correct)


def _correct(name: str, text: str, annotation: Annotation) -> Annotation:
    if name != _DRIFTING or annotation.surface is None:
        return annotation
    for shift in range(_DRIFT + 1):
        start, end = annotation.start - shift, annotation.end - shift
        if text[start:end] == annotation.surface:
            return replace(annotation, start=start, end=end)
    return annotation
