"""Keeping what converters say of themselves from a user who can do nothing about it."""

from __future__ import annotations

import contextlib
import logging
import warnings

from collections.abc import Iterator


@contextlib.contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Ignore what libraries warn of their own use of each other, and keep the named loggers below errors quiet."""
    before = {name: logging.getLogger(name).level for name in loggers}
    try:
        for name in loggers:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning, UserWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
