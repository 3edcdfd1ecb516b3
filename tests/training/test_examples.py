from __future__ import annotations

import random

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from corpora.writers import Text
from corpora.writers import pubtator
from examples import ANY_FURTHER
from examples import FURTHER
from examples import FURTHER_TAGS
from examples import OUTSIDE
from examples import SOURCES
from examples import TAGS
from examples import Example
from examples import Source
from examples import documents
from examples import examples
from examples import prompt
from leanner.types import Label


if TYPE_CHECKING:
    import pytest


NOTHING_LEFT_OUT: frozenset[str] = frozenset()
GENE, SPECIES, DISEASE = Label
OWN = Source("made-up", "made-up.txt", frozenset({GENE}), full_prompt=0.0, swapped=0.0)
FULL = replace(OWN, full_prompt=1.0)

TITLE = "Loss of tumor protein p53 in mice."
MENTIONS = ((8, 25, "Gene"), (29, 33, "Species"))


def write(folder: Path, *texts: Text) -> None:
    (folder / OWN.file).write_text(pubtator(texts))


def article(name: str = "1", title: str = TITLE, mentions: tuple[tuple[int, int, str], ...] = MENTIONS) -> Text:
    return Text(name, f"{title} ", mentions, len(title))


def read(folder: Path, source: Source, seed: int = 0) -> list[Example]:
    return list(examples(folder, NOTHING_LEFT_OUT, source, random.Random(seed)))


def allowed(example: Example) -> dict[str, set[str]]:
    """Return the tags that are allowed for each word; words must differ."""
    assert len(set(example.words)) == len(example.words)
    return {
        word: {tag for index, tag in enumerate(TAGS) if mask >> index & 1}
        for word, mask in zip(example.words, example.allowed, strict=True)
    }


def further(example: Example) -> dict[str, set[str]]:
    return {
        word: {tag for index, tag in enumerate(FURTHER_TAGS) if mask >> index & 1}
        for word, mask in zip(example.words, example.further, strict=True)
    }


def tags_of(*labels: Label) -> set[str]:
    return {f"{prefix}-{label}" for label in labels for prefix in "SBEI"}


def test_prompts_are_those_of_hunflair2() -> None:
    assert prompt(frozenset(Label)) == "[ Tag diseases, genes and species ]"
    assert prompt(frozenset({DISEASE, SPECIES})) == "[ Tag diseases and species ]"
    assert prompt(frozenset({GENE})) == "[ Tag genes ]"


def test_under_its_own_prompt_what_is_not_marked_is_outside(tmp_path: Path) -> None:
    write(tmp_path, article())
    (example,) = read(tmp_path, OWN)

    assert example.prompt == "[ Tag genes ]"
    assert allowed(example) == {
        **{word: {"O"} for word in ("Loss", "of", "in", "mice", ".")},
        "tumor": {"B-GENE"},
        "protein": {"I-GENE"},
        "p53": {"E-GENE"},
    }


def test_under_the_full_prompt_it_may_be_what_the_corpus_does_not_annotate(tmp_path: Path) -> None:
    write(tmp_path, article())
    (example,) = read(tmp_path, FULL)

    assert example.prompt == "[ Tag diseases, genes and species ]"
    unknown = {"O"} | tags_of(SPECIES, DISEASE)
    assert allowed(example) == {
        **dict.fromkeys(("Loss", "of", "in", "mice", "."), unknown),
        "tumor": {"B-GENE"},
        "protein": {"I-GENE"},
        "p53": {"E-GENE"},
    }


def test_neighbours_are_shown_as_flair_shows_them(tmp_path: Path) -> None:
    title, abstract = "Loss of p53 in mice.", "It was found. Cells died of it. Others lived."
    write(tmp_path, Text("1", f"{title} {abstract}", ((8, 11, "Gene"),), len(title)), article("2"))

    def around(context: int) -> list[tuple[str, str]]:
        found = examples(tmp_path, NOTHING_LEFT_OUT, OWN, random.Random(0), context)
        return [(" ".join(example.left), " ".join(example.right)) for example in found]

    assert around(0) == [("", "")] * 5
    near = around(6)
    assert near[0] == ("", "[ Tag genes ] It was")
    assert near[1] == ("Loss of p53 in mice .", "[ Tag genes ] Cells died")
    assert near[3] == ("] Cells died of it .", "")
    # Another article's sentences are no neighbours.
    assert near[4] == ("", "")
    whole = around(100)
    assert whole[0][1] == "[ Tag genes ] It was found . [ Tag genes ] Cells died of it . [ Tag genes ] Others lived ."


def test_a_corpus_of_all_labels_leaves_nothing_open(tmp_path: Path) -> None:
    write(tmp_path, article())
    (example,) = read(tmp_path, replace(FULL, labels=frozenset(Label)))

    assert all(mask.bit_count() == 1 for mask in example.allowed)
    assert allowed(example)["mice"] == {"S-SPECIES"}


def test_of_nested_mentions_the_longest_counts(tmp_path: Path) -> None:
    inner = ((14, 21, "Gene"), (8, 25, "Gene"), (22, 25, "Gene"))
    write(tmp_path, article(mentions=inner))
    (example,) = read(tmp_path, OWN)

    assert [tags for tags in allowed(example).values() if tags != {"O"}] == [{"B-GENE"}, {"I-GENE"}, {"E-GENE"}]


