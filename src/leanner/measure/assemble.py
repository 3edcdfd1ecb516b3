"""From what was seen of a case to its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from leanner.configurations import BASELINE
from leanner.configurations import Configuration
from leanner.measure import floor
from leanner.measure.doubts import is_suspect
from leanner.measure.joules import energy_of
from leanner.measure.joules import mean_utilization
from leanner.measure.joules import power_of
from leanner.measure.parts import gpu_of
from leanner.measure.parts import memory_of
from leanner.measure.parts import quality_of
from leanner.measure.parts import sampler_of
from leanner.measure.parts import sparsity_of
from leanner.measure.parts import time_of
from leanner.measure.statistics import by_window
from leanner.measure.statistics import latency
from leanner.measure.statistics import speedup
from leanner.measure.statistics import speedup_of_pairs
from leanner.report.costs import Flops
from leanner.report.predictions import spans_sha256
from leanner.report.record import CaseRecord
from leanner.report.record import F1Drop
from leanner.report.record import TaggerInfo
from leanner.report.record import Verdict
from leanner.scoring.agreement import second_opinion
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.f1 import f1_scores
from leanner.scoring.verdict import decide


if TYPE_CHECKING:
    from leanner.measure.case import Baseline
    from leanner.measure.case import Conditions
    from leanner.measure.case import Measured
    from leanner.report.costs import Speedup


def record_of(
    configuration: Configuration, conditions: Conditions, measured: Measured, baseline: Baseline
) -> CaseRecord:
    """Score a case, hold it against the baseline, and put down what it cost.

    Args:
        configuration: What was measured.
        conditions: On what and how.
        measured: What was seen.
        baseline: Of this session; the case itself if it is the baseline.
    """
    subject, options, device = conditions.subject, conditions.options, conditions.device
    tagger, this = measured.tagger, measured.itself
    readings = measured.metered.readings
    unknown: dict[str, str] = {}
    scores = f1_scores(this.counts)
    unknown.update({f"f1.{name}": reason for name, reason in scores.reasons.items()})
    loss = f1_loss(baseline.counts, this.counts, seed=options.seed)
    if loss.reason is not None:
        unknown["f1_drop"] = loss.reason
    bound = configuration.bound.on(subject.info.name) if configuration.bound else None
    if bound is None:
        unknown["f1_drop.bound"] = configuration.unbounded or "no bound is promised"
    decision = decide(loss, bound)
    why = configuration.bound.reason if configuration.bound else configuration.unbounded
    opinion = second_opinion(subject.documents, this.predictions, tagger.labels)
    behind = floor.left_behind(conditions.first, measured.held_before)
    return CaseRecord(
        configuration=configuration.name,
        family=configuration.family,
        passes=tuple(step.describe() for step in configuration.passes),
        runtime=tagger.runtime,
        device=device,
        verdict=Verdict(decision.verdict),
        reasons=(*decision.reasons, why) if why else decision.reasons,
        tagger=TaggerInfo(tagger.name, tagger.weights_sha256, measured.original.parameters),
        corpus=subject.info,
        environment=conditions.environment,
        seed=options.seed,
        served=measured.served,
        f1={**{k: v for k, v in scores.to_dict().items() if k != "reasons"}, "seqeval": opinion.to_dict()},
        f1_drop=None if loss.points is None else F1Drop(loss.points, loss.low, loss.high, bound),
        energy=energy_of(measured.metered, subject.timed.sentences, unknown),
        power=power_of(readings, unknown),
        gpu_utilization_pct=mean_utilization(readings, unknown),
        gpu=gpu_of(readings, unknown, device),
        sampler=sampler_of(readings, unknown),
        memory=memory_of(readings, this.weights, behind, device, unknown, isolated=options.isolate),
        time=time_of(measured, subject, unknown),
        latency_ms=latency(measured.latency_ms),
        speedup=_speedup(measured, baseline, options.seed, unknown),
        flops=Flops(theoretical=this.weights.flops, ratio=baseline.weights.flops / this.weights.flops),
        sparsity=sparsity_of(configuration, this.weights),
        quality=(
            *quality_of(measured, subject, options.precision_pct, behind),
            *_other_spans(measured.served),
            *(() if opinion.exact else (f"seqeval disagrees on the spans that words can represent: {opinion.micro}",)),
        ),
        suspect=is_suspect(measured.metered),
        files={"traces": None, "predictions": None, "spans_sha256": spans_sha256(this.predictions)},
        unknown=unknown,
    )


def _other_spans(served: Mapping[str, Any] | None) -> tuple[str, ...]:
    same = {} if served is None else served["same_spans"]
    asked = same.get("requests")
    notes = []
    if same.get("differ"):
        notes.append(f"the server gave other spans than the same batches here in {same['differ']} of {asked} requests")
    if same.get("differ_in_other_batches"):
        share = f"{same['differ_in_other_batches']} of {asked} sentences"
        notes.append(f"spans depend on what else is in a batch: {share} have others in other batches")
    return tuple(notes)


def _speedup(measured: Measured, baseline: Baseline, seed: int, unknown: dict[str, str]) -> Speedup | None:
    rounds = measured.rounds
    if not measured.rounds_s:
        unknown["speedup"] = "pytest-benchmark was disabled: no round was timed"
        return None
    if rounds.rival_s:
        own_s = by_window(measured.rounds_s, rounds.per_window)
        return speedup_of_pairs(rounds.rival_s, own_s, against=BASELINE, seed=seed)
    if baseline.rounds_s is None:
        unknown["speedup"] = f"{BASELINE} was not timed in this run"
        return None
    return speedup(baseline.rounds_s, measured.rounds_s, against=BASELINE, seed=seed)
