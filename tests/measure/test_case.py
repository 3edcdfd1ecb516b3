from __future__ import annotations

import json
import weakref

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.configurations import Bound
from leanner.configurations import Configuration
from leanner.configurations import named
from leanner.measure.case import Conditions
from leanner.measure.case import measure_baseline
from leanner.measure.case import measure_case
from leanner.measure.case import spans_sha256
from leanner.meters import Idle
from leanner.passes.protocol import NotRunnable
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.types import Label
from leanner.types import Span
from measure.fakes import FakeStopwatch
from measure.fakes import FakeTagger
from measure.fakes import Forget
from measure.fakes import Refuse
from measure.fakes import articles
from measure.fakes import subject
from meters import fake_sysfs
from meters.rig import Rig


if TYPE_CHECKING:
    from leanner.measure.case import Baseline
    from leanner.measure.subject import Subject
    from leanner.taggers.protocol import Prediction


BOUND = Bound(1.0, 50.0, "a made-up promise")
FORGETS = Configuration("forgets", "made-up", (Forget(2),), bound=BOUND)
REMEMBERS = Configuration("remembers", "made-up", (Forget(0),), bound=BOUND)


@contextmanager
def conditions(
    rig: Rig | None = None, corpus: Subject | None = None, tagger: FakeTagger | None = None
) -> Iterator[Conditions]:
    """Conditions on a made-up machine; a pass over the documents takes a second of its clock."""
    rig = rig or Rig()
    tagger = tagger or FakeTagger(on_tag=lambda: rig.clock.advance(1.0))
    with rig.meter("auto" if rig.powercap else "off") as meter:
        yield Conditions(
            subject=corpus or subject(articles(24)),
            load=lambda: replace(tagger),
            meter=meter,
            idle=lambda: None,
            environment={"torch": "2"},
            device="cpu",
            seconds=0.0,
            seed=0,
            say=lambda _: None,
        )


def never() -> Baseline:
    raise AssertionError("a baseline is its own")


def measure(
    configuration: Configuration, given: Conditions, stopwatch: FakeStopwatch | None = None
) -> tuple[CaseRecord, CaseRecord]:
    """Return the records of the baseline and of ``configuration`` held against it."""
    before, baseline = measure_case(named("fp32"), given, FakeStopwatch(1.0), never)
    after, _ = measure_case(configuration, given, stopwatch or FakeStopwatch(0.5), lambda: baseline)
    return before, after


def test_the_baseline_is_held_against_itself() -> None:
    with conditions() as given:
        record, baseline = measure_case(named("fp32"), given, FakeStopwatch(), never)

    assert record.verdict is Verdict.RECORDED
    assert "it is the reference" in record.reasons
    assert record.f1 is not None
    assert record.f1["micro"] == 1.0
    assert record.f1_drop is not None
    assert (record.f1_drop.points, record.f1_drop.low, record.f1_drop.high) == (0.0, 0.0, 0.0)
    assert record.speedup is not None
    assert record.speedup.value == 1.0
    assert baseline.rounds_s == (0.5,) * 5


def test_a_loss_beyond_the_bound_fails_with_the_bound_and_its_reason() -> None:
    with conditions() as given:
        _, record = measure(FORGETS, given)

    assert record.verdict is Verdict.FAIL
    assert record.f1_drop is not None
    # Half of the mentions are found, none is wrong: F1 is 2/3.
    assert record.f1_drop.points == pytest.approx(100 / 3)
    assert record.f1_drop.bound == 1.0
    assert "above the bound of 1" in record.reasons[0]
    assert "a made-up promise" in record.reasons


def test_the_bundled_corpus_has_a_bound_of_its_own() -> None:
    with conditions(corpus=subject(articles(24), "bundled")) as given:
        _, record = measure(FORGETS, given)

    assert record.verdict is Verdict.PASS
    assert record.f1_drop is not None
    assert record.f1_drop.bound == 50.0


