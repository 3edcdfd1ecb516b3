"""A session: the cases of one pytest run, what they share, and the records they leave."""

from __future__ import annotations

import time

from collections.abc import Callable
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from leanner.configurations import BASELINE
from leanner.configurations import Configuration
from leanner.measure.assemble import record_of
from leanner.measure.case import Baseline
from leanner.measure.case import Conditions
from leanner.measure.case import measure_baseline
from leanner.measure.case import measure_case
from leanner.measure.environment import describe
from leanner.measure.errors import SetupError
from leanner.measure.finished import Finished
from leanner.measure.isolation import Job
from leanner.measure.isolation import measure_isolated
from leanner.measure.keeping import Keeper
from leanner.measure.lock import device_lock
from leanner.measure.machine import Machine
from leanner.measure.subject import Subject
from leanner.measure.subject import load_subject
from leanner.measure.traces import as_measured
from leanner.measure.traces import as_stored
from leanner.meters import MeterError
from leanner.meters.stored import packed_traces
from leanner.passes.protocol import NotRunnable
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.report.reuse import Wanted
from leanner.taggers.by_name import load_by_name
from leanner.taggers.errors import TaggerError
from leanner.taggers.libraries import library_of


if TYPE_CHECKING:
    from leanner.measure.timing import Stopwatch
    from leanner.options import Options
    from leanner.taggers.protocol import Tagger


