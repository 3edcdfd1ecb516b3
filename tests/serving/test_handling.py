from __future__ import annotations

import json

from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leanner.serving.batch_log import BatchLog
from leanner.serving.batch_log import read_batches
from leanner.serving.handling import BatchHandler
from leanner.serving.wire import read_answer
from leanner.serving.wire import write_request


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document
from serving.toys import POISON
from serving.toys import ToyTagger
from serving.toys import make


def bodies(*texts: str) -> list[bytes]:
    return [write_request([text], place) for place, text in enumerate(texts)]


def test_each_request_of_a_batch_gets_its_own_spans() -> None:
    answers = BatchHandler(make())(bodies("PTEN fell", "nothing", "so did TP53"))
    assert [answer.status for answer in answers] == [200, 200, 200]
    found = [[(span.start, span.end) for span in read_answer(answer.body)[0]] for answer in answers]
    assert found == [[(0, 4)], [], [(7, 11)]]


def test_a_bad_body_harms_no_other() -> None:
    good = bodies("PTEN fell")[0]
    answers = BatchHandler(make())([good, b"{", good])
    assert [answer.status for answer in answers] == [200, 400, 200]
    assert "found no JSON" in json.loads(answers[1].body)["error"]


def test_a_request_that_the_tagger_fails_on_harms_no_other() -> None:
    answers = BatchHandler(make())(bodies("PTEN fell", POISON, "TP53 rose"))
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert json.loads(answers[1].body)["error"] == "the tagger failed: RuntimeError: poisoned"


def test_spans_that_cannot_be_told_harm_no_other() -> None:
    class Odd(ToyTagger):
        def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
            asked = list(documents)
            for document, spans in zip(asked, super().tag(asked), strict=True):
                yield (("no span",),) if "odd" in document.sentences[0].text else spans  # type: ignore[misc]

    handler = BatchHandler(Odd())  # type: ignore[arg-type] # it has no weights
    answers = handler(bodies("PTEN fell", "odd", "TP53 rose"))
    assert [answer.status for answer in answers] == [200, 500, 200]


def test_a_full_disk_harms_no_request(tmp_path: Path) -> None:
    with BatchLog(tmp_path / "batches.jsonl") as log:
        log.close()
        log._file = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115 - the log closes it
        answers = BatchHandler(make(), log)(bodies("PTEN fell"))
    assert [answer.status for answer in answers] == [200]


def test_a_batch_without_a_request_asks_no_tagger() -> None:
    assert [answer.status for answer in BatchHandler(make())([b"", b"no"])] == [400, 400]


def test_the_log_has_what_was_tagged_together(tmp_path: Path) -> None:
    path = tmp_path / "batches.jsonl"
    with BatchLog(path) as log:
        handler = BatchHandler(make(call_s=0.01), log)
        handler(bodies("a", "b"))
        _, behind = read_batches(path)
        handler([b"{", *bodies("c")])
    (batch,), end = read_batches(path, behind)
    assert (batch.size, batch.ids) == (2, (0,))
    assert batch.ended_ns - batch.began_ns >= 10_000_000
    assert read_batches(path, end) == ([], end)


def test_a_line_that_has_no_end_yet_is_left(tmp_path: Path) -> None:
    path = tmp_path / "batches.jsonl"
    whole = b'{"size":1,"ids":[3],"began_ns":1,"ended_ns":2}\n'
    path.write_bytes(whole + b'{"size":')
    batches, end = read_batches(path)
    assert [batch.ids for batch in batches] == [(3,)]
    assert end == len(whole)