def test_without_a_bound_the_loss_is_recorded_and_why() -> None:
    with conditions() as given:
        _, record = measure(replace(FORGETS, bound=None, unbounded="who knows"), given)

    assert record.verdict is Verdict.RECORDED
    assert "who knows" in record.reasons
    assert record.f1_drop is not None
    assert record.f1_drop.bound is None
    assert record.unknown["f1_drop.bound"] == "who knows"


def test_few_articles_have_no_interval_and_no_verdict() -> None:
    with conditions(corpus=subject(articles(19))) as given:
        _, record = measure(REMEMBERS, given)

    assert record.verdict is Verdict.INCONCLUSIVE
    assert record.f1_drop is not None
    assert (record.f1_drop.points, record.f1_drop.low, record.f1_drop.high) == (0.0, None, None)
    assert "19 articles" in record.unknown["f1_drop"]


def test_time_is_that_of_the_rounds_and_speedup_the_ratio() -> None:
    with conditions() as given:
        before, record = measure(REMEMBERS, given)

    assert record.time is not None
    assert record.time.rounds_s == (0.5,) * 5
    assert record.time.median_s == 0.5
    assert record.time.sentences_per_s == 48 / 0.5
    assert record.time.tokens_per_s == 240 / 0.5
    assert record.time.prepare_s is not None
    assert record.time.prepare_s >= 0.0
    assert before.time is not None
    assert before.time.prepare_s == 0.0
    assert record.speedup is not None
    assert (record.speedup.value, record.speedup.low, record.speedup.high) == (2.0, 2.0, 2.0)
    assert record.speedup.against == "fp32"


def test_the_budget_decides_the_rounds_between_five_and_fifty() -> None:
    with conditions() as given:
        patient, hasty = FakeStopwatch(), FakeStopwatch()
        measure_case(named("fp32"), replace(given, seconds=1e6), patient, never)
        measure_case(named("fp32"), given, hasty, never)

    assert patient.calls.count("target") == 50
    assert hasty.calls == ["setup", "target", "teardown"] * 5


def test_disabled_benchmarks_still_give_f1_without_time() -> None:
    with conditions() as given:
        _, record = measure(REMEMBERS, given, FakeStopwatch(disabled=True))

    assert record.verdict is Verdict.PASS
    assert record.time is not None
    assert (record.time.rounds_s, record.time.median_s, record.time.sentences_per_s) == ((), None, None)
    assert record.unknown["time"] == "pytest-benchmark was disabled: no round was timed"
    assert record.speedup is None
    assert record.unknown["speedup"]


def test_a_round_of_the_profiler_does_not_count() -> None:
    with conditions() as given:
        record, _ = measure_case(named("fp32"), given, FakeStopwatch(profiled=True), never)

    assert record.energy is not None
    assert len(record.energy.rounds_j) == 5


def test_an_untimed_baseline_gives_a_loss_and_no_speedup() -> None:
    with conditions() as given:
        baseline = measure_baseline(given)
        record, _ = measure_case(FORGETS, given, FakeStopwatch(), lambda: baseline)

    assert record.f1_drop is not None
    assert record.f1_drop.points == pytest.approx(100 / 3)
    assert record.speedup is None
    assert record.unknown["speedup"] == "fp32 was not timed in this run"


def test_each_round_is_metered_and_nothing_else(tmp_path: Path) -> None:
    rig = Rig(fake_sysfs.amd(tmp_path))
    powercap = rig.powercap
    assert powercap is not None

    def tag() -> None:
        rig.clock.advance(2.0)
        powercap.spend("intel-rapl:0", 30.0)

    with conditions(rig, tagger=FakeTagger(on_tag=tag)) as given:
        idle = Idle(3.0, {"gpu": None, "cpu_package": 5.0, "cpu_core": None, "dram": None}, {})
        _, record = measure(REMEMBERS, replace(given, idle=lambda: idle))

    assert record.energy is not None
    assert record.energy.rounds_j == pytest.approx((30.0,) * 5)
    assert record.energy.total_j == pytest.approx(150.0)
    assert record.energy.net_j == pytest.approx(150.0 - 5 * 2 * 5.0)
    assert record.energy.per_1000_sentences_j == pytest.approx(1000 * 30 / 48)
    assert record.energy.domains["cpu_package"].source == "rapl"
    assert record.power is not None
    assert record.power.mean_w == pytest.approx(15.0)
    assert record.memory is not None
    assert record.memory.peak_host_mb == pytest.approx(500.0)