@dataclass(slots=True)
class Session:
    """Runs cases one after the other and keeps their records by pytest's node id.

    Args:
        options: How to measure.
        root: A folder of the checkout whose commit is recorded.
        say: Told of the progress.
        report: The report that the files of the cases lie beside; ``None`` if none is asked for.
        given: The corpus, if it was read already.

    Attributes:
        records: Of all cases so far.
        resumed: Node ids of those that come from a journal.
    """

    options: Options
    root: Path
    say: Callable[[str], None]
    report: Path | None = None
    given: Subject | None = None
    records: dict[str, CaseRecord] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)
    _machines: dict[str, Machine] = field(default_factory=dict)
    _baselines: dict[str, Baseline] = field(default_factory=dict)
    _keeper: Keeper | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    @property
    def benchmarks(self) -> Mapping[str, Mapping[str, Any]]:
        """pytest-benchmark's entries of the cases that come from a journal, by node id."""
        return {} if self._keeper is None else self._keeper.benchmarks

    @property
    def resumable_files(self) -> frozenset[str]:
        """Paths of files beside the report that are of cases which only the resumed journal has."""
        return frozenset() if self._keeper is None else self._keeper.named(self.records.keys())

    @property
    def subject(self) -> Subject:
        """The corpus, read at the first use."""
        if self.given is None:
            self.say("leanner: reading the corpus")
            try:
                self.given = load_subject(self.options)
            except (ValueError, OSError) as error:  # a CorpusError is a ValueError
                raise SetupError(str(error)) from error
        return self.given

    def machine(self, device: str) -> Machine:
        """The device with its meter and its lock, opened at the first use."""
        if device not in self._machines:
            try:
                machine = Machine.open(self.options, device, describe(self.root, device))
                self._held.callback(machine.close)
                self._held.enter_context(device_lock(machine.lock_name, self.options.lock, self.say))
                machine.rest_bare()
            except (MeterError, OSError) as error:
                raise SetupError(str(error)) from error
            self._machines[device] = machine
        return self._machines[device]

    def tagger(self, device: str) -> Tagger:
        """Load the tagger anew: passes change it."""
        asked = self.options
        try:
            return load_by_name(asked.tagger, device, labels=asked.tagger_labels, mini_batch_size=asked.batch_size)
        except TaggerError as error:
            raise SetupError(str(error)) from error

    def measure(self, configuration: Configuration, device: str, nodeid: str, stopwatch: Stopwatch) -> CaseRecord:
        """Measure one case and keep its record, whatever comes of it.

        Raises:
            SetupError: No case can run; there is no record.
            Exception: What the case raised, after it was recorded with the verdict ``error``.
        """
        self.machine(device)
        _ = self.subject
        self._keep()  # a journal that cannot be written is better known before a case than behind it
        if (record := self._resume(configuration, device, nodeid)) is not None:
            return record
        name = configuration.name if device == "cpu" else f"{configuration.name} on {device}"
        began = time.perf_counter()
        try:
            finished = self._finish(configuration, device, stopwatch)
        except NotRunnable as reason:
            record = self._without_result(configuration, device, Verdict.NOT_RUN, str(reason))
            self.records[nodeid] = self._keep().without_result(nodeid, record)
            return record
        except SetupError:
            raise
        except Exception as error:
            record = self._without_result(configuration, device, Verdict.ERROR, f"{type(error).__name__}: {error}")
            self.records[nodeid] = self._keep().without_result(nodeid, record)
            raise
        self._baselines.setdefault(device, finished.baseline)
        record = self._keep().case(nodeid, finished, self.subject.documents, stopwatch)
        self.records[nodeid] = record
        self.say(f"leanner: {name}: {record.verdict} after {time.perf_counter() - began:.0f} s")
        return record

    def run(
        self, configuration: Configuration, device: str, stopwatch: Stopwatch, baseline: Baseline | None
    ) -> Finished:
        """Measure one case in this process.

        Args:
            configuration: What to measure.
            device: Torch device.
            stopwatch: Times the rounds.
            baseline: What it is held against; tagged once for it if ``None``.

        Raises:
            NotRunnable: This machine or device cannot run a pass.
        """
        machine = self.machine(device)
        conditions = self._conditions(configuration, machine)
        try:
            machine.meter.begin_case(configuration.name)
            measured = measure_case(configuration, conditions, stopwatch)
            stored = as_measured(machine.stored(), len(measured.metered.readings))
            measured = replace(measured, metered=as_stored(measured.metered, stored))
        finally:
            machine.meter.cancel()
            machine.meter.begin_case(None)
        if configuration.name == BASELINE:
            baseline = measured.itself
        elif baseline is None:
            conditions.say(f"tagging once with {BASELINE}, which is not among the cases of this run")
            baseline = measure_baseline(conditions)
        record = record_of(configuration, conditions, measured, baseline)
        return Finished(record, measured.itself, baseline, packed_traces(stored), measured.latency_ms)

    def close(self) -> None:
        """Close the meters and the journal, and give up the locks."""
        try:
            self._held.close()
        finally:
            if self._keeper is not None:
                self._keeper.close()

    def _finish(self, configuration: Configuration, device: str, stopwatch: Stopwatch) -> Finished:
        baseline = self._baselines.get(device)
        if not self.options.isolate:
            return self.run(configuration, device, stopwatch, baseline)
        self.machine(device)  # locked, and refused if it cannot be metered as asked
        job = Job(configuration, device, self.options, self.root, self.subject, baseline)
        return measure_isolated(job, stopwatch, self.say)

    def _conditions(self, configuration: Configuration, machine: Machine) -> Conditions:
        name = configuration.name if machine.device == "cpu" else f"{configuration.name} on {machine.device}"
        return Conditions(
            subject=self.subject,
            load=lambda: self.tagger(machine.device),
            meter=machine.meter,
            rest=machine.rest,
            bare=machine.bare,
            least_window_s=machine.least_window_s,
            first=machine.first,
            environment=machine.environment,
            device=machine.device,
            options=self.options,
            say=lambda text: self.say(f"leanner: {name}: {text}"),
        )

    def _keep(self) -> Keeper:
        if self._keeper is None:
            environment = next(iter(self._machines.values())).environment if self._machines else {}
            corpus = None if self.given is None else self.given.info
            try:
                self._keeper = Keeper.open(self.options, self.report, environment, corpus)
            except (OSError, ValueError) as error:  # a JournalError is a ValueError
                raise SetupError(str(error)) from error
        return self._keeper

    def _resume(self, configuration: Configuration, device: str, nodeid: str) -> CaseRecord | None:
        if self.options.resume is None:
            return None
        machine = self.machine(device)
        subject = self.subject
        wanted = Wanted(
            configuration=configuration.name,
            passes=tuple(step.describe() for step in configuration.passes),
            device=device,
            weights_sha256=machine.weights_sha256(lambda: self.tagger(device)),
            corpus_sha256=subject.info.sha256,
            environment=machine.environment,
            options=self.options.to_json(),
        )
        reused = self._keep().reuse(nodeid, wanted, self.say)
        if reused is None:
            return None
        if configuration.name == BASELINE:
            predictions = self._keep().predictions(reused, subject.documents)
            rounds_s = reused.time.rounds_s if reused.time else None
            self._baselines[device] = Baseline.of(self.tagger(device), subject.documents, predictions, rounds_s)
        self.records[nodeid] = reused
        self.resumed.append(nodeid)
        return reused

    def _without_result(self, configuration: Configuration, device: str, verdict: Verdict, reason: str) -> CaseRecord:
        return CaseRecord(
            configuration=configuration.name,
            family=configuration.family,
            passes=tuple(step.describe() for step in configuration.passes),
            runtime=library_of(self.options.tagger),
            device=device,
            verdict=verdict,
            reasons=(reason,),
            tagger=None,
            corpus=None if self.given is None else self.given.info,
            environment=self._machines[device].environment if device in self._machines else describe(self.root, device),
            seed=self.options.seed,
            unknown=dict.fromkeys(_UNKNOWN_WITHOUT_RESULT, reason),
        )


_UNKNOWN_WITHOUT_RESULT = (
    *("tagger", "corpus", "f1", "f1_drop", "energy", "power", "gpu_utilization_pct", "gpu", "sampler", "memory"),
    *("time", "latency_ms", "speedup", "flops"),
)
