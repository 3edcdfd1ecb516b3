from __future__ import annotations

import json

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.scoring.mentions import read_mentions
from leanner.tagging.inputs import read_texts
from leanner.tagging.outputs import pubtator_block
from leanner.tagging.outputs import rendered
from leanner.tagging.outputs import writable
from leanner.tagging.text import Form
from leanner.tagging.text import Text
from leanner.types import Label
from leanner.types import Span


@st.composite
def tagged(draw: st.DrawFn) -> tuple[Text, list[Span]]:
    text = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    title = draw(st.one_of(st.none(), st.integers(0, max(0, len(text) - 1))))
    if title is not None:
        text = f"{text[:title]} {text[title + 1 :]}"
    name = draw(st.one_of(st.integers(), st.text("abc:/._- é", min_size=1, max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return Text(name, text, Path("a"), 1, 1, title), [Span(a, b, draw(st.sampled_from(Label))) for a, b in pairs]


@given(st.lists(tagged(), max_size=4))
@example([(Text("1", "p53\tin\nmice\u2028", Path("a"), 1, 1), [Span(0, 6, Label.GENE), Span(7, 12, Label.SPECIES)])])
def test_both_formats_are_read_back_with_the_same_offsets(documents: list[tuple[Text, list[Span]]]) -> None:
    documents = list({str(text.id): (text, spans) for text, spans in documents}.values())
    with TemporaryDirectory() as folder:
        for form in (Form.JSONL, Form.PUBTATOR):
            path = Path(folder) / "out"
            path.write_bytes(b"".join(rendered(text, spans, form) for text, spans in documents))
            read = list(read_texts([path], BadDocuments(), form=form))
            assert [str(text.id) for text in read] == [str(text.id) for text, _ in documents]
            for (text, _), again in zip(documents, read, strict=True):
                # PubTator joins a title and an abstract by a space; line ends in it become spaces.
                whole = f"{text.text} " if form is Form.PUBTATOR and text.title is None else text.text
                assert len(again.text) == len(whole)
                assert all(b in (a, " ") for a, b in zip(whole, again.text, strict=True))
                assert form is Form.PUBTATOR or again.text == text.text
                assert text.title is None or form is Form.JSONL or again.title == text.title
        mentions = read_mentions(path)
    assert mentions.misplaced == []
    assert mentions.spans == {str(text.id): set(spans) for text, spans in documents}


@given(tagged())
def test_a_document_of_pubtator_is_as_many_lines_as_it_says_to_every_reader(document: tuple[Text, list[Span]]) -> None:
    text, spans = document
    block = pubtator_block(text, spans).decode()
    # bioc.pubtator splits at all of these, leanner at \n only.
    assert len(block.splitlines()) == len(block.split("\n")) - 1 == 3 + len(spans)
    assert all(line.count("\t") == 4 for line in block.split("\n")[2:-2])


@given(tagged())
def test_a_json_line_says_what_stands_at_its_offsets(document: tuple[Text, list[Span]]) -> None:
    text, spans = document
    line = rendered(text, spans, Form.JSONL)
    assert line.endswith(b"\n")
    found = json.loads(line)
    assert (found["id"], found["text"]) == (text.id, text.text)
    assert [(each["begin"], each["end"], each["label"]) for each in found["spans"]] == [
        (span.start, span.end, span.label.value) for span in spans
    ]
    assert all(each["text"] == text.text[each["begin"] : each["end"]] for each in found["spans"])


def test_members_stay_in_their_order_and_spans_are_replaced() -> None:
    members = {"year": 1.5, "spans": "old", "id": 1, "text": "p53 é", "odd": "\ud800"}
    line = rendered(Text(1, "p53 é", Path("a"), 1, 1, members=members), [Span(0, 3, Label.GENE)], Form.JSONL)
    found = json.loads(line)
    assert list(found) == ["year", "id", "text", "odd", "spans"]
    assert found["odd"] == "\ud800"
    assert found["spans"] == [{"begin": 0, "end": 3, "label": "GENE", "text": "p53"}]
    del members["odd"]
    assert "é".encode() in rendered(Text(1, "p53 é", Path("a"), 1, 1, members=members), [], Form.JSONL)


@pytest.mark.parametrize("name", ["", "a|b", "a\tb", "a\nb", "a\u2028b", "\ud800"])
def test_an_id_that_pubtator_cannot_have(name: str) -> None:
    texts = [Text("1", "a", Path("f"), 1, 1), Text(name, "a", Path("f"), 7, 1), Text(3, "a", Path("f"), 8, 1)]
    with pytest.raises(CorpusError, match="f:7: expected an id that PubTator can have"):
        list(writable(texts, Form.PUBTATOR, BadDocuments()))
    bad = BadDocuments("skip")
    assert [text.id for text in writable(texts, Form.PUBTATOR, bad)] == ["1", 3]
    assert [error.line for error in bad.errors] == [7]
    assert [text.id for text in writable(texts, Form.JSONL, BadDocuments())] == ["1", name, 3]
