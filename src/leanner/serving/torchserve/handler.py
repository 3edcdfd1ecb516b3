"""What TorchServe's worker runs: one class, which TorchServe finds by that."""

from __future__ import annotations

import logging

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leanner.serving.batch_log import BatchLog
from leanner.serving.handling import BatchHandler
from leanner.serving.heap import Heap
from leanner.serving.heap import malloc_trim
from leanner.serving.source import Source


class TaggingHandler:
    """Tags the requests of a batch; each of them gets its own status."""

    def initialize(self, context: Any) -> None:  # noqa: ANN401 - TorchServe ships no types
        """Make the tagger that the model's configuration names, once in a worker."""
        # TorchServe writes a line for each batch and each metric, which its frontend reads and parses.
        logging.getLogger().setLevel(logging.WARNING)
        told = context.model_yaml_config["handler"]
        tagger = Source.from_json(told["source"]).load()
        self._log = BatchLog(Path(told["batch_log"]))
        self._handle = BatchHandler(tagger, self._log, Heap(malloc_trim()))

    def handle(self, rows: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:  # noqa: ANN401 - as above
        """Return the bodies of the answers, in order."""
        answers = self._handle([_body(row) for row in rows])
        for place, answer in enumerate(answers):
            context.set_response_status(answer.status, idx=place)
            context.set_response_content_type(place, "application/json")
        return [answer.body for answer in answers]


def _body(row: Mapping[str, Any]) -> bytes:
    # A form has other names, and is no request; with decode_input_request=false a body is bytes, whatever its type.
    return bytes(row.get("body", b""))
