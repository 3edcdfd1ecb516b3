"""One case: a configuration, measured from preparation to verdict."""

from __future__ import annotations

import gc
import hashlib

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

from leanner.configurations import BASELINE
from leanner.configurations import Configuration
from leanner.measure.joules import energy_of
from leanner.measure.joules import mean_utilization
from leanner.measure.joules import power_of
from leanner.measure.parts import memory_of
from leanner.measure.parts import quality_of
from leanner.measure.parts import sparsity_of
from leanner.measure.parts import time_of
from leanner.measure.rounds import rounds_within
from leanner.measure.rounds import single_stream
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.measure.statistics import latency
from leanner.measure.statistics import speedup
from leanner.report.record import CaseRecord
from leanner.report.record import F1Drop
from leanner.report.record import Flops
from leanner.report.record import TaggerInfo
from leanner.report.record import Verdict
from leanner.scoring.agreement import second_opinion
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import ArticleCounts
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.scoring.verdict import decide
from leanner.taggers.weights import Weights
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.measure.subject import Subject
    from leanner.meters import EnergyMeter
    from leanner.meters import Idle
    from leanner.meters import Reading
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


#: Fewer rounds say nothing about their spread; more are not worth the wait.
LEAST_ROUNDS = 5
MOST_ROUNDS = 50
LATENCY_SENTENCES = 200


class Stopwatch(Protocol):
    """pytest-benchmark's ``benchmark`` fixture, as far as a case needs it."""

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
        iterations: int,
    ) -> object:
        """Call ``target`` in rounds, ``setup`` and ``teardown`` around each and outside its time."""
        ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all cases of a session on one device share."""

    subject: Subject
    load: Callable[[], Tagger]
    meter: EnergyMeter
    idle: Callable[[], Idle | None]
    environment: Mapping[str, Any]
    device: str
    seconds: float
    seed: int
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What later cases are held against; ``rounds_s`` is ``None`` if the baseline was not timed."""

    counts: ArticleCounts
    weights: Weights
    rounds_s: tuple[float, ...] | None


@dataclass(slots=True)
class _Rounds:
    """Collects what each round leaves behind: its reading, and a digest of its spans."""

    tagger: Tagger
    conditions: Conditions
    readings: list[Reading] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)
    under_way: bool = False

    def run(self) -> None:
        self.predictions = tag_all(self.tagger, self.conditions.subject.documents)

    def begin(self) -> None:
        self.conditions.meter.start()
        self.under_way = True

    def end(self) -> None:
        self.readings.append(self.conditions.meter.stop())
        self.under_way = False
        self.digests.add(spans_sha256(self.predictions))

    def close(self, number: int) -> None:
        # Disabled, pytest-benchmark runs one round and calls no teardown; profiling, it runs one more.
        if self.under_way:
            self.end()
        del self.readings[number:]


