from __future__ import annotations

import pytest

from leanner.taggers.entity_names import LABEL_NAMES
from leanner.taggers.entity_names import missing_note
from leanner.taggers.entity_names import plain
from leanner.types import Label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("GENE/PROTEIN", Label.GENE),
        ("Gene_or_gene_product", Label.GENE),
        ("GENEPROD", Label.GENE),
        ("OrganismTaxon", Label.SPECIES),
        ("Organism", Label.SPECIES),
        ("Disease_disorder", Label.DISEASE),
        ("Organism_substance", None),
        ("Cancer", None),
        ("DNA", None),
    ],
)
def test_names_in_the_wild(name: str, label: Label | None) -> None:
    assert LABEL_NAMES.get(plain(name)) == label


def test_every_name_is_as_it_is_looked_up() -> None:
    assert all(plain(name) == name for name in LABEL_NAMES)


def test_what_is_missing_is_said_with_what_is_there() -> None:
    note = missing_note("mine", (Label.GENE, Label.DISEASE), frozenset({"b", "a"}))
    assert note.startswith("mine has no label for GENE and DISEASE (its entity types: a, b): not scored")
    assert "entity types: none" in missing_note("mine", (Label.GENE,), frozenset())