def test_a_vague_type_counts_under_its_own_prompt_and_is_open_under_the_full_one(tmp_path: Path) -> None:
    write(tmp_path, article(mentions=((22, 25, "FamilyName"),)))
    (own,), (full,) = read(tmp_path, OWN), read(tmp_path, FULL)

    assert allowed(own)["p53"] == {"S-GENE"}
    assert allowed(full)["p53"] == {"O"} | tags_of(GENE, SPECIES, DISEASE)


def test_the_second_head_knows_what_its_corpus_annotates(tmp_path: Path) -> None:
    write(tmp_path, article(mentions=((8, 13, "Chemical"), (22, 25, "Variant"))))
    (nothing,) = read(tmp_path, OWN)
    (chemicals,) = read(tmp_path, replace(OWN, further=frozenset({"Chemical"})))
    (everything,) = read(tmp_path, replace(OWN, further=frozenset(FURTHER)))

    assert set(nothing.further) == {ANY_FURTHER}
    assert further(chemicals)["tumor"] == {"S-CHEMICAL"}
    assert further(chemicals)["p53"] == {tag for tag in FURTHER_TAGS if not tag.endswith("-CHEMICAL")}
    assert further(everything)["p53"] == {"S-VARIANT"}
    assert further(everything)["mice"] == {"O"}


def test_left_out_articles_are_not_read_nor_swapped_in(tmp_path: Path) -> None:
    secret = article("2", "Secret BRCA1 in mice.", ((7, 12, "Gene"),))
    write(tmp_path, article(), secret)
    drawn = [
        example
        for seed in range(50)
        for example in examples(tmp_path, frozenset({"2"}), replace(FULL, swapped=1.0), random.Random(seed))
    ]

    assert len(drawn) == 50
    assert not {"Secret", "BRCA1"} & {word for example in drawn for word in example.words}


def test_sentences_without_a_mention_are_kept_in_part(tmp_path: Path) -> None:
    write(tmp_path, *(article(str(n), mentions=()) for n in range(1000)))

    assert len(read(tmp_path, OWN)) == 1000
    assert read(tmp_path, replace(OWN, empty=0.0)) == []
    assert 50 < len(read(tmp_path, replace(OWN, empty=0.1))) < 150


def test_documents_pass_over_what_is_no_mention_or_does_not_match(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(
        "1|t|A|B test\n1|a|\n1\t0\t3\tA|B\tGene\t7\n1\tAssociation\t7\t8\tNovel\n1\t0\t3\tA|C\tGene\t7\n\n\n2|t|only\n"
    )

    assert list(documents(path)) == [("1", "A|B test", "", [(0, 3, "Gene")])]


def spans(example: Example) -> list[tuple[tuple[str, ...], str]]:
    """Return the mentions that the tags spell, where they are certain; refuses a sequence that is not BIOES."""
    found: list[tuple[tuple[str, ...], str]] = []
    begun: list[str] = []
    for word, mask in zip(example.words, example.allowed, strict=True):
        assert mask.bit_count() == 1
        prefix, _, label = TAGS[mask.bit_length() - 1].partition("-")
        assert bool(begun) == (prefix in "IE")
        if prefix != "O":
            begun.append(word)
        if prefix in "SE":
            found.append((tuple(begun), label))
            begun = []
    assert not begun
    return found


WORDS = st.lists(st.sampled_from(["p53", "of", "tumor", "protein", "mice", "X1"]), min_size=1, max_size=3)
PIECES = st.lists(st.tuples(WORDS, st.sampled_from(["Gene", "Disease", "Species", "Variant", ""])), min_size=1)


@settings(max_examples=50)
@given(st.lists(PIECES, min_size=1, max_size=4), st.integers(0, 100))
def test_swaps_keep_tags_and_words_together(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[list[str], str]]], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("swaps")
    texts = []
    pool: dict[str, set[tuple[str, ...]]] = {}
    for number, pieces in enumerate(sentences):
        mentions, words = [], ""
        for piece, native in pieces:
            start = len(words)
            words += " ".join(piece) + " and "
            if native:
                mentions.append((start, start + len(" ".join(piece)), native))
                pool.setdefault(native, set()).add(tuple(piece))
        texts.append(article(str(number), f"{words}so", tuple(mentions)))
    (folder / OWN.file).write_text(pubtator(texts))
    source = replace(FULL, labels=frozenset(Label), further=frozenset(FURTHER), swapped=1.0)

    drawn = read(folder, source, seed)

    # Variants may come in behind genes, but nothing goes and no label changes.
    labels = {"Gene": "GENE", "Disease": "DISEASE", "Species": "SPECIES"}
    wanted = [labels[native] for pieces in sentences for _, native in pieces if native in labels]
    found = [span for example in drawn for span in spans(example)]
    assert [label for _, label in found] == wanted
    natives = {label: native for native, label in labels.items()}
    assert all(words in pool[natives[label]] for words, label in found)
    for example in drawn:
        assert len(example.words) == len(example.allowed) == len(example.further)


def test_a_seed_fixes_a_reading(tmp_path: Path) -> None:
    write(tmp_path, *(article(str(n), f"Loss of P{n} in mice.", ((8, 9 + len(str(n)), "Gene"),)) for n in range(30)))
    source = replace(FULL, full_prompt=0.5, swapped=0.5)

    assert read(tmp_path, source, 1) == read(tmp_path, source, 1)
    assert read(tmp_path, source, 1) != read(tmp_path, source, 2)


def test_the_sources_do_not_claim_labels_under_which_nothing_is_read() -> None:
    assert OUTSIDE == 1
    for source in SOURCES:
        assert source.labels
        assert source.further <= set(FURTHER)
        assert 0 <= source.full_prompt <= 1
        assert "BioRED_Test" not in source.file
