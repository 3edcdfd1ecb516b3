"""How taggers call genes, species and diseases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leanner.types import Label


#: Names of entity types, lower case, letters only. Taggers differ in case and number.
LABEL_NAMES: Final[Mapping[str, Label]] = {
    "gene": Label.GENE,
    "genes": Label.GENE,
    "geneorgeneproduct": Label.GENE,
    "geneorprotein": Label.GENE,
    "geneprod": Label.GENE,
    "geneproduct": Label.GENE,
    "geneprotein": Label.GENE,
    "genetic": Label.GENE,
    "ggp": Label.GENE,
    "protein": Label.GENE,
    "proteins": Label.GENE,
    "species": Label.SPECIES,
    "organism": Label.SPECIES,
    "organisms": Label.SPECIES,
    "organismtaxon": Label.SPECIES,
    "disease": Label.DISEASE,
    "diseases": Label.DISEASE,
    "diseasedisorder": Label.DISEASE,
    "diseaseorphenotypicfeature": Label.DISEASE,
}


def plain(name: str) -> str:
    """Return the letters of ``name`` in lower case, as ``LABEL_NAMES`` has them."""
    return "".join(character for character in name.casefold() if character.isalpha())


def missing_note(name: str, missing: tuple[Label, ...], found: frozenset[str]) -> str:
    """Return what a reader must know of a tagger without some label.

    Args:
        name: The tagger's.
        missing: The labels that it cannot give.
        found: Its entity types, as it names them.
    """
    types = ", ".join(sorted(found)) or "none"
    return (
        f"{name} has no label for {' and '.join(missing)} (its entity types: {types}): not scored, so its micro F1 "
        "does not compare with that of a tagger that has all three"
    )
