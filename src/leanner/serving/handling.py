"""What a server does with a batch: the same behind all of them."""

from __future__ import annotations

import logging

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.serving.wire import BadRequestError
from leanner.serving.wire import Request
from leanner.serving.wire import read_request
from leanner.serving.wire import write_answer
from leanner.serving.wire import write_error


if TYPE_CHECKING:
    from leanner.serving.batch_log import BatchLog
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


OK: Final = 200
BAD_REQUEST: Final = 400
FAILED: Final = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body."""

    status: int
    body: bytes


class BatchHandler:
    """Tags all requests of a batch in one call of the tagger; what is wrong with one of them harms no other.

    Args:
        tagger: Any.
        log: Told of each batch; none is kept if ``None``.
        after: Called behind each batch.
    """

    def __init__(self, tagger: Tagger, log: BatchLog | None = None, after: Callable[[], None] | None = None) -> None:
        self._tagger = tagger
        self._log = log
        self._after = after

    def __call__(self, bodies: Sequence[bytes]) -> list[Answer]:
        """Return an answer for each body, in order: 200, 400 for what is no request, 500 where the tagger failed."""
        read = [_read(body) for body in bodies]
        requests = [request for request in read if isinstance(request, Request)]
        if self._log is None:
            tagged = self._tag(requests)
        else:
            with self._log.batch(len(bodies), [request.id for request in requests]):
                tagged = self._tag(requests)
        if self._after is not None:
            self._after()
        answers = iter(tagged)
        return [next(answers) if isinstance(request, Request) else request for request in read]

    def _tag(self, requests: Sequence[Request]) -> list[Answer]:
        if not requests:
            return []
        try:
            predictions = list(self._tagger.tag([request.document for request in requests]))
            return [_answer(request, spans) for request, spans in zip(requests, predictions, strict=True)]
        except Exception as error:  # noqa: BLE001 - whatever a tagger fails with, the other requests are answered
            if len(requests) == 1:
                _log.exception("the tagger failed on a request")
                return [Answer(FAILED, write_error(f"the tagger failed: {type(error).__name__}: {error}"))]
            _log.warning("the tagger failed on a batch of %d, whose requests are tagged one by one", len(requests))
            return [answer for request in requests for answer in self._tag([request])]


def _read(body: bytes) -> Request | Answer:
    try:
        return read_request(body)
    except BadRequestError as error:
        return Answer(BAD_REQUEST, write_error(str(error)))


def _answer(request: Request, prediction: Prediction) -> Answer:
    return Answer(OK, write_answer(request, prediction))
