from __future__ import annotations

from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import numpy as np

from hypothesis import given
from hypothesis import strategies as st
from transformers import TokenClassificationPipeline

from leanner.taggers.hf.spans import TagTable
from leanner.taggers.hf.spans import predictions
from leanner.taggers.hf.spans import spans_of
from leanner.taggers.hf.tags import read_tags
from leanner.taggers.rows import DocumentChunk
from leanner.types import Label
from leanner.types import Span
from taggers.hf.checkpoints import BIO
from taggers.hf.checkpoints import BIOES
from taggers.hf.checkpoints import IO


Found = list[tuple[int, int, Label]]

WITH_OTHERS = (*BIO, "B-Chemical", "I-Chemical", "Cell")
BIO_BY_KIND = {"Gene": Label.GENE, "SPECIES": Label.SPECIES, "disease": Label.DISEASE}


def found(labels: tuple[str, ...], sentences: list[list[int]]) -> Found:
    table = TagTable.of(read_tags(labels))
    tags = np.array([tag for sentence in sentences for tag in sentence], dtype=np.int64)
    ends = np.array(list(accumulate(len(sentence) for sentence in sentences)), dtype=np.int64)
    begins, stops, heads = (values.tolist() for values in spans_of(tags, ends, table))
    spans = [(begin, stop, table.labels[head]) for begin, stop, head in zip(begins, stops, heads, strict=True)]
    return [(begin, stop, label) for begin, stop, label in spans if label is not None]


def grouped(labels: tuple[str, ...], sentences: list[list[int]]) -> Found:
    """Return the groups that the pipeline of transformers makes of each sentence."""
    pipeline: Any = object.__new__(TokenClassificationPipeline)
    pipeline.tokenizer = SimpleNamespace(convert_tokens_to_string=" ".join)
    names = {kind.upper(): label for kind, label in BIO_BY_KIND.items()}
    result: Found = []
    begin = 0
    for sentence in sentences:
        words = [
            {"entity": labels[tag], "score": 1.0, "word": "w", "start": begin + number, "end": begin + number + 1}
            for number, tag in enumerate(sentence)
        ]
        for group in pipeline.group_entities(words):
            if (label := names.get(group["entity_group"].upper())) is not None:
                result.append((group["start"], group["end"], label))
        begin += len(sentence)
    return result


def sentences_of(labels: tuple[str, ...]) -> st.SearchStrategy[list[list[int]]]:
    tag = st.integers(0, len(labels) - 1)
    return st.lists(st.lists(tag, min_size=1, max_size=9), max_size=5)


@given(sentences_of(WITH_OTHERS))
def test_spans_of_bio_are_the_groups_of_the_pipeline(sentences: list[list[int]]) -> None:
    assert found(WITH_OTHERS, sentences) == grouped(WITH_OTHERS, sentences)


@given(sentences_of(IO))
def test_spans_of_io_are_the_groups_of_the_pipeline(sentences: list[list[int]]) -> None:
    assert found(IO, sentences) == grouped(IO, sentences)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(list(Label))), max_size=6))
def test_what_is_written_in_bioes_is_read_again(mentions: list[tuple[int, int, Label]]) -> None:
    tags: list[int] = []
    expected: Found = []
    for gap, length, label in mentions:
        tags += [0] * gap
        expected.append((len(tags), len(tags) + length, label))
        letters = "S" if length == 1 else f"B{'I' * (length - 2)}E"
        tags += [BIOES.index(f"{letter}-{label.capitalize()}") for letter in letters]
    assert found(BIOES, [tags] if tags else []) == expected


def test_bioes_that_breaks_its_rules() -> None:
    def read(*labels: str) -> Found:
        return found(BIOES, [[BIOES.index(label) for label in labels]])

    gene, disease = Label.GENE, Label.DISEASE
    assert read("I-Gene", "E-Gene") == [(0, 2, gene)]
    assert read("O", "E-Gene", "I-Gene") == [(1, 2, gene), (2, 3, gene)]
    assert read("S-Gene", "E-Gene") == [(0, 1, gene), (1, 2, gene)]
    assert read("B-Gene", "I-Disease", "E-Gene") == [(0, 1, gene), (1, 2, disease), (2, 3, gene)]


def test_neighbours_of_two_types_with_one_label_are_two_spans() -> None:
    assert found(("O", "Gene", "Protein"), [[1, 1, 2, 0]]) == [(0, 2, Label.GENE), (2, 3, Label.GENE)]


def test_a_span_has_the_characters_of_its_words() -> None:
    table = TagTable.of(read_tags(IO))
    offsets: list[list[list[tuple[int, int]] | None]] = [[[(0, 4), (5, 8)], None, [(2, 3)]], [], [[(1, 1)]]]
    chunk = DocumentChunk([], np.array([2, 3, 4]), offsets)
    tags = np.array([1, 1, 3, 2])
    assert list(predictions(chunk, tags, table)) == [
        ((Span(0, 8, Label.GENE),), (), (Span(2, 3, Label.DISEASE),)),
        (),
        # A word of which the tokenizer leaves no character.
        ((),),
    ]
