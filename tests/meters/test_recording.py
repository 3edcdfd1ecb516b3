from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.meters import EnergyMeter
from leanner.meters import MeterError
from leanner.meters import Reading
from leanner.meters import RecordingMeter
from leanner.meters import ReplayMeter
from leanner.meters.stored import read_traces
from leanner.meters.trace_files import find_trace_files
from leanner.meters.trace_files import trace_file
from meters import fake_sysfs
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.rig import Rig


if TYPE_CHECKING:
    from leanner.meters import Meter
    from leanner.meters import WindowKind


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(fake_sysfs.amd(tmp_path / "powercap"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "made" / "by recording"


@contextmanager
def recorder(rig: Rig, folder: Path | None) -> Iterator[RecordingMeter]:
    with rig.meter() as inner, RecordingMeter(inner, folder) as meter:
        yield meter


def window(
    rig: Rig, meter: Meter, joules: float, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None
) -> Reading:
    """Measure a second in which the packages draw ``joules``."""
    tree = rig.powercap
    assert tree is not None
    with meter.window(kind, rounds=rounds, sentences=sentences) as opened:
        rig.pass_time(10, lambda _: tree.spend("intel-rapl:0", joules / 10))
    return opened.reading


def test_a_recorder_changes_no_reading_and_keeps_its_trace(rig: Rig) -> None:
    with recorder(rig, None) as meter:
        meter.begin_case("int8")
        readings = [window(rig, meter, joules, rounds=2, sentences=50) for joules in (20.0, 30.0)]
        recorded = meter.recorded

    assert [reading.energy["cpu_package"].j for reading in readings] == pytest.approx([20.0, 30.0])
    assert recorded.case == "int8"
    assert [stored.reading(recorded.equipment) for stored in recorded.windows] == readings
    assert [stored.trace for stored in recorded.windows] == [reading.trace for reading in readings]
    assert [(stored.kind, stored.rounds, stored.sentences) for stored in recorded.windows] == [("round", 2, 50)] * 2


def test_each_case_has_its_file_and_the_session_one(rig: Rig, folder: Path) -> None:
    with recorder(rig, folder) as meter:
        window(rig, meter, 5.0, "idle-bare", rounds=0)
        meter.begin_case("int8")
        window(rig, meter, 20.0)
        window(rig, meter, 5.0, "idle-after", rounds=0)
        meter.begin_case("bf16")
        window(rig, meter, 30.0)
        meter.begin_case(None)
        window(rig, meter, 6.0, "idle-bare", rounds=0)

    kinds = {
        key: [stored.kind for stored in read_traces(path).windows] for key, path in find_trace_files(folder).items()
    }
    assert kinds == {
        ("cpu", None): ["idle-bare", "idle-bare"],
        ("cpu", "int8"): ["round", "idle-after"],
        ("cpu", "bf16"): ["round"],
    }
    assert sorted(path.name for path in folder.iterdir()) == ["cpu.bf16.jsonl.gz", "cpu.int8.jsonl.gz", "cpu.jsonl.gz"]


def test_what_has_ended_is_on_disk_before_the_next_case_runs(rig: Rig, folder: Path) -> None:
    # Naive: everything is written at the very end, which a killed run does not reach.
    with recorder(rig, folder) as meter:
        window(rig, meter, 5.0, "idle-bare", rounds=0)
        meter.begin_case("int8")
        assert set(find_trace_files(folder)) == {("cpu", None)}
        window(rig, meter, 20.0)
        meter.begin_case("bf16")
        assert set(find_trace_files(folder)) == {("cpu", None), ("cpu", "int8")}
        assert meter.recorded.windows == ()


def test_a_case_that_is_run_again_replaces_its_recording(rig: Rig, folder: Path) -> None:
    with recorder(rig, folder) as meter:
        for joules in (20.0, 30.0):
            meter.begin_case("int8")
            window(rig, meter, joules)

    stored = read_traces(trace_file(folder, "cpu", "int8"))
    assert [w.reading(stored.equipment).energy["cpu_package"].j for w in stored.windows] == pytest.approx([30.0])


def test_a_window_without_a_reading_is_not_recorded(rig: Rig, folder: Path) -> None:
    with recorder(rig, folder) as meter:
        meter.begin_case("int8")
        with pytest.raises(KeyError), meter.window():
            raise KeyError("the tagger")
        meter.start()
        meter.cancel()
        assert meter.recorded.windows == ()
        window(rig, meter, 20.0)

    assert len(read_traces(trace_file(folder, "cpu", "int8")).windows) == 1


def test_a_case_that_cannot_begin_leaves_no_windows_of_the_one_before(rig: Rig, folder: Path) -> None:
    with recorder(rig, folder) as meter:
        meter.begin_case("int8")
        window(rig, meter, 20.0)

    with RecordingMeter(ReplayMeter(folder, "cpu")) as meter:
        meter.begin_case("int8")
        with meter.window():
            pass
        assert [stored.kind for stored in meter.recorded.windows] == ["round"]
        with pytest.raises(MeterError, match="recording of bf16"):
            meter.begin_case("bf16")
        assert [stored.kind for stored in meter.recorded.windows] == []


def test_without_a_folder_nothing_is_written(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with recorder(rig, None) as meter:
        meter.begin_case("int8")
        window(rig, meter, 20.0)

    assert list(Path().iterdir()) == []


def test_closing_closes_the_meter_and_may_be_done_twice(folder: Path) -> None:
    nvml = FakeNvml(FakeGpu())
    with Rig(nvml=nvml).meter(device="cuda") as inner:
        meter = RecordingMeter(inner, folder)
        meter.close()
        meter.close()
        with pytest.raises(MeterError, match="closed"):
            meter.start()

    assert nvml.initialized == 0


def test_a_replay_is_not_recorded_again(rig: Rig, folder: Path) -> None:
    with recorder(rig, folder) as meter:
        window(rig, meter, 5.0, "idle-bare", rounds=0)

    assert {stored.kind for stored in read_traces(trace_file(folder, "cpu", None)).windows} == {"idle-bare"}
    replay = ReplayMeter(folder, "cpu")
    with pytest.raises(MeterError, match="drop --leanner-record-meters or --leanner-replay-meters"):
        RecordingMeter(replay, folder)
    RecordingMeter(replay).close()


@settings(max_examples=50, deadline=None)
@given(device=st.sampled_from(["cpu", "cuda", "cuda:1"]), case=st.none() | st.text(min_size=1, max_size=12))
def test_files_are_found_by_device_and_case(device: str, case: str | None) -> None:
    with TemporaryDirectory() as made:
        path = trace_file(Path(made), device, case)
        path.touch()

        assert find_trace_files(Path(made)) == {(device, case): path}


def test_files_that_are_being_written_are_no_recording(tmp_path: Path) -> None:
    (tmp_path / ".cpu.int8.jsonl.gz.4711").touch()
    (tmp_path / ".cpu.jsonl.gz").touch()
    (tmp_path / "notes.txt").touch()

    assert find_trace_files(tmp_path) == {}


def test_all_meters_are_one_to_those_who_use_them() -> None:
    # mypy holds each of these against the protocol; here, that none has forgotten to override a method.
    for kind in (EnergyMeter, RecordingMeter, ReplayMeter):
        assert {"equipment", "begin_case", "start", "stop", "cancel", "close"} <= set(vars(kind))
