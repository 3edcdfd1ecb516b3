from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from leanner.measure.rounds import single_stream
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from measure.fakes import FakeTagger
from measure.fakes import articles


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


@dataclass
class Recorder(FakeTagger):
    """Remembers what it was asked."""

    asked: list[list[Document]] = field(default_factory=list)

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        given = list(documents)
        self.asked.append(given)
        return super().tag(given)


def test_timed_returns_the_result_and_its_seconds() -> None:
    result, seconds = timed(lambda: "spans")

    assert result == "spans"
    assert seconds >= 0.0


def test_a_round_tags_every_document() -> None:
    predictions = tag_all(FakeTagger(), articles(3))

    assert predictions == [tuple(s.spans for s in document.sentences) for document in articles(3)]


def test_a_request_is_one_sentence_without_neighbours() -> None:
    tagger = Recorder()

    milliseconds = single_stream(tagger, articles(5), sentences=4, seed=0)

    assert len(milliseconds) == 4
    assert all(value > 0 for value in milliseconds)
    warm_up, *requests = tagger.asked
    assert warm_up == requests[0]
    assert all(len(request) == 1 and len(request[0].sentences) == 1 for request in requests)


def test_the_sample_of_sentences_is_seeded_and_without_repeats() -> None:
    first, again, other, few = Recorder(), Recorder(), Recorder(), Recorder()
    single_stream(first, articles(30), sentences=10, seed=0)
    single_stream(again, articles(30), sentences=10, seed=0)
    single_stream(other, articles(30), sentences=10, seed=1)

    assert first.asked == again.asked
    assert first.asked != other.asked
    asked = [(request[0].id, request[0].sentences[0].start) for request in first.asked[1:]]
    assert len(set(asked)) == 10
    assert len(single_stream(few, articles(2), sentences=10, seed=0)) == 4
