"""The latencies of a case's single sentences, stored beside its report: gzip, one line of JSON."""

from __future__ import annotations

import gzip
import io
import json
import zlib

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.stored import LATENCIES
from leanner.report.stored import StoredFile
from leanner.report.stored import store


#: Version of the layout of these files.
LAYOUT: Final = 1


class LatenciesError(ValueError):
    """A file of latencies is not what it should be; the message begins with its path."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """What single sentences took.

    Attributes:
        layout: Of the file.
        configuration: Of the case.
        device: Of the case.
        latency_ms: Milliseconds of each, in the order of running.
    """

    layout: int
    configuration: str
    device: str
    latency_ms: tuple[float, ...]

    @property
    def case(self) -> tuple[str, str]:
        """Configuration and device."""
        return self.configuration, self.device


def store_latencies(
    report: Path, name: str, latency_ms: Sequence[float], *, configuration: str, device: str
) -> StoredFile:
    """Write the latencies of a case into the folder of ``report``.

    Args:
        report: Path of the report, which need not exist yet.
        name: Begin of the file's name; one for each case.
        latency_ms: Milliseconds of each sentence, in the order of running.
        configuration: Of the case.
        device: Of the case.

    Raises:
        OSError: The file cannot be written.
        ValueError: A latency is not finite.
    """
    content = {
        "layout": LAYOUT,
        "configuration": configuration,
        "device": device,
        "latency_ms": list(map(float, latency_ms)),
    }
    buffer = io.BytesIO()
    # gzip.compress leaves the header to zlib, whose builds differ in it
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n")
    return store(report, name, LATENCIES, buffer.getvalue())


def read_latencies(path: Path) -> Latencies:
    """Read what ``store_latencies`` wrote.

    Raises:
        LatenciesError: It is not what it should be.
        OSError: The file cannot be read.
    """
    try:
        found = read(Latencies, json.loads(gzip.decompress(path.read_bytes())))
    except (EOFError, zlib.error, gzip.BadGzipFile, ParseError, ValueError) as error:
        raise LatenciesError(f"{path}: expected a file of latencies, found another: {error}") from error
    if found.layout != LAYOUT:
        raise LatenciesError(
            f"{path}: expected layout {LAYOUT}, found {found.layout}; read it with the leanner that wrote it"
        )
    return found
