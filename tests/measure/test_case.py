from __future__ import annotations

import json
import weakref

from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.configurations import Bound
from leanner.configurations import Configuration
from leanner.configurations import named
from leanner.measure.assemble import record_of
from leanner.measure.case import Baseline
from leanner.measure.case import Conditions
from leanner.measure.case import Measured
from leanner.measure.case import measure_baseline
from leanner.measure.case import measure_case
from leanner.measure.floor import held
from leanner.measure.plan import PILOT_ROUNDS
from leanner.meters import Idle
from leanner.passes.protocol import NotRunnable
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.types import Label
from measure.fakes import FakeStopwatch
from measure.fakes import FakeTagger
from measure.fakes import Foresee
from measure.fakes import Forget
from measure.fakes import Refuse
from measure.fakes import articles
from measure.fakes import options
from measure.fakes import subject
from meters import fake_sysfs
from meters.rig import Rig


if TYPE_CHECKING:
    from leanner.measure.subject import Subject
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


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
            rest=lambda _: None,
            bare=None,
            least_window_s=0.0,
            first=held("cpu"),
            environment={"torch": "2"},
            device="cpu",
            # Made-up rounds last microseconds, whose spread asks for any number of them.
            options=options(precision_pct=1e6),
            say=lambda _: None,
        )


def alone(
    configuration: Configuration, given: Conditions, stopwatch: FakeStopwatch | None = None
) -> tuple[CaseRecord, Measured]:
    """Measure a case that is its own baseline."""
    measured = measure_case(configuration, given, stopwatch or FakeStopwatch())
    return record_of(configuration, given, measured, measured.itself), measured


def measure(
    configuration: Configuration, given: Conditions, stopwatch: FakeStopwatch | None = None
) -> tuple[CaseRecord, CaseRecord]:
    """Return the records of the baseline and of ``configuration`` held against it."""
    before, baseline = alone(named("fp32"), given, FakeStopwatch(1.0))
    held = Baseline(**{name: getattr(baseline.itself, name) for name in Baseline.__slots__})
    del baseline  # and its tagger
    after = measure_case(configuration, given, stopwatch or FakeStopwatch(0.5))
    return before, record_of(configuration, given, after, held)


def test_the_baseline_is_held_against_itself() -> None:
    with conditions() as given:
        record, measured = alone(named("fp32"), given)

    assert record.verdict is Verdict.RECORDED
    assert "it is the reference" in record.reasons
    assert record.f1 is not None
    assert record.f1["micro"] == 1.0
    assert record.f1_drop is not None
    assert (record.f1_drop.points, record.f1_drop.low, record.f1_drop.high) == (0.0, 0.0, 0.0)
    assert record.speedup is not None
    assert record.speedup.value == 1.0
    assert measured.itself.rounds_s == (0.5,) * 10


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


def test_rounds_tag_a_part_and_f1_is_of_all() -> None:
    texts: list[int] = []

    @dataclass
    class Counting(FakeTagger):
        def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
            chosen = tuple(documents)
            texts.append(sum(len(document.sentences) for document in chosen))
            return super().tag(chosen)

    corpus = subject(articles(24), round_sentences=20)
    with conditions(corpus=corpus, tagger=Counting()) as given:
        record, measured = alone(named("fp32"), given)

    assert texts.count(48) == 1
    assert texts.count(20) >= 10
    assert len(measured.itself.predictions) == 24
    assert record.f1 is not None
    assert record.f1["micro"] == 1.0
    assert record.time is not None
    assert (record.time.sentences, record.time.sentences_per_s) == (20, 40.0)
    # The pass over all of it, the round that warms up, and the pilot.
    assert len(record.time.warmup_s) >= 1 + 1 + PILOT_ROUNDS
    assert not any("other spans" in note for note in record.quality)


def test_rounds_that_give_other_spans_than_f1_is_of_are_said() -> None:
    # Counting on from document to document, this tagger forgets others where it is given a part.
    corpus = subject(articles(24)[1:], round_sentences=20)
    with conditions(corpus=corpus, tagger=FakeTagger(forgets=2)) as given:
        record, _ = alone(named("fp32"), given)

    assert any(note.startswith("rounds gave other spans than F1 is of in ") for note in record.quality)


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
    assert record.time.rounds_s == (0.5,) * 10
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


def test_f32_rounds_come_after_the_warm_up_and_are_ten_at_least() -> None:
    calls: list[str] = []
    watch = FakeStopwatch(calls=calls)
    with conditions(tagger=FakeTagger(on_tag=lambda: calls.append("tag"))) as given:
        _, measured = alone(named("fp32"), given, watch)

    warm_up = calls.index("setup")
    assert calls[:warm_up] == ["tag"] * len(measured.plan.warmup_s)
    assert warm_up >= 7
    assert calls[warm_up : warm_up + 40] == ["setup", "target", "tag", "teardown"] * 10
    assert calls[warm_up + 40 :] == ["tag"] * len(calls[warm_up + 40 :])


def test_interleaved_rounds_of_the_baseline_are_paired_and_untimed() -> None:
    loaded: list[FakeTagger] = []

    def load() -> FakeTagger:
        loaded.append(FakeTagger())
        return loaded[-1]

    with conditions() as given:
        woven = replace(given, load=load, options=options(precision_pct=1e6, interleave=True))
        before, record = measure(FORGETS, woven)

    # One tagger for the baseline case, one for the case, one for the rounds between.
    assert len(loaded) == 3
    assert loaded[2].forgets == 0
    assert record.speedup is not None
    assert record.speedup.paired
    assert record.time is not None
    assert len(record.time.rounds_s) == 10
    assert any("interleaved" in note for note in record.quality)
    assert before.speedup is not None
    assert not before.speedup.paired


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
        record, _ = alone(named("fp32"), given, FakeStopwatch(profiled=True))

    assert record.energy is not None
    assert len(record.energy.rounds_j) == 10


