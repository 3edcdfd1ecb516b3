from __future__ import annotations

import dataclasses
import shutil

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.meters import MeterError
from leanner.meters import Reading
from leanner.meters import RecordingMeter
from leanner.meters import ReplayMeter
from leanner.meters import measure_idle
from leanner.meters import net_energy
from leanner.meters.errors import TraceFileError
from meters import fake_sysfs
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.rig import Rig


if TYPE_CHECKING:
    from leanner.meters import WindowKind


Recorded = dict[tuple[str | None, str], list[Reading]]


@pytest.fixture
def folder(recording: tuple[Path, Recorded], tmp_path: Path) -> Path:
    return Path(shutil.copytree(recording[0], tmp_path / "recording"))


@pytest.fixture
def recorded(recording: tuple[Path, Recorded]) -> Recorded:
    return recording[1]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorded]:
    """Two cases on a GPU machine: rounds of 200 sentences, prefixes, rest before and after, and the session's rest."""
    gpu = FakeGpu(processes=[(100, 2_000_000_000)])
    folder = tmp_path_factory.mktemp("recording")
    tree = fake_sysfs.amd(tmp_path_factory.mktemp("powercap"))
    rig = Rig(tree, FakeNvml(gpu))
    readings: Recorded = {}

    def step(gpu_j: float, _: int) -> None:
        tree.spend("intel-rapl:0", 1.0)
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += round(1000 * gpu_j)
        gpu.instant_mw = {0: round(1e4 * gpu_j)}

    plan: list[tuple[str | None, WindowKind, int, int | None, float]] = [
        (None, "idle-bare", 0, None, 5.0),
        ("fp32", "idle-before", 0, None, 6.0),
        *(("fp32", "round", 2, 200, 30.0 + number) for number in range(3)),
        *(("fp32", "prefix", 2, sentences, sentences / 5) for sentences in (50, 100, 200)),
        ("fp32", "idle-after", 0, None, 7.0),
        *(("fp16", "round", 2, 200, 20.0 + number) for number in range(2)),
    ]
    with rig.meter(device="cuda") as inner, RecordingMeter(inner, folder) as meter:
        begun: str | None = None
        for case, kind, rounds, sentences, gpu_j in plan:
            if case != begun:
                meter.begin_case(case)
                begun = case
            with meter.window(kind, rounds=rounds, sentences=sentences) as window:
                rig.pass_time(20, partial(step, gpu_j))
            readings.setdefault((case, kind), []).append(window.reading)
    return folder, readings


def replayed(meter: ReplayMeter, kind: WindowKind = "round", rounds: int = 2, sentences: int | None = 200) -> Reading:
    with meter.window(kind, rounds=rounds, sentences=sentences) as window:
        pass
    return window.reading


def figures(reading: Reading) -> Reading:
    """Leave out what a replay adds."""
    kept = tuple(note for note in reading.quality if not note.startswith("replayed from"))
    return dataclasses.replace(reading, quality=kept, replayed=None)


def test_recorded_windows_come_back_in_order_through_the_same_arithmetic(recorded: Recorded, folder: Path) -> None:
    with ReplayMeter(folder, "cuda") as meter:
        meter.begin_case("fp32")
        first = [replayed(meter) for _ in range(3)]
        meter.begin_case("fp16")
        second = [replayed(meter) for _ in range(2)]

    assert list(map(figures, first)) == recorded["fp32", "round"]
    assert list(map(figures, second)) == recorded["fp16", "round"]
    assert first[0].energy["gpu"].j == pytest.approx(600.0)
    assert first[0].total_j == pytest.approx(620.0)
    assert first[0].peak_vram_mb == pytest.approx(2000.0)
    assert [reading.quality[-1] for reading in second] == [
        "replayed from cuda.fp16.jsonl.gz: round 1 of 2",
        "replayed from cuda.fp16.jsonl.gz: round 2 of 2",
    ]
    assert {reading.replayed for reading in second} == {"cuda.fp16.jsonl.gz"}
    assert not any(reading.suspect for reading in first)
    assert {reading.replayed for reading in recorded["fp32", "round"]} == {None}


def test_more_rounds_than_were_recorded_use_them_again_and_say_so(folder: Path) -> None:
    with ReplayMeter(folder, "cuda") as meter:
        meter.begin_case("fp16")
        readings = [replayed(meter) for _ in range(5)]

    joules = [reading.energy["gpu"].j for reading in readings]
    assert joules == pytest.approx([400.0, 420.0, 400.0, 420.0, 400.0])
    again = "a recorded round is used again: this run has more of them than the recording"
    assert [again in reading.quality for reading in readings] == [False, False, True, True, True]


def test_a_case_that_begins_again_begins_at_its_first_window(folder: Path) -> None:
    with ReplayMeter(folder, "cuda") as meter:
        for _ in range(2):
            meter.begin_case("fp16")
            assert replayed(meter).energy["gpu"].j == pytest.approx(400.0)


def test_a_prefix_is_answered_by_that_of_as_many_sentences(folder: Path) -> None:
    # Naive: in the order of recording, whatever the order of the run.
    with ReplayMeter(folder, "cuda") as meter:
        meter.begin_case("fp32")
        joules = {n: replayed(meter, "prefix", sentences=n).energy["gpu"].j for n in (200, 50, 100)}
        again = replayed(meter, "prefix", sentences=50)

    assert joules == pytest.approx({50: 200.0, 100: 400.0, 200: 800.0})
    assert any("used again" in note for note in again.quality)


