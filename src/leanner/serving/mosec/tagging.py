"""The first stage: a batch of bodies in, answers out, the tagger in between."""

from __future__ import annotations

import os

from pathlib import Path

from mosec import Worker

from leanner.serving.batch_log import BatchLog
from leanner.serving.handling import Answer
from leanner.serving.handling import BatchHandler
from leanner.serving.heap import Heap
from leanner.serving.heap import malloc_trim
from leanner.serving.mosec.beat import Beat
from leanner.serving.mosec.orphans import end_with
from leanner.serving.mosec.settings import BATCHES
from leanner.serving.mosec.settings import Settings
from leanner.serving.mosec.settings import own_folder


class Tagging(Worker):  # type: ignore[misc] # mosec is an extra, without types where types are checked
    """Hands whole batches to the handler, which judges each body by itself.

    mosec gives one status to a batch, so that whatever fails here fails for all of it: nothing here does, and what
    became of each request travels to the next stage.
    """

    def __init__(self) -> None:
        super().__init__()
        end_with(os.getppid())
        folder: Path = own_folder()
        settings = Settings.read(folder)
        log = BatchLog(folder / BATCHES) if settings.log_batches else None
        self._handler = BatchHandler(settings.source.load(), log, Heap(malloc_trim()))
        self._beat = Beat.begin(folder)

    def deserialize(self, data: bytes) -> bytes:
        """Return a body as it came: what is raised here would fail the batch."""
        return bytes(data)

    def forward(self, data: list[bytes] | bytes) -> list[Answer] | Answer:
        """Return an answer for each body; mosec gives no list where batches are of one."""
        with self._beat.busy():
            if isinstance(data, bytes):
                return self._handler([data])[0]
            return self._handler(data)