def test_an_untimed_baseline_gives_a_loss_and_no_speedup() -> None:
    with conditions() as given:
        baseline = measure_baseline(given)
        record = record_of(FORGETS, given, measure_case(FORGETS, given, FakeStopwatch()), baseline)

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
        idle = Idle(
            3.0,
            {"gpu": None, "cpu_package": 5.0, "cpu_core": None, "dram": None},
            {},
            random_w={"cpu_package": 0.1},
        )
        _, record = measure(REMEMBERS, replace(given, rest=lambda _: idle, bare=idle))

    energy = record.energy
    assert energy is not None
    assert energy.rounds_j == pytest.approx((30.0,) * 10)
    assert energy.total_j == pytest.approx(300.0)
    assert energy.net_j == pytest.approx(300.0 - 10 * 2 * 5.0)
    assert energy.per_1000_sentences_j == pytest.approx(1000 * 30 / 48)
    assert energy.domains["cpu_package"].source == "rapl"
    assert energy.low_j is not None
    assert energy.high_j is not None
    assert 0.9 * 300 < energy.low_j < 300.0 < energy.high_j < 1.1 * 300
    assert energy.idle is not None
    assert energy.idle.before_w["cpu_package"] == 5.0
    # Every prefix costs as much as the whole here: all of it is fixed.
    assert energy.marginal is not None
    assert energy.marginal.fixed_j == pytest.approx(30.0)
    assert energy.marginal.per_1000_sentences_j == pytest.approx(0.0, abs=1e-6)
    assert record.power is not None
    assert record.power.mean_w == pytest.approx(15.0)
    assert record.memory is not None
    assert record.memory.peak_host_mb == pytest.approx(500.0 - (record.memory.left_behind_host_mb or 0.0))


def test_doubts_at_rest_are_those_of_the_record(tmp_path: Path) -> None:
    rig = Rig(fake_sysfs.amd(tmp_path), interval_s=0.1)
    powercap = rig.powercap
    assert powercap is not None

    def tag() -> None:
        rig.clock.advance(0.2)
        powercap.spend("intel-rapl:0", 30.0)

    watts = {"gpu": None, "cpu_package": 5.0, "cpu_core": None, "dram": None}
    idle = Idle(3.0, watts, {}, {"cpu_package": 0.1}, quality=("another process was at work",), suspect=True)
    with conditions(rig, tagger=FakeTagger(on_tag=tag)) as given:
        calm, _ = alone(named("fp32"), given)
        record, _ = alone(named("fp32"), replace(given, rest=lambda _: idle))

    assert not calm.suspect
    assert record.suspect
    assert "at rest: another process was at work" in record.quality


def test_short_rounds_share_a_window(tmp_path: Path) -> None:
    powercap = fake_sysfs.QuickPowercap(tmp_path)
    powercap.add("intel-rapl:0", "package-0")
    rig = Rig(powercap)

    def tag() -> None:
        rig.clock.advance(0.01)
        powercap.spend("intel-rapl:0", 0.15)

    with conditions(rig, tagger=FakeTagger(on_tag=tag)) as given:
        # Their clock is the machine's: a round takes microseconds.
        record, measured = alone(named("fp32"), replace(given, least_window_s=2e-2))

    per_window = measured.plan.rounds_per_window
    assert per_window > 1
    assert record.energy is not None
    assert record.energy.rounds_per_window == per_window
    assert record.energy.rounds_j == pytest.approx((0.15 * per_window,) * 10)
    assert record.energy.per_1000_sentences_j == pytest.approx(1000 * 0.15 / 48)
    assert record.time is not None
    assert len(record.time.rounds_s) == 10 * per_window


def test_every_none_in_a_record_has_a_reason() -> None:
    with conditions(corpus=subject(articles(3))) as given:
        _, record = measure(REMEMBERS, given)

    # Not unknown but absent: not served, nothing pruned, no files.
    absent = {"served", "sparsity"}  # files come with the keeper
    for field in fields(CaseRecord):
        if getattr(record, field.name) is None and field.name not in absent:
            assert record.unknown.get(field.name), field.name
    for part in ("energy", "power", "memory", "time"):
        for name in (f.name for f in fields(getattr(record, part))):
            if getattr(getattr(record, part), name) is None:
                assert record.unknown.get(f"{part}.{name}") or record.unknown.get(part), f"{part}.{name}"
    json.dumps(record.to_json(), allow_nan=False)


def test_rounds_that_differ_are_told() -> None:
    calls = iter(range(1000))
    fickle = FakeTagger()
    fickle.on_tag = lambda: setattr(fickle, "forgets", 2 if next(calls) % 2 else 0)

    with conditions() as given:
        record, _ = alone(named("fp32"), replace(given, load=lambda: fickle))

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
        measure_case(Configuration("x", "made-up", (Refuse(),)), given, stopwatch)

    assert stopwatch.calls == []


def test_what_a_later_pass_foresees_is_heard_before_any_pass() -> None:
    passes = (Refuse(RuntimeError("expected no pass to be applied")), Foresee())
    with conditions() as given, pytest.raises(NotRunnable, match="lacks what it takes"):
        measure_case(Configuration("x", "made-up", passes), given, FakeStopwatch())


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
