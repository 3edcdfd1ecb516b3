"""How many CPU sockets the machine has, from pyRAPL where it can tell."""

from __future__ import annotations

import importlib
import logging
import warnings

from collections.abc import Iterator
from contextlib import contextmanager


def count_sockets() -> int | None:
    """Return the number of CPU sockets; ``None`` where pyRAPL cannot tell.

    pyRAPL finds the sockets, nothing more: its own measurement has no wrap-around
    handling (0.2.3.1).
    """
    with _quiet():
        try:
            api = importlib.import_module("pyRAPL.device_api")
            return len(set(api.get_socket_ids())) or None
        except (ImportError, OSError, ValueError, IndexError):
            # Not installed, or no sysfs with a CPU topology as it expects one.
            return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what pyRAPL warns and logs at import from the user, and its handler from the root logger."""
    root = logging.getLogger()
    handler = logging.NullHandler()
    disabled = logging.root.manager.disable
    root.addHandler(handler)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.removeHandler(handler)
