"""A report as it lies on the disk, read as strictly as it can be."""

from __future__ import annotations

import json

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from leanner.configurations import BASELINE
from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.parse import record_from_json
from leanner.report.problem import Problem
from leanner.report.schema import validate
from leanner.report.selection import Selection


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


class UnreadableError(ValueError):
    """A file is no report."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report in memory.

    Attributes:
        path: Where it lies; files are named relative to it.
        data: All of it.
        cases: The records by node id, in the order of running.
        benchmarks: pytest-benchmark's entries of the cases that it timed, by node id.
        options: Those of the run.
        selection: Which cases were to run.
    """

    path: Path
    data: Mapping[str, Any]
    cases: Mapping[str, CaseRecord]
    benchmarks: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Any]
    selection: Selection

    @property
    def measured(self) -> dict[str, CaseRecord]:
        """The cases with a result."""
        return {nodeid: record for nodeid, record in self.cases.items() if record.f1 is not None}

    @property
    def corpora(self) -> frozenset[str]:
        """Digests of the corpora that the cases with a result are of: one, if nobody edited the report."""
        return frozenset(record.corpus.sha256 for record in self.measured.values() if record.corpus is not None)

    def baseline(self, device: str) -> CaseRecord | None:
        """Return what the cases on ``device`` are held against, if it is among them."""
        records = self.measured.values()
        return next((r for r in records if r.configuration == BASELINE and r.device == device), None)


def read_report(path: Path) -> tuple[Report | None, list[Problem]]:
    """Return the report, or ``None`` and where it is not what the schema says.

    Raises:
        UnreadableError: It is no strict JSON, or nothing that leanner or pytest-benchmark wrote.
        OSError: It cannot be read.
    """
    data = strict_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("benchmarks"), list):
        raise UnreadableError(f"{path}: expected a report of pytest-benchmark with leanner's parts, found other JSON")
    if not isinstance(data.get("leanner"), dict):
        raise UnreadableError(f"{path}: expected leanner's part of a report, found none: no case of leanner ran")
    problems = validate(data)
    if problems:
        return None, problems
    cases: dict[str, CaseRecord] = {}
    benchmarks: dict[str, Mapping[str, Any]] = {}
    for place, nodeid, content, benchmark in _entries(data):
        if nodeid in cases:
            problems.append(Problem(place, f"expected each case once, found {nodeid} again"))
        try:
            cases[nodeid] = record_from_json(content, place)
        except ParseError as error:
            problems.append(Problem("", str(error)))
        if benchmark is not None:
            benchmarks[nodeid] = benchmark
    if problems:
        return None, problems
    leanner = data["leanner"]
    selection = read(Selection, leanner["selection"], "leanner.selection")
    order = {nodeid: number for number, nodeid in enumerate(selection.cases)}
    ordered = {nodeid: cases[nodeid] for nodeid in sorted(cases, key=lambda each: order.get(each, len(order)))}
    return Report(path, data, ordered, benchmarks, leanner["options"], selection), []


def strict_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the JSON in ``path``: no NaN, no infinity, no name twice in an object.

    Raises:
        UnreadableError: It is none.
        OSError: It cannot be read.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{twice!r} stands twice in one object, so readers may differ")
        return content

    try:
        return json.loads(path.read_bytes(), parse_constant=refuse, object_pairs_hook=once)
    except ValueError as error:  # a UnicodeDecodeError is one too
        raise UnreadableError(f"{path}: expected JSON, found what is none: {error}") from error


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Mapping[str, Any] | None]]:
    """Yield place, node id, content and pytest-benchmark's entry of each record."""
    for index, benchmark in enumerate(data["benchmarks"]):
        content = benchmark["extra_info"].get("leanner")
        if content is not None:
            yield f"benchmarks[{index}].extra_info.leanner", benchmark["fullname"], content, benchmark
    for nodeid, content in data["leanner"]["without_time"].items():
        yield f"leanner.without_time.{nodeid}", nodeid, content, None
