"""Cases report what a library deprecates, and go on: only the tests turn warnings into errors.

What is no case takes minutes, and runs when it is asked for: what measuring itself costs, whether the lean
runtime has Flair's spans, how time grows with the text, what dynamic batching gains, whether the load is what
limits a served case, the served cases themselves, what batch size and delay make of them, whether servers grow,
what they reach of the batcher in this process, what single kernels gain, and what each configuration loses on a
large text.
"""

from __future__ import annotations

from pathlib import Path

import pytest


#: Markers of what runs by ``-m`` alone.
ASKED_FOR = (
    "overhead",
    "equality",
    "growth",
    "batching",
    "load",
    "served",
    "sweep",
    "soak",
    "floor",
    "kernels",
    "losses",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let warnings be warnings in this folder, and leave out what is not asked for."""
    here = Path(__file__).parent
    mine = [item for item in items if item.path.is_relative_to(here)]
    for item in mine:
        item.add_marker(pytest.mark.filterwarnings("default"))
    asked = config.getoption("markexpr") or ""
    unasked = {item for item in mine for marker in ASKED_FOR if item.get_closest_marker(marker) and marker not in asked}
    if unasked:
        config.hook.pytest_deselected(items=list(unasked))
        items[:] = [item for item in items if item not in unasked]
