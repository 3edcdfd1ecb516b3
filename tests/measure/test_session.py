from __future__ import annotations

import os
import tempfile

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leanner.configurations import Bound
from leanner.configurations import Configuration
from leanner.configurations import named
from leanner.measure import machine
from leanner.measure import session as module
from leanner.measure.errors import SetupError
from leanner.measure.session import Session
from leanner.meters import Idle
from leanner.meters import open_meter
from leanner.report.record import Verdict
from measure.fakes import FakeStopwatch
from measure.fakes import FakeTagger
from measure.fakes import Forget
from measure.fakes import Refuse
from measure.fakes import articles
from measure.fakes import options
from measure.fakes import subject
from meters import fake_sysfs


REFUSED = Configuration("refused", "made-up", (Refuse(),), bound=Bound(1.0, 1.0, "made up"))
BROKEN = Configuration("broken", "made-up", (Refuse(RuntimeError("a bug")),))
FORGETS = Configuration("forgets", "made-up", (Forget(2),), unbounded="made up")


class Bench:
    """A session with a made-up tagger and corpus on a machine whose powercap tree is made up too."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.loads: list[str] = []
        self.report: Path | None = None
        self.tagger = FakeTagger()
        monkeypatch.setattr(module, "load_by_name", self._load)
        monkeypatch.setattr(module, "load_subject", lambda _: subject(articles(24)))
        monkeypatch.setattr(machine, "open_meter", partial(open_meter, powercap=folder, sockets=lambda: None))
        monkeypatch.setattr(machine, "measure_idle", self._idle)
        # Rounds of microseconds would be repeated thousands of times.
        monkeypatch.setattr(machine, "least_window_s", lambda _: 0.0)
        self.idles: list[str] = []

    def session(self, **changes: Any) -> Session:  # noqa: ANN401 - any option
        """Return a new session."""
        given = options(precision_pct=1e6, **changes)
        return Session(given, self.folder, self.said.append, self.report)

    def _load(self, name: str, device: str, *, labels: str | None, mini_batch_size: int) -> FakeTagger:
        del labels
        self.loads.append(f"{name} on {device} by {mini_batch_size}")
        return replace(self.tagger)

    def _idle(self, meter: object, seconds: float, *, kind: str) -> Idle:
        del meter
        self.idles.append(kind)
        watts = {"gpu": None, "cpu_package": 0.0, "cpu_core": None, "dram": None}
        return Idle(seconds, watts, {}, {"cpu_package": 0.1})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


@pytest.fixture
def session(bench: Bench) -> Iterator[Session]:
    with_meter = bench.session()
    yield with_meter
    with_meter.close()


def run(session: Session, configuration: Configuration, watch: FakeStopwatch | None = None) -> Any:  # noqa: ANN401
    """Measure on the CPU under the configuration's name."""
    return session.measure(configuration, "cpu", configuration.name, watch or FakeStopwatch())


def test_records_are_kept_by_node_id_in_their_order(session: Session) -> None:
    for configuration in (named("fp32"), FORGETS):
        assert run(session, configuration) is session.records[configuration.name]

    assert list(session.records) == ["fp32", "forgets"]


def test_the_tagger_is_loaded_anew_for_each_case_as_the_options_say(bench: Bench, session: Session) -> None:
    run(session, named("fp32"))
    run(session, FORGETS)

    assert bench.loads == ["fake on cpu by 32"] * 2


def test_without_a_baseline_case_it_is_tagged_once_untimed(bench: Bench, session: Session) -> None:
    first, second = run(session, FORGETS), run(session, replace(FORGETS, name="again"))

    assert len(bench.loads) == 3
    assert first.f1_drop == second.f1_drop
    assert first.f1_drop.points == pytest.approx(100 / 3)
    assert first.speedup is None
    assert sum("not among the cases" in text for text in bench.said) == 1


def test_a_baseline_case_serves_the_cases_after_it(session: Session) -> None:
    run(session, named("fp32"), FakeStopwatch(3.0))

    assert run(session, FORGETS, FakeStopwatch(1.0)).speedup.value == 3.0


def test_what_cannot_run_is_recorded_with_its_reason(session: Session) -> None:
    record = run(session, REFUSED)

    assert record.verdict is Verdict.NOT_RUN
    assert record.reasons == ("this machine lacks what it takes",)
    assert set(record.unknown.values()) == {"this machine lacks what it takes"}
    assert record.f1 is None
    assert record.passes == ({"name": "refuse"},)
    assert record.corpus is not None
    assert session.records["refused"] is record
    record.to_json()


def test_an_error_is_recorded_and_raised(session: Session) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        run(session, BROKEN)

    record = session.records["broken"]
    assert record.verdict is Verdict.ERROR
    assert record.reasons == ("RuntimeError: a bug",)
    record.to_json()
    assert run(session, FORGETS).verdict is Verdict.RECORDED


def test_an_error_within_a_round_leaves_the_meter_usable(bench: Bench, session: Session) -> None:
    calls = iter(range(1000))

    def tag() -> None:
        if next(calls) == 3:
            raise MemoryError("no memory left")

    bench.tagger = FakeTagger(on_tag=tag)
    with pytest.raises(MemoryError):
        run(session, named("fp32"))

    assert session.records["fp32"].reasons == ("MemoryError: no memory left",)
    assert run(session, named("fp32")).verdict is Verdict.RECORDED


