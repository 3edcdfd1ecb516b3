"""Whether every case that was to run is in the report, as the table of configurations has it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner import configurations
from leanner.check.compare import compare
from leanner.passes.protocol import Particular
from leanner.report.problem import Problem
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.configurations import Configuration


_TABLE: Final = "as the table of configurations has it"


def problems(report: Report) -> Iterator[Problem]:
    """Yield cases that are missing, that were not asked for, and that are not what the table says."""
    for nodeid, record in report.cases.items():
        benchmark = report.benchmarks.get(nodeid, {})
        for problem in (*_against_the_table(record), *_against_pytest(record, benchmark)):
            yield problem.under(nodeid)
    selection = report.selection
    for nodeid in selection.cases:
        if nodeid not in report.cases:
            yield Problem(nodeid, "expected a record: leanner.selection says that the case was to run; found none")
    for nodeid in report.cases:
        if nodeid not in selection.cases:
            yield Problem(nodeid, "expected only cases that leanner.selection names, found one more")
    for nodeid in report.data["leanner"]["resumed"]:
        if nodeid not in report.cases:
            yield Problem("leanner.resumed", f"expected only cases of this report, found {nodeid}")
    if selection.is_whole:
        yield from _missing_of_a_whole_run(report)


def _missing_of_a_whole_run(report: Report) -> Iterator[Problem]:
    options, selection = report.options, report.selection
    asked = options["device"]
    if asked == "auto":
        asked = "cuda" if selection.markers.strip() == "gpu" else "cpu"
    present = {(record.configuration, record.device) for record in report.cases.values()}
    for device in sorted({asked, *(device for _, device in present)}):
        for family in selection.families:
            everything, control = options["everything"], bool(options.get("aa"))
            for configuration in configurations.family(family, everything=everything, control=control):
                if (configuration.name, device) not in present:
                    text = (
                        f"expected {configuration.name} on {device}, which the table of configurations has and "
                        "nothing left out (not-run would do); found no record of it"
                    )
                    yield Problem("leanner.selection", text)


def _against_pytest(record: CaseRecord, benchmark: Mapping[str, Any]) -> Iterator[Problem]:
    parameters = benchmark.get("params")
    if isinstance(parameters, Mapping) and "case" in parameters:
        found = [record.configuration, record.device]
        yield from compare("configuration", parameters["case"], found, "as pytest's parameters have it")


def _against_the_table(record: CaseRecord) -> Iterator[Problem]:
    try:
        configuration = configurations.named(record.configuration)
    except KeyError as error:
        yield Problem("configuration", str(error.args[0]))
        return
    yield from compare("family", configuration.family, record.family, _TABLE)
    passes = [dict(step.describe()) for step in configuration.passes]
    yield from compare("passes", passes, [dict(step) for step in record.passes], _TABLE)
    if record.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        if not record.reasons:
            yield Problem("reasons", f"expected a reason for the verdict {record.verdict}, found none")
        elif record.verdict is Verdict.NOT_RUN:
            yield from _refused(record, configuration)
        for name in ("f1", "f1_drop", "energy", "time", "speedup", "latency_ms", "served"):
            if getattr(record, name) is not None:
                yield Problem(name, f"expected null beside the verdict {record.verdict}, found a result")
        return
    yield from _served(record, configuration)
    if record.f1 is None:
        yield Problem("f1", f"expected scores beside the verdict {record.verdict}, found null")
    if record.f1_drop is not None and record.corpus is not None:
        bound = configuration.bound.on(record.corpus.name) if configuration.bound else None
        yield from compare("f1_drop.bound", bound, record.f1_drop.bound, _TABLE)


def _served(record: CaseRecord, configuration: Configuration) -> Iterator[Problem]:
    """Yield where a case was served by another server, or in other batches, than its configuration says."""
    expected = None if configuration.served is None else configuration.served.describe()
    found = record.served and {"server": record.served["server"]["name"], "batching": record.served["batching"]}
    yield from compare("served", expected, found, _TABLE)


def _refused(record: CaseRecord, configuration: Configuration) -> Iterator[Problem]:
    """Yield reasons for which no pass of the configuration leaves a case out on this device."""
    gpu = record.environment.get("gpu")
    passes = [step for step in configuration.passes if isinstance(step, Particular)]
    possible = {reason for step in passes for reason in step.refusals(record.device, gpu)}
    possible.update(() if configuration.served is None else configuration.served.refusals())
    for reason in record.reasons:
        if reason not in possible:
            text = f"expected a reason for which a pass of {record.configuration} cannot run on {record.device}"
            yield Problem("reasons", f"{text}; found {reason!r}")
