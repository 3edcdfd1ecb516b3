"""The second stage: one answer at a time, so that a bad request's status is its own.

mosec sends one status for a batch; in a stage without batches that is one for each request.
"""

from __future__ import annotations

import os

from typing import NoReturn

from mosec import ClientError
from mosec import ServerError
from mosec import Worker

from leanner.serving.handling import BAD_REQUEST
from leanner.serving.handling import OK
from leanner.serving.handling import Answer
from leanner.serving.mosec.orphans import end_with


class Answering(Worker):  # type: ignore[misc] # as in tagging
    """Turns what became of a request into its status."""

    def __init__(self) -> None:
        super().__init__()
        end_with(os.getppid())

    def forward(self, data: Answer) -> bytes:
        """Return the body of a request that was answered.

        Raises:
            ClientError: The request was bad.
            ServerError: The tagger failed.
        """
        if data.status != OK:
            _fail(data)
        return data.body

    def serialize(self, data: bytes) -> bytes:
        """Return the body as it is: it is JSON already."""
        return data


def _fail(answer: Answer) -> NoReturn:
    # mosec writes "KIND: TEXT" for an error. Parted at its first colon, a JSON object is put together again by that.
    kind, _, text = answer.body.decode().partition(":")
    error = (ClientError if answer.status == BAD_REQUEST else ServerError)(text)
    error.msg = kind
    raise error