def test_a_corpus_that_cannot_be_read_leaves_no_case_to_run(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError("expected text in mine, found no sentence")

    monkeypatch.setattr(module, "load_subject", fail)
    with pytest.raises(SetupError, match="no sentence"):
        run(session, named("fp32"))

    assert not session.records


def test_a_tagger_that_cannot_be_loaded_is_an_error(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no such file")

    monkeypatch.setattr(module, "load_by_name", fail)
    with pytest.raises(OSError, match="no such file"):
        run(session, FORGETS)

    assert session.records["forgets"].verdict is Verdict.ERROR
    assert session.records["forgets"].tagger is None


def test_a_checkpoint_of_hugging_face_is_loaded_as_such_with_its_label_map(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def load(name: str, device: str, *, labels: str | None, mini_batch_size: int) -> FakeTagger:
        asked.append((name, device, labels, mini_batch_size))
        return FakeTagger()

    monkeypatch.setattr(module, "load_by_name", load)
    session = bench.session(tagger="hf:a/b", tagger_labels="labels.toml", batch_size=8)
    run(session, REFUSED)
    session.close()

    assert asked == [("hf:a/b", "cpu", "labels.toml", 8)]
    assert bench.loads == []
    assert session.records["refused"].runtime == "transformers"


def test_energy_that_is_required_and_not_there_is_an_error_with_the_remedy(bench: Bench) -> None:
    session = bench.session(energy="require")
    with pytest.raises(SetupError, match=r"energy is required, but cpu_package has no meter.*modprobe"):
        run(session, named("fp32"))
    session.close()


def test_rest_is_measured_bare_and_around_each_case_where_there_is_a_meter(bench: Bench, session: Session) -> None:
    run(session, named("fp32"))
    assert bench.idles == []

    tree = fake_sysfs.amd(bench.folder)
    bench.tagger = FakeTagger(on_tag=partial(tree.spend, "intel-rapl:0", 1.0))
    metered = bench.session(energy="auto", idle_s=3.0)
    assert run(metered, named("fp32")).energy.net_j is not None
    run(metered, FORGETS)
    assert bench.idles == ["idle-bare", *["idle-before", "idle-after"] * 2]
    metered.close()


def test_rest_is_measured_where_an_estimate_is_allowed_and_not_needed(bench: Bench) -> None:
    tree = fake_sysfs.amd(bench.folder)
    bench.tagger = FakeTagger(on_tag=partial(tree.spend, "intel-rapl:0", 1.0))
    session = bench.session(energy="estimate", watts_per_core=10.0, idle_s=3.0)
    record = run(session, named("fp32"))
    session.close()

    assert bench.idles == ["idle-bare", "idle-before", "idle-after"]
    assert record.energy.sources == ("rapl",)
    assert record.energy.net_j is not None


def test_rest_of_what_is_estimated_is_not_measured(bench: Bench) -> None:
    session = bench.session(energy="estimate", watts_per_core=10.0, idle_s=3.0)
    record = run(session, named("fp32"))
    session.close()

    assert bench.idles == []
    assert "--leanner-idle" not in record.unknown["energy.net_j"]


def test_rest_can_be_left_out(bench: Bench) -> None:
    tree = fake_sysfs.amd(bench.folder)
    bench.tagger = FakeTagger(on_tag=partial(tree.spend, "intel-rapl:0", 1.0))
    session = bench.session(energy="auto", idle_s=0.0)
    record = run(session, named("fp32"))
    session.close()

    assert bench.idles == []
    assert record.energy.total_j is not None
    assert record.energy.net_j is None
    assert record.unknown["energy.net_j"] == "idle power was not measured (--leanner-idle=0)"


def test_an_unknown_energy_mode_is_refused(bench: Bench) -> None:
    with pytest.raises(SetupError, match=r"expected an energy mode of auto, .*, off, found 'sometimes'"):
        bench.session(energy="sometimes").machine("cpu")


def test_a_device_is_opened_once_and_closed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    session = bench.session()
    opened = session.machine("cpu")
    assert session.machine("cpu") is opened

    closed: list[object] = []
    close: Callable[[], None] = opened.meter.close

    def closing(self: object) -> None:
        closed.append(self)
        close()

    monkeypatch.setattr(type(opened.meter), "close", closing)
    session.close()
    assert closed == [opened.meter]


def test_f15_a_device_that_another_run_measures_on_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(bench.folder))
    first, second = bench.session(lock="fail"), bench.session(lock="fail")
    run(first, FORGETS)
    with pytest.raises(SetupError, match=rf"process {os.getpid()} measures on cpu at this moment"):
        run(second, FORGETS)
    first.close()
    assert run(second, FORGETS).verdict is Verdict.RECORDED
    second.close()


def test_progress_is_told_with_the_name_of_the_case(bench: Bench, session: Session) -> None:
    run(session, FORGETS)

    assert bench.said[0] == "leanner: reading the corpus"
    assert all(text.startswith("leanner: forgets: ") for text in bench.said[1:])
    assert "recorded after" in bench.said[-1]
