"""A session: the cases of one pytest run, what they share, and the records they leave."""

from __future__ import annotations

import importlib
import time

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from leanner.configurations import BASELINE
from leanner.configurations import Configuration
from leanner.measure.case import Baseline
from leanner.measure.case import Conditions
from leanner.measure.case import Stopwatch
from leanner.measure.case import measure_baseline
from leanner.measure.case import measure_case
from leanner.measure.environment import describe
from leanner.measure.errors import SetupError
from leanner.measure.subject import Subject
from leanner.measure.subject import load_subject
from leanner.meters import EnergyMeter
from leanner.meters import Idle
from leanner.meters import MeterError
from leanner.meters import cuda_hooks
from leanner.meters import measure_idle
from leanner.meters import open_meter
from leanner.passes.protocol import NotRunnable
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.taggers.errors import TaggerError
from leanner.taggers.load import load_tagger


if TYPE_CHECKING:
    from leanner.options import Options
    from leanner.taggers.protocol import Tagger


#: Seconds of rest whose power is subtracted; long against the update of any counter.
IDLE_S = 3.0


@dataclass(slots=True)
class Session:
    """Runs cases one after the other and keeps their records by pytest's node id."""

    options: Options
    root: Path
    say: Callable[[str], None]
    records: dict[str, CaseRecord] = field(default_factory=dict)
    _subject: Subject | None = None
    _meters: dict[str, EnergyMeter] = field(default_factory=dict)
    _baselines: dict[str, Baseline] = field(default_factory=dict)
    _idle: dict[str, Idle] = field(default_factory=dict)

    @property
    def subject(self) -> Subject:
        """The corpus, read at the first use."""
        if self._subject is None:
            self.say("leanner: reading the corpus")
            try:
                self._subject = load_subject(self.options)
            except (ValueError, OSError) as error:  # a CorpusError is a ValueError
                raise SetupError(str(error)) from error
        return self._subject

    def meter(self, device: str) -> EnergyMeter:
        """The meter for cases on ``device``, opened at the first use."""
        if device not in self._meters:
            try:
                self._meters[device] = open_meter(
                    self.options.energy,
                    device,
                    interval_s=self.options.interval_s,
                    watts_per_core=self.options.watts_per_core,
                    cuda=cuda_hooks(importlib.import_module("torch"), device),
                )
            except MeterError as error:
                raise SetupError(str(error)) from error
        return self._meters[device]

    def tagger(self, device: str) -> Tagger:
        """Load the tagger anew: passes change it."""
        try:
            return load_tagger(self.options.tagger, device, mini_batch_size=self.options.batch_size)
        except TaggerError as error:
            raise SetupError(str(error)) from error

    def measure(self, configuration: Configuration, device: str, nodeid: str, stopwatch: Stopwatch) -> CaseRecord:
        """Measure one case and keep its record, whatever comes of it.

        Raises:
            SetupError: No case can run; there is no record.
            Exception: What the case raised, after it was recorded with the verdict ``error``.
        """
        name = configuration.name if device == "cpu" else f"{configuration.name} on {device}"
        began = time.perf_counter()
        try:
            conditions = self._conditions(device, name)
            record, measured = measure_case(configuration, conditions, stopwatch, lambda: self._baseline(conditions))
        except NotRunnable as reason:
            record = self._without_result(configuration, device, Verdict.NOT_RUN, str(reason))
        except SetupError:
            raise
        except Exception as error:
            reason_text = f"{type(error).__name__}: {error}"
            self.records[nodeid] = self._without_result(configuration, device, Verdict.ERROR, reason_text)
            raise
        else:
            if configuration.name == BASELINE:
                self._baselines[device] = measured
        finally:
            for meter in self._meters.values():
                meter.cancel()
        self.records[nodeid] = record
        self.say(f"leanner: {name}: {record.verdict} after {time.perf_counter() - began:.0f} s")
        return record

    def close(self) -> None:
        """Close the meters."""
        for meter in self._meters.values():
            meter.close()

    def _conditions(self, device: str, name: str) -> Conditions:
        return Conditions(
            subject=self.subject,
            load=lambda: self.tagger(device),
            meter=self.meter(device),
            idle=lambda: self._idle_power(device),
            environment=describe(self.root, device),
            device=device,
            seconds=self.options.seconds,
            seed=self.options.seed,
            say=lambda text: self.say(f"leanner: {name}: {text}"),
        )

    def _baseline(self, conditions: Conditions) -> Baseline:
        if conditions.device not in self._baselines:
            conditions.say(f"tagging once with {BASELINE}, which is not among the cases of this run")
            self._baselines[conditions.device] = measure_baseline(conditions)
        return self._baselines[conditions.device]

    def _idle_power(self, device: str) -> Idle | None:
        meter = self.meter(device)
        works = "gpu" if meter.equipment.on_gpu else "cpu_package"
        if works in meter.equipment.missing():
            return None
        if device not in self._idle:
            self._idle[device] = measure_idle(meter, IDLE_S)
        return self._idle[device]

    def _without_result(self, configuration: Configuration, device: str, verdict: Verdict, reason: str) -> CaseRecord:
        return CaseRecord(
            configuration=configuration.name,
            family=configuration.family,
            passes=tuple(step.describe() for step in configuration.passes),
            runtime="flair",
            device=device,
            verdict=verdict,
            reasons=(reason,),
            tagger=None,
            corpus=None if self._subject is None else self._subject.info,
            environment=describe(self.root, device),
            unknown={"f1": reason, "energy": reason, "time": reason},
        )
