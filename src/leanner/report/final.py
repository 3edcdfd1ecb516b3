"""The report at the end of a run: pytest-benchmark's JSON with leanner's parts, strict, valid and whole."""

from __future__ import annotations

import json

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING
from typing import Any

from leanner.atomic import write_atomically
from leanner.report.answer import answer
from leanner.report.record import SCHEMA
from leanner.report.repair import repair
from leanner.report.schema import validate


if TYPE_CHECKING:
    from pathlib import Path

    from leanner.report.record import CaseRecord
    from leanner.report.selection import Selection


class ReportError(ValueError):
    """A report is not what the schema says: a fault of leanner, which must not be written as if it were one."""


def leanner_part(
    records: Mapping[str, CaseRecord],
    *,
    timed: Collection[str],
    options: Mapping[str, Any],
    selection: Selection,
    resumed: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report's ``leanner``.

    Args:
        records: By node id, all of the run.
        timed: Node ids of those that lie beside a time of pytest-benchmark's.
        options: Every ``--leanner-…`` option and its value.
        selection: Which cases were to run.
        resumed: Node ids of those that an earlier run had measured.
    """
    order = {nodeid: place for place, nodeid in enumerate(selection.cases)}
    ordered = sorted(records, key=lambda nodeid: order.get(nodeid, len(order)))
    return {
        "schema": SCHEMA,
        "answer": answer([records[nodeid] for nodeid in ordered]),
        "options": dict(options),
        "selection": selection.to_json(),
        "without_time": {nodeid: records[nodeid].to_json() for nodeid in ordered if nodeid not in timed},
        "resumed": list(resumed),
        "repaired": [],
    }


def assemble(
    *,
    machine_info: Mapping[str, Any],
    commit_info: Mapping[str, Any],
    leanner: Mapping[str, Any],
    benchmarks: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a report where pytest-benchmark wrote none, in the shape of its own.

    It writes nothing if it timed nothing: all cases were not-run, or came from a journal.

    Args:
        machine_info: What ``pytest_benchmark_generate_machine_info`` gives.
        commit_info: What ``pytest_benchmark_generate_commit_info`` gives.
        leanner: See ``leanner_part``.
        benchmarks: Entries of an earlier run, with their records.
    """
    return {
        "machine_info": dict(machine_info),
        "commit_info": dict(commit_info),
        "benchmarks": [dict(benchmark) for benchmark in benchmarks],
        "datetime": datetime.now(UTC).isoformat(),
        "version": version("pytest-benchmark"),
        "leanner": dict(leanner),
    }


def finish(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``output`` as strict JSON can hold it, with what had to be changed under ``leanner.repaired``.

    Args:
        output: pytest-benchmark's output, or what is left of it after a detour over a file: with NaN,
            NumPy scalars or ``UNSERIALIZABLE[…]``.

    Raises:
        ReportError: The result is not what the schema says.
    """
    report, places = repair(output)
    if places and isinstance(report.get("leanner"), dict):
        report["leanner"]["repaired"] = [*report["leanner"].get("repaired", ()), *places]
    problems = validate(report)
    if problems:
        raise ReportError("\n".join(["the report is not what its schema says:", *map(str, problems)]))
    result: dict[str, Any] = report
    return result


def write_report(path: Path, output: Mapping[str, Any]) -> dict[str, Any]:
    """Replace ``path`` by the finished report, whole or not at all, and return it.

    Raises:
        ReportError: It is not what the schema says; ``path`` is as it was.
        OSError: It cannot be written; ``path`` is as it was.
    """
    report = finish(output)
    write_atomically(path, json.dumps(report, indent=4, ensure_ascii=True, allow_nan=False).encode() + b"\n")
    return report


def take_over(part: Path, path: Path) -> dict[str, Any]:
    """Finish what pytest-benchmark wrote to ``part``, replace ``path`` by it, remove ``part``, and return it.

    Raises:
        ReportError: It is not what the schema says; both files are as they were.
        ValueError: pytest-benchmark was cut off while it wrote; likewise.
        OSError: It cannot be read or written.
    """
    # json reads the NaN that pytest-benchmark writes.
    report = write_report(path, json.loads(part.read_bytes()))
    part.unlink()
    return report
