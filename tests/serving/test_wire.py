from __future__ import annotations

import json

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.serving.wire import BadRequestError
from leanner.serving.wire import read_answer
from leanner.serving.wire import read_request
from leanner.serving.wire import write_answer
from leanner.serving.wire import write_request
from leanner.types import Label
from leanner.types import Span


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXTS, max_size=4), st.none() | st.integers() | TEXTS)
def test_a_request_arrives_as_it_was_sent(texts: list[str], name: str | int | None) -> None:
    request = read_request(write_request(texts, name))
    assert [sentence.text for sentence in request.document.sentences] == texts
    assert request.id == name
    assert request.split


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9), st.sampled_from(Label)), max_size=3)))
def test_spans_arrive_as_they_were_found(found: list[list[tuple[int, int, Label]]]) -> None:
    prediction = tuple(tuple(Span(start, start + size, label) for start, size, label in each) for each in found)
    request = read_request(write_request(["x" * 60] * len(found), 7))
    body = write_answer(request, prediction)
    assert read_answer(body) == prediction
    assert json.loads(body)["id"] == 7


def test_the_spans_of_a_text_have_their_places_in_it() -> None:
    text = "  Loss of PTEN. TP53 rose."
    request = read_request(json.dumps({"text": text}).encode())
    prediction = tuple(
        (Span(sentence.text.index(name), sentence.text.index(name) + 4, Label.GENE),)
        for sentence, name in zip(request.document.sentences, ("PTEN", "TP53"), strict=True)
    )
    spans = json.loads(write_answer(request, prediction))["spans"]
    assert [text[span["start"] : span["end"]] for span in spans] == ["PTEN", "TP53"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{", "found no JSON"),
        (b"\xff", "found no JSON"),
        (b"[" * 100_000, "found no JSON"),
        (b"[1]", r"found \[1\]"),
        (b"{}", "found neither"),
        (b'{"text": "a", "sentences": []}', "found both"),
        (b'{"text": 3}', 'expected text as "text", found 3'),
        (b'{"sentences": "a"}', 'a list of texts as "sentences", found "a"'),
        (b'{"sentences": ["a", null]}', r'text as "sentences"\[1\], found null'),
        (b'{"text": "a", "id": [1]}', r'an "id" that is text or a whole number, found \[1\]'),
        (b'{"text": "a", "id": true}', "found true"),
        (b'{"text": "\\ud800"}', "half of a surrogate pair at 0"),
        (b'{"text": "a", "id": "\\ud800"}', 'text as "id", found half of a surrogate pair at 0'),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, found: str) -> None:
    with pytest.raises(BadRequestError, match=found):
        read_request(body)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"sentences": 1}', b'{"sentences": [[{"start": 1}]]}'])
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="expected spans by sentence, found"):
        read_answer(body)
