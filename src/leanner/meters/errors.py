"""The two ways in which metering fails: loudly, or for one number."""

from __future__ import annotations


class MeterError(RuntimeError):
    """A meter is missing, was used out of order, or failed; the message says what to do."""


class UnmeasurableError(Exception):
    """Why one number cannot be known; becomes the reason beside its ``None``."""


class TraceFileError(MeterError):
    """A file is not one of stored traces, or is damaged; the message says where and what to do."""
