"""Cases report what a library deprecates, and go on: only the tests turn warnings into errors.

What measuring itself costs takes minutes, and is measured when it is asked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let warnings be warnings in this folder, and leave the overhead out unless it is asked for."""
    here = Path(__file__).parent
    mine = [item for item in items if item.path.is_relative_to(here)]
    for item in mine:
        item.add_marker(pytest.mark.filterwarnings("default"))
    unasked = {item for item in mine if item.get_closest_marker("overhead")}
    if unasked and "overhead" not in (config.getoption("markexpr") or ""):
        config.hook.pytest_deselected(items=list(unasked))
        items[:] = [item for item in items if item not in unasked]
