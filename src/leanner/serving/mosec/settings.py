"""What the processes of a server are told, in its folder, and the names of the files there."""

from __future__ import annotations

import dataclasses
import json
import os

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from typing import Self

from leanner.atomic import write_atomically
from leanner.serving.batching import DynamicBatching
from leanner.serving.source import Source


#: Names the folder to the processes.
FOLDER: Final = "LEANNER_MOSEC_FOLDER"

#: The batches, see ``leanner.serving.batch_log``.
BATCHES: Final = "batches.jsonl"
#: What the processes say.
LOG: Final = "log.txt"
#: mosec's own files, its sockets among them.
SOCKETS: Final = "ipc"
#: Where a request goes.
ROUTE: Final = "/tag"

_SETTINGS: Final = "settings.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is.

    Attributes:
        parent: Process without which it ends.
        source: Where its worker gets the tagger from.
        batching: When a batch begins; the delay counts in whole milliseconds.
        port: Of 127.0.0.1.
        queue: Requests that may wait; more are refused with 429.
        timeout_s: How long a request may take, waiting included, and how long a batch may.
        max_body_bytes: Longer ones are refused with 413.
        max_restarts: How often in a row mosec is started again where it ends within a minute of being ready.
        start_timeout_s: How long a start may take.
        log_batches: Whether the worker writes of its batches.
    """

    parent: int
    source: Source
    batching: DynamicBatching
    port: int
    queue: int
    timeout_s: float
    max_body_bytes: int
    max_restarts: int
    start_timeout_s: float
    log_batches: bool = True

    def write(self, folder: Path) -> None:
        """Put them into ``folder``."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields |= {"source": self.source.to_json(), "batching": self.batching.describe()}
        write_atomically(folder / _SETTINGS, json.dumps(fields).encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what ``write`` has put there."""
        fields = json.loads((folder / _SETTINGS).read_bytes())
        fields["source"] = Source.from_json(fields["source"])
        fields["batching"] = DynamicBatching(**fields["batching"])
        return cls(**fields)


def own_folder() -> Path:
    """Return the folder of the server that this process belongs to."""
    return Path(os.environ[FOLDER])
