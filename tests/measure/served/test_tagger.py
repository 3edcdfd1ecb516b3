from __future__ import annotations

import json

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.measure.served.tagger import IN_FLIGHT
from leanner.measure.served.tagger import Requests
from leanner.measure.served.tagger import ServedTagger
from leanner.measure.served.target import open_target
from leanner.serving.batching import DynamicBatching
from leanner.serving.load.outcome import TIMEOUT
from leanner.serving.load.outcome import Outcome
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.server import ServerError
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import Serving
from leanner.serving.wire import read_request
from measure.served.made import AtOnce
from measure.served.made import Toy
from measure.served.made import document
from measure.served.made import made_up
from serving.toys import POISON
from serving.toys import toy


if TYPE_CHECKING:
    from leanner.types import Document


TEXTS = st.sampled_from(["TP53 fell", "PTEN and IL6", "nothing", "", "“É” and 😀 MYC"])
DOCUMENTS = st.lists(st.lists(TEXTS, max_size=4).map(lambda texts: document(*texts)), max_size=6)


def at_once(documents: list[Document], folder: Path) -> tuple[ServedTagger, AtOnce]:
    requests = Requests.of(documents)
    target = AtOnce(Toy(), requests.bodies, folder)
    return ServedTagger(Toy(), target, requests), target


def test_each_text_is_one_request_whose_id_is_its_number() -> None:
    documents = [document("a", "b"), document(), document("b", "", "a")]
    requests = Requests.of(documents)

    assert requests.texts == ["a", "b", ""]
    assert requests.numbers(documents) == [0, 1, 1, 2, 0]
    assert requests.numbers([documents[1]]) == []
    for number, body in enumerate(requests.bodies):
        assert json.loads(body) == {"id": number, "sentences": [requests.texts[number]]}
        assert [sentence.text for sentence in read_request(body).document.sentences] == [requests.texts[number]]


@settings(max_examples=50, deadline=None)
@given(DOCUMENTS)
def test_spans_come_in_the_order_of_the_documents(documents: list[Document]) -> None:
    with TemporaryDirectory() as folder:
        tagger, _ = at_once(documents, Path(folder))

        assert list(tagger.tag(documents)) == list(Toy().tag(documents))


def test_through_the_batcher_of_this_process_too() -> None:
    documents = [*made_up(40), document(), document("TP53 fell", "TP53 fell", "no"), *made_up(3)]
    requests = Requests.of(documents)
    local = Toy()
    with open_target(Serving(IN_PROCESS, DynamicBatching(16, 5.0)), toy(), local, requests.bodies) as target:
        tagger = ServedTagger(local, target, requests)
        found = list(tagger.tag(documents))
        (call,) = tagger.take()

    assert found == list(local.tag(documents))
    assert [outcome.index for outcome in call.outcomes] == requests.numbers(documents)
    assert sorted(number for batch in call.batches for number in batch.ids if isinstance(number, int)) == sorted(
        requests.numbers(documents)
    )
    assert max(batch.size for batch in call.batches) == 16
    assert (target.start_s, target.pids(), target.server["name"]) == (None, frozenset(), IN_PROCESS)
    assert not target.batch_log.exists()


def test_no_more_requests_are_in_flight_than_there_are(tmp_path: Path) -> None:
    documents = made_up(IN_FLIGHT + 8)
    tagger, target = at_once(documents, tmp_path)
    for asked in (documents, documents[:3], [document()], []):
        list(tagger.tag(asked))

    # Nothing to ask for is no run.
    assert target.scenarios == [ClosedLoop(IN_FLIGHT, until_failure=True), ClosedLoop(3, until_failure=True)]


def test_calls_are_taken_once_each_with_its_own_batches(tmp_path: Path) -> None:
    documents = made_up(4)
    tagger, _ = at_once(documents, tmp_path)
    list(tagger.tag(documents[:3]))
    list(tagger.tag(documents[3:]))
    first, second = tagger.take()

    assert [batch.ids for batch in first.batches] == [(0,), (1,), (2,)]
    assert [batch.ids for batch in second.batches] == [(3,)]
    assert [outcome.index for outcome in second.outcomes] == [3]
    assert tagger.take() == []
    list(tagger.tag(documents[:1]))
    assert [[batch.ids for batch in call.batches] for call in tagger.take()] == [[(0,)]]


def test_requests_that_fail_are_an_error_that_counts_their_kinds(tmp_path: Path) -> None:
    documents = made_up(6)
    tagger, target = at_once(documents, tmp_path)
    target.instead = {
        1: Outcome(1, 0, 0, 1, error=TIMEOUT),
        3: Outcome(3, 0, 0, 1, status=503, body=b"{}"),
        4: Outcome(4, 0, 0, 1, error=TIMEOUT),
    }
    with pytest.raises(
        ServerError, match=r"^expected at-once to answer 6 requests, found failures: 2 timeout, 1 http-503$"
    ):
        list(tagger.tag(documents))


def test_where_the_server_is_gone_that_is_the_error(tmp_path: Path) -> None:
    tagger, target = at_once(made_up(1), tmp_path)
    target.instead, target.error = {0: Outcome(0, 0, 0, 1, error=TIMEOUT)}, ServerError("it is gone: no memory")
    with pytest.raises(ServerError, match=r"^it is gone: no memory$"):
        list(tagger.tag(made_up(1)))


def test_a_sentence_that_the_tagger_fails_on_is_an_error(tmp_path: Path) -> None:
    documents = [document("TP53 fell", f"a {POISON}")]
    tagger, _ = at_once(documents, tmp_path)
    with pytest.raises(ServerError, match=r"to answer 2 requests, found failures: 1 http-500$"):
        list(tagger.tag(documents))


def test_what_it_says_of_itself_is_what_the_tagger_here_says(tmp_path: Path) -> None:
    tagger, _ = at_once([], tmp_path)

    assert (tagger.name, tagger.runtime, tagger.weights_sha256) == ("toy", "toy", "b" * 64)
    assert str(tagger.device) == "cpu"
    assert tagger.notes_on([]) == ()
