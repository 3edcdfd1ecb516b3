"""The log of a search: whatever it saw, with the time at which it saw it, and whatever it decided.

Decisions follow from what was seen. Who is given what another search saw decides as it did: that is how a search is
replayed, and gone on with.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Self
from typing import TypeVar

from leanner.measure.search.trial import Trial
from leanner.report.json_lines import LineFile
from leanner.report.json_lines import begin_lines
from leanner.report.json_lines import line_of
from leanner.report.json_lines import parsed
from leanner.report.json_lines import start_of
from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.parse import shown


if TYPE_CHECKING:
    from leanner.measure.search.trial import Clock


#: Version of the log's lines.
FORMAT: Final = 1


class SearchLogError(ValueError):
    """A log is broken, or not of this search; the message begins with file:line."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """How fast the baseline is.

    Attributes:
        sentences: That it tagged.
        sentence_s: Seconds for each.
        weights_mb: Bytes of its weights as stored, in MB = 10^6 bytes.
    """

    sentences: int
    sentence_s: float
    weights_mb: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A candidate that cannot run here.

    Attributes:
        candidate: Its name.
        reason: As its pass says.
    """

    candidate: str
    reason: str


_KINDS: Final[Mapping[str, type[Pilot | Refusal | Trial]]] = {"pilot": Pilot, "refusal": Refusal, "trial": Trial}

Seen = TypeVar("Seen", Pilot, Refusal | Trial)


class Log:
    """What is seen and decided, in order: from a file as far as it goes, then as it happens.

    Args:
        file: Where it is written; ``None`` for nowhere.
        recorded: What another search wrote, each line with its place.
        again: Whether what is recorded is seen again, to compare the spans; the times stay those of the record.
        clock: Tells how long the search has been going on.

    Attributes:
        elapsed_s: Seconds from the begin of the search until the last that was seen.
    """

    def __init__(
        self,
        file: LineFile | None,
        recorded: deque[tuple[str, Mapping[str, Any]]],
        clock: Clock,
        *,
        again: bool = False,
    ) -> None:
        self.elapsed_s = 0.0
        self._file: Final = file
        self._recorded: Final = recorded
        self._clock: Final = clock
        self._again: Final = again
        self._began: float | None = None if recorded else clock()

    @classmethod
    def begin(cls, path: Path | None, asked: Mapping[str, Any], clock: Clock) -> Self:
        """Start a log; one that is there is kept beside it, its name ending in ``.old``.

        Args:
            path: Of the file; ``None`` for no file.
            asked: What the search was asked to do, ready for JSON.
            clock: Tells the time.

        Raises:
            OSError: It cannot be written.
        """
        file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = begin_lines(path, {"search": FORMAT, **asked})
        return cls(file, deque(), clock)

    @classmethod
    def resume(cls, path: Path, asked: Mapping[str, Any], clock: Clock) -> Self:
        """Go on with a log; a torn last line is cut off.

        Raises:
            SearchLogError: It is broken, or another search wrote it.
            OSError: It cannot be read or written.
        """
        recorded, whole = _read(path, asked)
        os.truncate(path, whole)
        return cls(LineFile(path), recorded, clock)

    @classmethod
    def replay(cls, path: Path, asked: Mapping[str, Any], clock: Clock) -> Self:
        """Do what a log says, and compare the spans.

        Raises:
            SearchLogError: It is broken, or another search wrote it.
            OSError: It cannot be read.
        """
        return cls(None, _read(path, asked)[0], clock, again=True)

    def see(self, name: str, look: Callable[[], Seen]) -> Seen:
        """Return what ``look`` returns, or what is recorded of it.

        Args:
            name: Of the candidate; ``pilot`` for the baseline.
            look: Measures.

        Raises:
            SearchLogError: The log goes on otherwise, or the spans differ from the recorded ones.
        """
        if self._recorded:
            place, line = self._recorded.popleft()
            content = dict(line)
            kind, found_name, elapsed_s = (content.pop(key, None) for key in ("event", "name", "elapsed_s"))
            if kind not in _KINDS or found_name != name or not isinstance(elapsed_s, float):
                raise SearchLogError(f"{place}: expected what was seen of {name}, found {shown(line)}; {_OTHERWISE}")
            try:
                seen: Any = read(_KINDS[kind], content)
            except ParseError as error:
                raise SearchLogError(f"{place}: {error}") from error
            if self._again and (difference := _difference(seen, look())):
                raise SearchLogError(f"{place}: {name}: {difference}; this machine, or its software, is not the same")
            self.elapsed_s = elapsed_s
            recorded: Seen = seen
            return recorded
        if self._again:
            raise SearchLogError(f"the log ends before {name} was seen; its search was cut off: go on with --resume")
        if self._began is None:
            self._began = self._clock() - self.elapsed_s
        new = look()
        self.elapsed_s = float(self._clock() - self._began)
        kind = next(kind for kind, of in _KINDS.items() if isinstance(new, of))
        self._write({"event": kind, "name": name, "elapsed_s": self.elapsed_s, **dataclasses.asdict(new)})
        return new

    def decide(self, what: str, content: Mapping[str, Any]) -> None:
        """Note a decision.

        Args:
            what: Is decided.
            content: Ready for JSON.

        Raises:
            SearchLogError: The log has another one.
        """
        line = json.loads(line_of({"event": what, **content}))
        if self._recorded:
            place, found = self._recorded.popleft()
            if found != line:
                raise SearchLogError(f"{place}: expected {shown(line)}, found {shown(found)}; {_OTHERWISE}")
        else:
            self._write(line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.append(line)


_OTHERWISE: Final = "another version of leanner decides otherwise: use the one that wrote the log"


def _difference(recorded: Pilot | Refusal | Trial, seen: Pilot | Refusal | Trial) -> str | None:
    if type(recorded) is not type(seen):
        return f"expected {shown(dataclasses.asdict(recorded))}, found {shown(dataclasses.asdict(seen))}"
    if isinstance(recorded, Trial) and isinstance(seen, Trial) and recorded.spans_sha256 != seen.spans_sha256:
        return f"expected spans with the sha256 {recorded.spans_sha256}, found {seen.spans_sha256}"
    return None


def _read(path: Path, asked: Mapping[str, Any]) -> tuple[deque[tuple[str, Mapping[str, Any]]], int]:
    """Return the lines behind the first one with their places, and the bytes of the whole ones."""
    lines = list(io.BytesIO(path.read_bytes()))
    recorded: deque[tuple[str, Mapping[str, Any]]] = deque()
    whole = 0
    for number, line in enumerate(lines, start=1):
        data = parsed(line)
        if data is None and 1 < number == len(lines):
            break
        if data is None:
            raise SearchLogError(f"{path}:{number}: expected a line of JSON, found {start_of(line)}")
        if number == 1:
            _check_asked(path, data, json.loads(line_of({"search": FORMAT, **asked})))
        else:
            recorded.append((f"{path}:{number}", data))
        whole += len(line)
    if not lines:
        raise SearchLogError(f"{path}:1: expected the log of a search, found an empty file")
    return recorded, whole


def _check_asked(path: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if found.get("search") != FORMAT:
        raise SearchLogError(f"{path}:1: expected the log of a search, format {FORMAT}, found {shown(found)}")
    different = [
        f"{name} is {shown(expected.get(name))} and was {shown(found.get(name))}"
        for name in {**expected, **found}
        if expected.get(name) != found.get(name)
    ]
    if different:
        raise SearchLogError(f"{path}:1: expected the log of this search, found another: {'; '.join(different)}")
