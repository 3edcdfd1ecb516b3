"""Whether cases ran as the run was asked to, where pytest-benchmark says that it ran, and by what their passes need."""

from __future__ import annotations

import re

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner import configurations
from leanner.check.compare import compare
from leanner.measure.environment import ISA
from leanner.report.problem import Problem
from leanner.taggers.libraries import library_of


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord


_COMMIT: Final = re.compile("[0-9a-f]{40,64}")


def problems(report: Report) -> Iterator[Problem]:
    """Yield what differs."""
    for nodeid, record in report.cases.items():
        for problem in _where(record.environment, report.data):
            yield problem.under(nodeid)
    for nodeid, record in report.measured.items():
        for problem in _how(record, report.options):
            yield problem.under(nodeid)
    resumed = report.data["leanner"]["resumed"]
    if resumed and report.options["resume"] is None:
        yield Problem("leanner.resumed", f"expected no case, since nothing was resumed; found {', '.join(resumed)}")


def _where(environment: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Problem]:
    machine, commit = data["machine_info"], data["commit_info"].get("id")
    # pytest-benchmark looks where pytest was started, which may be in no checkout.
    if isinstance(commit, str) and _COMMIT.fullmatch(commit) and environment.get("commit") is not None:
        yield from compare("environment.commit", commit, environment["commit"], "commit_info.id")
    python = machine.get("python_version")
    if python is not None and "python" in environment:
        yield from compare("environment.python", python, environment["python"], "machine_info.python_version")
    cpu = machine.get("cpu")
    if not isinstance(cpu, Mapping):
        return
    if cpu.get("brand_raw") and "cpu" in environment:
        yield from compare("environment.cpu", cpu["brand_raw"], environment["cpu"], "machine_info.cpu.brand_raw")
    if isinstance(cpu.get("flags"), list) and "isa" in environment:
        isa = [name for name in ISA if name in cpu["flags"]]
        yield from compare("environment.isa", isa, environment["isa"], "machine_info.cpu.flags")


def _how(record: CaseRecord, options: Mapping[str, Any]) -> Iterator[Problem]:
    if record.memory is not None:
        yield from compare("memory.isolated", options["isolate"], record.memory.isolated, "the run's option")
    table = {configuration.name: configuration for configuration in configurations.known()}
    if (configuration := table.get(record.configuration)) is not None:
        given = [runtime for step in configuration.passes if (runtime := getattr(step, "runtime", None)) is not None]
        expected = given[-1] if given else library_of(options["tagger"])
        yield from compare("runtime", expected, record.runtime, "what the passes need")
