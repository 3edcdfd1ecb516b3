"""What the supervisor lets its parent see."""

from __future__ import annotations

import dataclasses
import json

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from typing import Self

from leanner.atomic import write_atomically


_FILE: Final = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """How the server is.

    Attributes:
        starts: Of mosec, the one under way included.
        ready: Whether its worker has its tagger and its port is open.
        session: Of its processes; 0 where there are none.
    """

    starts: int = 0
    ready: bool = False
    session: int = 0

    def write(self, folder: Path) -> None:
        """Put it into ``folder``."""
        write_atomically(folder / _FILE, json.dumps(dataclasses.asdict(self)).encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what was last written; that nothing was started yet if nothing was."""
        try:
            return cls(**json.loads((folder / _FILE).read_bytes()))
        except FileNotFoundError:
            return cls()