def spans_sha256(predictions: Sequence[Prediction]) -> str:
    """Return a digest of all spans: two runs with the same one tagged the same."""
    digest = hashlib.sha256()
    for prediction in predictions:
        for spans in prediction:
            digest.update(";".join(f"{s.start},{s.end},{s.label}" for s in spans).encode() + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()


def measure_baseline(conditions: Conditions) -> Baseline:
    """Tag the corpus once with the unchanged tagger, untimed."""
    tagger = conditions.load()
    predictions = tag_all(tagger, conditions.subject.documents)
    return Baseline(
        counts=count_matches(conditions.subject.documents, predictions, tagger.labels),
        weights=weigh(tagger.model),
        rounds_s=None,
    )


def measure_case(
    configuration: Configuration,
    conditions: Conditions,
    stopwatch: Stopwatch,
    baseline: Callable[[], Baseline],
) -> tuple[CaseRecord, Baseline]:
    """Prepare, warm up, time, meter and score one configuration.

    Args:
        configuration: What to do to the tagger.
        conditions: Corpus, meter and device.
        stopwatch: Times the rounds; ``stats`` of pytest-benchmark are read from it.
        baseline: Returns the baseline of this session; not called for the baseline itself.

    Returns:
        The record, and this case as a baseline for others.

    Raises:
        NotRunnable: This machine or device cannot run a pass.
    """
    gc.collect()
    say, subject = conditions.say, conditions.subject
    tagger = conditions.load()
    original = weigh(tagger.model)
    say("preparing")
    prepare_s = 0.0
    for step in configuration.passes:
        tagger, seconds = timed(partial(step, tagger))
        prepare_s += seconds
    weights = weigh(tagger.model)
    rounds = _Rounds(tagger, conditions)
    _, pilot_s = timed(rounds.run)
    number = rounds_within(conditions.seconds, pilot_s, least=LEAST_ROUNDS, most=MOST_ROUNDS)
    say(f"{number} rounds of about {pilot_s:.1f} s")
    stopwatch.pedantic(
        rounds.run, setup=rounds.begin, teardown=rounds.end, rounds=number, warmup_rounds=0, iterations=1
    )
    rounds.close(number)
    rounds_s = _seconds(stopwatch)
    counts = count_matches(subject.documents, rounds.predictions, tagger.labels)
    say("single sentences")
    singles = single_stream(tagger, subject.documents, sentences=LATENCY_SENTENCES, seed=conditions.seed)
    this = Baseline(counts=counts, weights=weights, rounds_s=rounds_s or None)
    held = this if configuration.name == BASELINE else baseline()
    scores = f1_scores(counts)
    loss = f1_loss(held.counts, counts, seed=conditions.seed)
    bound = configuration.bound.on(subject.info.name) if configuration.bound else None
    decision = decide(loss, bound)
    why = configuration.bound.reason if configuration.bound else configuration.unbounded
    idle = conditions.idle()
    energy, unknown = energy_of(rounds.readings, idle, subject.info.sentences)
    power = power_of(rounds.readings, unknown)
    memory = memory_of(rounds.readings, weights, conditions.device, unknown)
    faster = None
    if rounds_s and held.rounds_s:
        faster = speedup(held.rounds_s, rounds_s, against=BASELINE, seed=conditions.seed)
    else:
        unknown["speedup"] = f"{BASELINE} was not timed in this run"
    if not rounds_s:
        unknown["time"] = "pytest-benchmark was disabled: no round was timed"
    if loss.reason is not None:
        unknown["f1_drop"] = loss.reason
    if bound is None:
        unknown["f1_drop.bound"] = configuration.unbounded or "no bound is promised"
    unknown.update({f"f1.{name}": reason for name, reason in scores.reasons.items()})
    opinion = second_opinion(subject.documents, rounds.predictions, tagger.labels)
    quality = quality_of(tagger, rounds.readings, rounds_s, len(rounds.digests), subject) + (
        () if opinion.exact else (f"seqeval disagrees on the spans that words can represent: F1 {opinion.micro}",)
    )
    record = CaseRecord(
        configuration=configuration.name,
        family=configuration.family,
        passes=tuple(step.describe() for step in configuration.passes),
        runtime=tagger.runtime,
        device=conditions.device,
        verdict=Verdict(decision.verdict),
        reasons=(*decision.reasons, why) if why else decision.reasons,
        tagger=TaggerInfo(tagger.name, tagger.weights_sha256, original.parameters),
        corpus=subject.info,
        environment=conditions.environment,
        f1={**{k: v for k, v in scores.to_dict().items() if k != "reasons"}, "seqeval": opinion.to_dict()},
        f1_drop=None if loss.points is None else F1Drop(loss.points, loss.low, loss.high, bound),
        energy=energy,
        power=power,
        gpu_utilization_pct=mean_utilization(rounds.readings, unknown),
        memory=memory,
        time=time_of(rounds_s, subject, prepare_s),
        latency_ms=latency(singles),
        speedup=faster,
        flops=Flops(theoretical=weights.flops, ratio=held.weights.flops / weights.flops),
        sparsity=sparsity_of(configuration, weights),
        quality=quality,
        suspect=any(reading.suspect for reading in rounds.readings),
        files={
            "traces": None,
            "predictions": {"path": None, "sha256": spans_sha256(rounds.predictions)},
        },
        unknown=unknown,
    )
    return record, this


def _seconds(stopwatch: Stopwatch) -> tuple[float, ...]:
    # Metadata.stats of pytest-benchmark; None when benchmarks are disabled.
    metadata = getattr(stopwatch, "stats", None)
    return () if metadata is None else tuple(float(seconds) for seconds in metadata.stats.data)