def test_other_work_than_was_recorded_is_said_and_suspect(folder: Path) -> None:
    with ReplayMeter(folder, "cuda") as meter:
        meter.begin_case("fp32")
        reading = replayed(meter, rounds=1, sentences=24)
        prefixes = [replayed(meter, "prefix", sentences=n) for n in (6, 12, 24)]
        unknown = replayed(meter, sentences=None)

    assert "the recorded window holds 2 rounds, that of this run 1" in reading.quality
    assert "the recorded round tagged 200 sentences, that of this run 24" in reading.quality
    assert reading.suspect
    assert [prefix.energy["gpu"].j for prefix in prefixes] == pytest.approx([200.0, 400.0, 800.0])
    assert all(prefix.suspect for prefix in prefixes)
    assert not unknown.suspect


def test_rest_is_replayed_like_all_else(recorded: Recorded, folder: Path) -> None:
    slept: list[float] = []
    with ReplayMeter(folder, "cuda") as meter:
        meter.begin_case("fp32")
        before = measure_idle(meter, 3.0, slept.append, kind="idle-before")
        after = measure_idle(meter, 3.0, slept.append, kind="idle-after")
        reading = replayed(meter)

    assert before.watts["gpu"] == pytest.approx(60.0)
    assert after.watts["gpu"] == pytest.approx(70.0)
    assert before.window_s == recorded["fp32", "idle-before"][0].window_s
    net_j, _ = net_energy(reading, before)
    assert net_j == pytest.approx(600.0 - 2 * 60.0)


def test_the_sessions_rest_is_found_in_and_outside_of_cases(folder: Path) -> None:
    with ReplayMeter(folder, "cuda") as meter:
        assert replayed(meter, "idle-bare", 0, None).energy["gpu"].j == pytest.approx(100.0)
        meter.begin_case("fp16")
        reading = replayed(meter, "idle-bare", 0, None)

    assert "replayed from cuda.jsonl.gz: idle-bare 1 of 1" in reading.quality
    assert any("used again" in note for note in reading.quality)


def test_a_kind_that_was_not_recorded_is_refused_with_what_was(folder: Path) -> None:
    with ReplayMeter(folder, "cuda") as meter:
        with pytest.raises(MeterError, match=r"kind round outside of a case on cuda in .*, found idle-bare; record ag"):
            meter.start("round")
        meter.begin_case("fp16")
        with pytest.raises(MeterError, match=r"kind warmup for case fp16 on cuda in .*, found round; record again"):
            meter.start("warmup")
        with pytest.raises(MeterError, match=r"kind idle-after for case fp16 on cuda in .*, found round, idle-bare; "):
            meter.start("idle-after")


def test_a_case_that_was_not_recorded_is_refused_with_those_that_were(folder: Path) -> None:
    with (
        ReplayMeter(folder, "cuda") as meter,
        pytest.raises(MeterError, match=r"of int8 on cuda in .*, found fp16, fp32"),
    ):
        meter.begin_case("int8")


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MeterError, match=r"found none; name the folder .* --leanner-record-meters"):
            ReplayMeter(folder, "cpu")


def test_what_the_machine_had_is_known_before_the_first_case(recorded: Recorded, folder: Path) -> None:
    assert ReplayMeter(folder, "cuda").equipment.missing() == {}
    (folder / "cuda.jsonl.gz").unlink()

    with ReplayMeter(folder, "cuda") as meter:
        assert meter.equipment.on_gpu
        assert meter.equipment.gpu is not None
        assert meter.equipment.gpu.model == "NVIDIA H200"
        with pytest.raises(MeterError, match=r"outside of a case on cuda in .*, found no window"):
            meter.start("idle-bare")
        meter.begin_case("fp32")
        assert figures(replayed(meter)) == recorded["fp32", "round"][0]


def test_a_recording_of_another_device_is_taken_and_said(folder: Path) -> None:
    # So a GPU's traces go through a run on a machine that has none.
    with ReplayMeter(folder, "cpu") as meter:
        meter.begin_case("fp32")
        reading = replayed(meter)

    assert "recorded on cuda and replayed for cpu" in reading.quality
    assert reading.suspect


def test_of_several_other_devices_none_is_taken(folder: Path) -> None:
    shutil.copy(folder / "cuda.fp32.jsonl.gz", folder / "cuda%3A1.fp32.jsonl.gz")

    with pytest.raises(MeterError, match=r"recorded on cpu in .*, found those of cuda, cuda:1"):
        ReplayMeter(folder, "cpu")


def test_a_file_under_a_wrong_name_is_refused(folder: Path) -> None:
    # Naive: the joules of one configuration pass for another's.
    (folder / "cuda.fp16.jsonl.gz").rename(folder / "cuda.int8.jsonl.gz")

    with ReplayMeter(folder, "cuda") as meter, pytest.raises(TraceFileError, match=r"of int8 on cuda.*those of fp16"):
        meter.begin_case("int8")


def test_a_damaged_file_is_refused_where_its_case_begins(folder: Path) -> None:
    path = folder / "cuda.fp16.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])

    with ReplayMeter(folder, "cuda") as meter, pytest.raises(TraceFileError, match=r"cuda\.fp16\.jsonl\.gz.*torn"):
        meter.begin_case("fp16")


def test_a_replay_is_used_like_a_meter(folder: Path) -> None:
    meter = ReplayMeter(folder, "cuda")
    meter.begin_case("fp16")
    with pytest.raises(MeterError, match="found none"):
        meter.stop()
    meter.start()
    with pytest.raises(MeterError, match="found one"):
        meter.start()
    meter.cancel()
    with pytest.raises(KeyError), meter.window():
        raise KeyError("the tagger")
    meter.start()
    meter.stop()
    meter.close()
    meter.close()
    with pytest.raises(MeterError, match="closed"):
        meter.start()
