"""Where corpora lie if a command does not say so."""

from __future__ import annotations

import os

from typing import Final


#: Locations where none are named, separated like ``PATH``.
VARIABLE: Final = "LEANNER_CORPORA"


def corpora_from_environment() -> tuple[str, ...]:
    """Return where LEANNER_CORPORA says that corpora lie; nowhere if it is not set."""
    return tuple(location for location in os.environ.get(VARIABLE, "").split(os.pathsep) if location)
