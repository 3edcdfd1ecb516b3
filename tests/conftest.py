"""What all tests have in common."""

from __future__ import annotations

import os


def pytest_configure() -> None:
    """Make runs that a test starts no workers of the one that runs it: pytest-benchmark times nothing in those."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        del os.environ[name]
