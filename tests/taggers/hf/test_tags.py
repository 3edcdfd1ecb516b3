from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from transformers import TokenClassificationPipeline

from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.label_map import LabelMap
from leanner.taggers.hf.label_map import Meaning
from leanner.taggers.hf.tags import Tag
from leanner.taggers.hf.tags import entity_types
from leanner.taggers.hf.tags import read_tags
from leanner.types import Label


GENE, SPECIES, DISEASE = Label.GENE, Label.SPECIES, Label.DISEASE
O = Tag("O", "O", None)  # noqa: E741 - it is called so


def mapped(**meanings: Meaning) -> LabelMap:
    return LabelMap(Path("labels.toml"), meanings)


@pytest.mark.parametrize(
    ("labels", "tags"),
    [
        (["O", "B-Gene", "I-Gene"], [O, Tag("B", "Gene", GENE), Tag("I", "Gene", GENE)]),
        (["I-DISEASE", "O"], [Tag("I", "DISEASE", DISEASE), O]),
        (
            ["B-GENE/PROTEIN", "I-GENE/PROTEIN", "O"],
            [Tag("B", "GENE/PROTEIN", GENE), Tag("I", "GENE/PROTEIN", GENE), O],
        ),
        (["O", "B_gene", "I_gene"], [O, Tag("B", "gene", GENE), Tag("I", "gene", GENE)]),
        (["Gene-B", "Gene-I", "O"], [Tag("B", "Gene", GENE), Tag("I", "Gene", GENE), O]),
        (["Species_B", "Species_I", "O"], [Tag("B", "Species", SPECIES), Tag("I", "Species", SPECIES), O]),
        (
            ["O", *(f"{letter}-Disease" for letter in "BIES")],
            [O, *(Tag(letter, "Disease", DISEASE) for letter in "BIES")],
        ),
        (
            ["O", *(f"{letter}-Disease" for letter in "BILU")],
            [O, *(Tag(letter, "Disease", DISEASE) for letter in "BIES")],
        ),
        (["O", "Gene", "SPECIES"], [O, Tag("I", "Gene", GENE), Tag("I", "SPECIES", SPECIES)]),
        # Names that only look like a scheme.
        (["O", "E-Gene", "S-phase"], [O, Tag("I", "E-Gene", None), Tag("I", "S-phase", None)]),
        (["O", "phase_S", "phase_E"], [O, Tag("I", "phase_S", None), Tag("I", "phase_E", None)]),
        # One scheme need not have all labels.
        (
            ["O", "B-Gene", "I-Gene", "Disease"],
            [O, Tag("B", "Gene", GENE), Tag("I", "Gene", GENE), Tag("I", "Disease", DISEASE)],
        ),
        (["B", "I", "O"], [Tag("B", "", None), Tag("I", "", None), O]),
        (
            ["[PAD]", "B", "I", "O", "X"],
            [Tag("I", "[PAD]", None), Tag("B", "", None), Tag("I", "", None), O, Tag("I", "X", None)],
        ),
        (["LABEL_0", "LABEL_1"], [Tag("I", "LABEL_0", None), Tag("I", "LABEL_1", None)]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value[0], str) else "",
)
def test_how_labels_are_read(labels: list[str], tags: list[Tag]) -> None:
    assert list(read_tags(labels)) == tags


@pytest.mark.parametrize(
    "labels", [["O", "B-Gene", "I-Gene", "B-Disease"], ["O", "Gene", "SPECIES"], ["B-cell", "T-cell"]]
)
def test_letters_and_types_of_bio_and_io_are_those_of_the_pipeline(labels: list[str]) -> None:
    for label, tag in zip(labels, read_tags(labels), strict=True):
        letter, kind = TokenClassificationPipeline.get_tag(SimpleNamespace(), label)  # type: ignore[arg-type]
        assert kind == tag.kind
        assert letter == ("I" if tag.letter == "O" else tag.letter)


def test_a_map_says_what_types_are() -> None:
    labels = ["O", "B-GGP_x", "I-GGP_x", "B-Gene", "I-Gene"]
    tags = read_tags(labels, mapped(GGP_x=Meaning(GENE), Gene=Meaning(None)))
    assert tags == (O, Tag("B", "GGP_x", GENE), Tag("I", "GGP_x", GENE), Tag("B", "Gene", None), Tag("I", "Gene", None))
    assert entity_types(labels, tags) == {"GGP_x": GENE, "Gene": None}


def test_a_map_gives_labels_without_a_meaning_one() -> None:
    labels = ["LABEL_0", "LABEL_1", "LABEL_2"]
    tags = read_tags(labels, mapped(LABEL_1=Meaning(DISEASE, "B"), LABEL_2=Meaning(DISEASE, "I")))
    assert tags == (Tag("I", "LABEL_0", None), Tag("B", "DISEASE", DISEASE), Tag("I", "DISEASE", DISEASE))


def test_a_map_names_the_type_of_bare_letters() -> None:
    labels = ["B", "I", "O"]
    tags = read_tags(labels, mapped(B=Meaning(GENE), I=Meaning(GENE)))
    assert tags == (Tag("B", "", GENE), Tag("I", "", GENE), O)
    assert entity_types(labels, tags) == {"B": GENE, "I": GENE}
    unnamed = read_tags(labels, mapped(B=Meaning(GENE, "U"), I=Meaning(GENE, "L")))
    assert unnamed[:2] == (Tag("S", "GENE", GENE), Tag("E", "GENE", GENE))


def test_a_map_of_something_else_is_refused() -> None:
    with pytest.raises(TaggerError, match=r"labels\.toml: expected .*\(B-Gene, Gene, I-Gene, O\), found 'gene'; spell"):
        read_tags(["O", "B-Gene", "I-Gene"], mapped(gene=Meaning(GENE)))