def test_every_none_in_a_record_has_a_reason() -> None:
    with conditions(corpus=subject(articles(3))) as given:
        _, record = measure(REMEMBERS, given)

    # Not unknown but absent: not served, nothing pruned, no files.
    absent = {"served", "sparsity"}
    for field in fields(CaseRecord):
        if getattr(record, field.name) is None and field.name not in absent:
            assert record.unknown.get(field.name), field.name
    for part in ("energy", "power", "memory", "time"):
        for name in (f.name for f in fields(getattr(record, part))):
            if getattr(getattr(record, part), name) is None and name != "marginal":
                assert record.unknown.get(f"{part}.{name}") or record.unknown.get(part), f"{part}.{name}"
    json.dumps(record.to_json(), allow_nan=False)


def test_rounds_that_differ_are_told() -> None:
    calls = iter(range(1000))
    fickle = FakeTagger()
    fickle.on_tag = lambda: setattr(fickle, "forgets", 2 if next(calls) % 2 else 0)

    with conditions() as given:
        record, _ = measure_case(named("fp32"), replace(given, load=lambda: fickle), FakeStopwatch(), never)

    assert any("rounds gave 2 different sets of spans" in note for note in record.quality)


def test_what_the_tagger_says_of_itself_is_in_the_record() -> None:
    with conditions(tagger=FakeTagger(quality=["it lacks DISEASE"])) as given:
        _, record = measure(REMEMBERS, given)

    assert "it lacks DISEASE" in record.quality
    assert record.tagger is not None
    assert (record.tagger.name, record.tagger.weights_sha256) == ("fake", "a" * 64)
    # 4 × 3 weights and 3 biases.
    assert record.tagger.parameters == 15


def test_labels_that_the_tagger_lacks_are_unknown_with_a_reason() -> None:
    with conditions(tagger=FakeTagger(labels=frozenset({Label.GENE}))) as given:
        _, record = measure(REMEMBERS, given)

    assert record.f1 is not None
    assert record.f1["DISEASE"] is None
    assert record.unknown["f1.DISEASE"] == "the tagger does not give this label"


def test_a_pass_that_cannot_run_is_heard_before_any_round() -> None:
    stopwatch = FakeStopwatch()
    with conditions() as given, pytest.raises(NotRunnable, match="lacks what it takes"):
        measure_case(Configuration("x", "made-up", (Refuse(),)), given, stopwatch, never)

    assert stopwatch.calls == []


def test_spans_digest_tells_every_difference() -> None:
    gene, disease = Span(0, 4, Label.GENE), Span(0, 4, Label.DISEASE)
    predictions: list[list[Prediction]] = [
        [((gene,), ())],
        [((), (gene,))],
        [((gene,),), ((),)],
        [((disease,), ())],
        [((gene, Span(5, 6, Label.GENE)), ())],
        [((Span(0, 5, Label.GENE),), ())],
        [((), ())],
    ]

    assert len({spans_sha256(prediction) for prediction in predictions}) == len(predictions)
    assert spans_sha256(predictions[0]) == spans_sha256([((Span(0, 4, Label.GENE),), ())])


def test_the_tagger_of_a_case_is_gone_before_the_next_is_loaded() -> None:
    loaded: list[weakref.ref[FakeTagger]] = []
    alive: list[int] = []

    def load() -> FakeTagger:
        alive.append(sum(reference() is not None for reference in loaded))
        tagger = FakeTagger()
        loaded.append(weakref.ref(tagger))
        return tagger

    with conditions() as given:
        measure(REMEMBERS, replace(given, load=load))

    assert alive == [0, 0]
