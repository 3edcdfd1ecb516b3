"""Types of arguments that sub-commands share."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """Return a whole number of 1 or more.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    return at_least(1, text)


def not_negative(text: str) -> int:
    """Return a whole number of 0 or more.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    return at_least(0, text)


def at_least(least: int, text: str) -> int:
    """Return a whole number of ``least`` or more.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, found {text!r}")
    return number
