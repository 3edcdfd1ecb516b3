"""A case's traces in a file: gzip JSON lines, the equipment first, then a line for each window.

A reading is a function of equipment and trace, so that the file is enough to compute every
joule again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final
from typing import NoReturn
from typing import get_args

from leanner.atomic import write_atomically
from leanner.meters.combine import Equipment
from leanner.meters.combine import combine
from leanner.meters.equipment_json import equipment_from_json
from leanner.meters.equipment_json import equipment_to_json
from leanner.meters.errors import TraceFileError
from leanner.meters.json_fields import Fields
from leanner.meters.meter import WindowKind
from leanner.meters.plugged import plugged_domain
from leanner.meters.plugged import with_plugged
from leanner.meters.thin import MOST
from leanner.meters.thin import thin
from leanner.meters.trace_json import trace_from_json
from leanner.meters.trace_json import trace_to_json


if TYPE_CHECKING:
    from leanner.meters.reading import EnergyDomain
    from leanner.meters.reading import Reading
    from leanner.meters.trace import Trace


#: Version of the layout; raised when a reader of the old one would misread the new one.
LAYOUT: Final = 2

_LAYOUT_KEY: Final = "leanner-traces"


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """One window.

    Attributes:
        kind: What it held.
        trace: Its samples.
        rounds: How many rounds it held.
        sentences: Sentences that each of them tagged; ``None`` if none did, or it is not known.
        peak_allocated_b: Peak of torch's allocator, in bytes.
        plugged: Joules of meters from outside; their samples are their own affair.
        thinned_from: Samples before the trace was thinned; ``None`` if these are all.
    """

    kind: WindowKind
    trace: Trace
    rounds: int = 1
    sentences: int | None = None
    peak_allocated_b: int | None = None
    plugged: Mapping[str, EnergyDomain] = field(default_factory=dict)
    thinned_from: int | None = None

    @classmethod
    def of(
        cls, reading: Reading, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None
    ) -> StoredWindow:
        """Return the window that gave ``reading``."""
        peak_mb = reading.peak_vram_allocated_mb
        # Bytes over 10^6 and back is exact up to petabytes: both steps round by 1 in 2^53.
        peak_b = None if peak_mb is None else round(peak_mb * 1e6)
        return cls(kind, reading.trace, rounds, sentences, peak_b, reading.plugged)

    def reading(self, equipment: Equipment) -> Reading:
        """Compute the reading."""
        return with_plugged(combine(equipment, self.trace, self.peak_allocated_b), self.plugged)

    def thinned(self, most: int = MOST) -> StoredWindow:
        """Return the window with about ``most`` samples of each source, see ``thin``."""
        trace = thin(self.trace, most)
        if trace is self.trace:
            return self
        return replace(self, trace=trace, thinned_from=self.thinned_from or len(self.trace.samples))


@dataclass(frozen=True, slots=True)
class StoredCase:
    """The windows of a case, in their order; ``case`` is ``None`` for those of the whole session."""

    case: str | None
    equipment: Equipment
    windows: tuple[StoredWindow, ...]

    def thinned(self, most: int = MOST) -> StoredCase:
        """Return the case with all its windows thinned."""
        return replace(self, windows=tuple(window.thinned(most) for window in self.windows))


def write_traces(path: Path, stored: StoredCase) -> str:
    """Write a case's windows; the file is there as a whole or not at all, and the same for the same content.

    Returns:
        SHA-256 of the file.

    Raises:
        ValueError: A number is not finite.
        OSError: The file cannot be written.
    """
    content = packed_traces(stored, path)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def packed_traces(stored: StoredCase, path: Path = Path("traces")) -> bytes:
    """Return the content of the file of a case.

    Args:
        stored: The case.
        path: Where it will lie, for errors.

    Raises:
        ValueError: A number is not finite.
    """
    header: dict[str, object] = {
        _LAYOUT_KEY: LAYOUT,
        "case": stored.case,
        "windows": len(stored.windows),
        "equipment": equipment_to_json(stored.equipment),
    }
    lines: list[dict[str, object]] = [header, *(_window_to_json(window) for window in stored.windows)]
    text = "".join(_dump(path, number, line) for number, line in enumerate(lines, 1))
    return gzip.compress(text.encode(), mtime=0)


def read_traces(path: Path) -> StoredCase:
    """Read what ``write_traces`` wrote.

    Raises:
        TraceFileError: It is not such a file, of another layout, torn, or changed.
        OSError: It cannot be read.
    """
    lines = _lines(path)
    header = Fields(_load(path, 1, lines[0]), f"{path}:1")
    if _LAYOUT_KEY not in header:
        _foreign(path, f"the first line has no member {_LAYOUT_KEY!r}")
    layout = header.get(_LAYOUT_KEY, int)
    if layout != LAYOUT:
        raise TraceFileError(
            f"{path}:1: expected traces of layout {LAYOUT}, found layout {layout}; read them with the version of "
            "leanner that wrote them, or record them again"
        )
    announced = header.count("windows")
    if announced != len(lines) - 1:
        raise TraceFileError(
            f"{path}:{len(lines)}: expected {announced} windows, as line 1 says, found {len(lines) - 1}; the file was "
            "cut or pasted together: take it from where it was recorded, or record it again"
        )
    return StoredCase(
        case=header.maybe("case", str),
        equipment=equipment_from_json(header.inner("equipment")),
        windows=tuple(
            _window_from_json(Fields(_load(path, number, line), f"{path}:{number}"))
            for number, line in enumerate(lines[1:], 2)
        ),
    )


def _window_to_json(window: StoredWindow) -> dict[str, object]:
    return {
        "kind": window.kind,
        "rounds": window.rounds,
        "sentences": window.sentences,
        "peak_allocated_b": window.peak_allocated_b,
        "thinned_from": window.thinned_from,
        "plugged": {
            name: {"j": domain.j, "reason": domain.reason, "detail": domain.detail}
            for name, domain in window.plugged.items()
        },
        **trace_to_json(window.trace),
    }


def _window_from_json(fields: Fields) -> StoredWindow:
    kinds: tuple[WindowKind, ...] = get_args(WindowKind)
    plugged = fields.inner("plugged")
    return StoredWindow(
        kind=fields.one_of("kind", kinds),
        trace=trace_from_json(fields),
        rounds=fields.count("rounds"),
        sentences=fields.maybe("sentences", int),
        peak_allocated_b=fields.maybe("peak_allocated_b", int),
        plugged={name: _plugged(name, plugged.inner(name)) for name in plugged},
        thinned_from=fields.maybe("thinned_from", int),
    )


def _plugged(name: str, fields: Fields) -> EnergyDomain:
    j, reason = fields.maybe_number("j"), fields.maybe("reason", str)
    if (j is None) is (reason is None):
        fields.refuse("joules, or null and a reason", (j, reason))
    return plugged_domain(name, j, reason, fields.maybe("detail", str))


def _dump(path: Path, number: int, line: Mapping[str, object]) -> str:
    try:
        return json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n"
    except ValueError as error:
        raise ValueError(f"{path}:{number}: expected finite numbers in a trace: {error}") from error


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    try:
        text = gzip.decompress(content).decode()
    except (EOFError, zlib.error) as error:
        raise TraceFileError(
            f"{path}: expected the end of a gzip file, found a torn one ({error}); copy it again from where it was "
            "recorded, or record it again"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        _foreign(path, str(error))
    if not text.endswith("\n"):
        _foreign(path, "there is no line" if not text else "the last line has no end")
    return text.removesuffix("\n").split("\n")


def _load(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line, parse_constant=_finite, parse_float=_finite)
    except ValueError as error:
        _foreign(path, str(error), number)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _foreign(path: Path, why: str, number: int = 1) -> NoReturn:
    raise TraceFileError(
        f"{path}:{number}: expected gzip JSON lines of meter traces, as leanner writes them, found something else "
        f"({why}); name a file or folder that --leanner-record-meters made, or record again"
    )
