"""Numbers that were changed wherever they stand, and traces that were changed to fit."""

from __future__ import annotations

import hashlib
import shutil

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import Run
from check.reports import answer_anew
from check.reports import bench
from check.reports import case
from check.reports import found_after
from check.reports import node
from check.reports import scale_speedup
from check.reports import scale_times
from leanner.check.checking import check
from leanner.meters import stored as stored_module
from leanner.meters.stored import StoredCase
from leanner.meters.stored import StoredWindow
from leanner.meters.stored import read_traces
from leanner.meters.stored import write_traces
from leanner.meters.thin import LEAST
from leanner.meters.thin import thin
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace_files import trace_file
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.meters.trace import Trace


BF16 = node("bf16")
NO_CHANGE: Callable[[object], None] = lambda _: None  # noqa: E731 - an edit that is none


def places(problems: list[str]) -> list[str]:
    """Return where problems of bf16 were found."""
    return [problem.removeprefix(f"{BF16}: ").partition(":")[0] for problem in problems]


@pytest.fixture
def copy(part: Run, tmp_path: Path) -> Run:
    """A run of bf16 whose files may be changed."""
    shutil.copytree(part.folder / "report.files", tmp_path / "report.files")
    shutil.copytree(part.folder / "corpora", tmp_path / "corpora")
    shutil.copy(part.path, tmp_path)
    return replace(part, folder=tmp_path)


def traces(run: Run, name: str = "bf16") -> Path:
    """Return the file with the traces of a case."""
    (path,) = (run.folder / "report.files").glob(f"{name}.cuda.*.traces.jsonl.gz")
    return path


def found_with(run: Run, path: Path) -> list[str]:
    """Return what is found where the report has the digest of the traces in ``path``."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return found_after(run, lambda report: case(report)["files"]["traces"].update(sha256=digest))


def found_after_traces(run: Run, change: Callable[[StoredCase], StoredCase]) -> list[str]:
    """Change the traces of bf16, with a digest that fits, and return what is found."""
    path = traces(run)
    write_traces(path, change(read_traces(path)))
    return found_with(run, path)


def changed(stored: StoredCase, number: int, change: Callable[[StoredWindow], StoredWindow]) -> StoredCase:
    """Return a case with one of its windows of rounds changed."""
    rounds = [index for index, window in enumerate(stored.windows) if window.kind == "round"]
    windows = list(stored.windows)
    windows[rounds[number]] = change(windows[rounds[number]])
    return replace(stored, windows=tuple(windows))


def moved(trace: Trace, by_ns: int) -> Trace:
    """Return a trace at another time."""
    samples = tuple(replace(sample, t_ns=sample.t_ns + by_ns) for sample in trace.samples)
    return replace(trace, start_ns=trace.start_ns + by_ns, end_ns=trace.end_ns + by_ns, samples=samples)


def test_what_a_case_has_is_what_its_traces_give(part: Run) -> None:
    record = part.records[BF16]
    assert record.energy is not None
    assert record.energy.marginal is not None
    assert record.energy.rounds_per_window == 3
    assert {domain.source for domain in record.energy.domains.values()} == {"rapl", "nvml-counter"}
    assert record.gpu is not None
    assert record.gpu.throttled
    assert record.gpu.foreign_pids
    assert record.memory is not None
    assert None not in (record.memory.cgroup_peak_mb, record.memory.peak_vram_mb, record.memory.left_behind_host_mb)
    kinds = [window.kind for window in read_traces(traces(part)).windows]
    assert kinds == ["idle-bare", "idle-before", *["round"] * 10, "idle-after", *["prefix"] * 6]

    assert found_after(part, NO_CHANGE) == []


def test_traces_that_are_missing(copy: Run) -> None:
    unnamed = found_after(copy, lambda report: case(report)["files"].update(traces=None))
    assert places(unnamed) == [f"report.files/{traces(copy).name}", "files.traces"]
    traces(copy).unlink()
    found = found_after(copy, NO_CHANGE)
    assert places(found) == ["files.traces", "files.traces"]
    assert ": files.traces: expected traces that can be read, found others: " in found[1]


@pytest.mark.parametrize(
    ("cut", "why"),
    [(lambda content: content[:-30], "torn"), (lambda content: b"{}" + content, "expected gzip JSON lines")],
    ids=["torn", "foreign"],
)
def test_traces_that_cannot_be_read(copy: Run, cut: Callable[[bytes], bytes], why: str) -> None:
    traces(copy).write_bytes(cut(traces(copy).read_bytes()))

    (problem,) = found_with(copy, traces(copy))

    assert problem.startswith(f"{BF16}: files.traces: expected traces that can be read, found others: ")
    assert why in problem


def no_time(window: StoredWindow) -> StoredWindow:
    """Return a window without length."""
    return replace(window, trace=replace(window.trace, end_ns=window.trace.start_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: replace(stored, windows=()),
        lambda stored: changed(stored, 3, lambda window: replace(window, rounds=9)),
        lambda stored: changed(stored, 3, no_time),
        lambda stored: changed(stored, 3, lambda window: replace(window, plugged={})),
    ],
    ids=["no window", "other rounds", "no time", "no plug-in"],
)
def test_traces_that_give_no_figures_are_a_problem_and_no_crash(
    copy: Run, change: Callable[[StoredCase], StoredCase]
) -> None:
    found = found_after_traces(copy, change)

    assert f"{BF16}: files.traces: expected traces that can be read, found others: " in found[0]


def test_traces_of_another_case(run: Run, tmp_path: Path) -> None:
    copied = replace(run, folder=Path(shutil.copytree(run.folder, tmp_path / "copy")))
    shutil.copy(traces(copied, "int8"), traces(copied))

    found = found_with(copied, traces(copied))

    assert f'{BF16}: configuration: expected "int8", the case of the stored traces; found "bf16"' in found
    assert {"energy.total_j", "power.mean_w", "time.rounds_s"} <= set(places(found))


def test_traces_under_another_name_are_told_by_what_they_give(run: Run, tmp_path: Path) -> None:
    copied = replace(run, folder=Path(shutil.copytree(run.folder, tmp_path / "copy")))
    shutil.copy(traces(copied, "int8"), traces(copied))

    found = places(found_after_traces(copied, lambda stored: replace(stored, case="bf16")))

    assert "configuration" not in found
    assert {"energy.total_j", "power.mean_w", "time.rounds_s"} <= set(found)


def test_traces_of_another_device_or_text(copy: Run) -> None:
    before = traces(copy).read_bytes()
    elsewhere = found_after_traces(
        copy, lambda stored: replace(stored, equipment=replace(stored.equipment, device="cuda:1"))
    )
    assert elsewhere == [f'{BF16}: device: expected "cuda:1", that of the stored traces; found "cuda"']

    traces(copy).write_bytes(before)
    (problem,) = found_after_traces(
        copy, lambda stored: changed(stored, 2, lambda window: replace(window, sentences=96))
    )
    text = "expected rounds over 48 sentences, as time.sentences has it; found 96 in window 5"
    assert problem == f"{BF16}: files.traces: {text}"


@pytest.mark.parametrize(
    ("channel", "by", "place"),
    [
        ("energy_mj", -5000, "energy.gpu.j"),
        ("intel-rapl:0", -5_000_000, "energy.cpu_package.j"),
        ("intel-rapl:0:1", -1_000_000, "energy.dram.j"),
    ],
)
def test_a_changed_sample_of_a_counter(copy: Run, channel: str, by: int, place: str) -> None:
    def less(window: StoredWindow) -> StoredWindow:
        def sample(given: Sample) -> Sample:
            if given.moment is not Moment.STOP or channel not in given.values:
                return given
            return replace(given, values={**given.values, channel: given.values[channel] + by})

        return replace(window, trace=replace(window.trace, samples=tuple(map(sample, window.trace.samples))))

    found = found_after_traces(copy, lambda stored: changed(stored, 4, less))

    assert {place, "energy.rounds_j", "energy.total_j", "energy.net_j", "energy.low_j"} <= set(places(found))
    assert all(", from the stored traces; found " in problem for problem in found)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("", set()), ("idle-bare", {"quality"}), *((kind, {"quality", "suspect"}) for kind in ("idle-after", "prefix"))],
)
def test_doubts_of_rest_and_prefixes_are_told(copy: Run, kind: str, expected: set[str]) -> None:
    # Naive: another process at rest, and no word of it in the record.
    def without(sample: Sample) -> Sample:
        values = {channel: value for channel, value in sample.values.items() if not channel.startswith("foreign.")}
        return replace(sample, values=values)

    def tidied(window: StoredWindow) -> StoredWindow:
        if window.kind == kind:
            return window
        return replace(window, trace=replace(window.trace, samples=tuple(map(without, window.trace.samples))))

    path = traces(copy)
    stored = read_traces(path)
    write_traces(path, replace(stored, windows=tuple(map(tidied, stored.windows))))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def silence(report: dict[str, Any]) -> None:
        record = case(report)
        record["files"]["traces"]["sha256"] = digest
        record["gpu"]["foreign_pids"] = []
        record["suspect"] = False
        record["quality"] = [note for note in record["quality"] if "foreign" not in note]

    found = found_after(copy, silence)

    assert {"quality", "suspect"} & set(places(found)) == expected


def test_a_note_of_a_window_that_is_left_out(part: Run) -> None:
    def leave_out(report: dict[str, Any]) -> None:
        case(report)["quality"] = [note for note in case(report)["quality"] if not note.startswith("at rest: ")]

    (problem,) = found_after(part, leave_out)
    assert problem.startswith(f"{BF16}: quality: expected 'at rest: GPU throttled: software power cap in ")


def test_windows_that_overlap(copy: Run) -> None:
    # Naive: the best window counts for its neighbour too, and all is computed from it.
    earlier = found_after_traces(
        copy,
        lambda stored: changed(
            stored, 6, lambda window: replace(window, trace=moved(window.trace, -round(0.25 * 1e9)))
        ),
    )

    (problem,) = earlier
    text = "expected window 9 to begin when the one before has ended, found it 0.2"
    assert problem.startswith(f"{BF16}: files.traces: {text}")
    assert problem.endswith(" s earlier")


def test_joules_changed_alike_everywhere(pair: Run) -> None:
    def scale(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {name: item if name.endswith("_pct") else scale(item) for name, item in value.items()}
        if isinstance(value, list):
            return list(map(scale, value))
        return 0.5 * value if isinstance(value, float) else value

    def change(report: dict[str, Any]) -> None:
        record = case(report)
        record["energy"], record["power"] = scale(record["energy"]), scale(record["power"])
        answer_anew(report)

    found = found_after(pair, change)

    assert {f"energy.{name}" for name in ("gpu.j", "rounds_j", "total_j", "net_j", "low_j", "high_j")} <= set(
        places(found)
    )
    assert all(", from the stored traces; found " in problem for problem in found)


@pytest.mark.parametrize("factor", [0.5, 0.95, 0.99, 1.003, 2.0])
def test_times_changed_alike_everywhere_do_not_fill_their_windows(pair: Run, factor: float) -> None:
    def change(report: dict[str, Any]) -> None:
        scale_times(report, factor)
        scale_speedup(report, 1 / factor)

    found = places(found_after(pair, change))

    assert found
    assert {place.partition("[")[0] for place in found} == {"time.rounds_s"}
    assert ("time.rounds_s" in found) is (factor < 1.0)
    assert len(found) == (11 if factor == 0.5 else 1 if factor < 1.0 else 10)


def test_a_baseline_made_slower_for_the_others_to_look_fast(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        scale_times(report, 1.5, "fp32")
        for name in ("bf16", "int8"):
            scale_speedup(report, 1.5, name)

    found = found_after(run, change)

    assert len(found) == 10
    assert all(problem.startswith(f"{node('fp32')}: time.rounds_s[") for problem in found)


def test_one_round_alone_may_be_kept_waiting(part: Run) -> None:
    def change(report: dict[str, Any], by_s: float) -> None:
        case(report)["time"]["rounds_s"][6] -= by_s
        bench(report)["stats"]["data"][6] -= by_s
        scale_times(report, 1.0)

    assert found_after(part, partial(change, by_s=0.09)) == []
    assert places(found_after(part, partial(change, by_s=0.2))) == ["time.rounds_s[6]"]


def test_more_rounds_than_were_metered(part: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        rounds_s = case(report)["time"]["rounds_s"]
        rounds_s += rounds_s[:2]
        scale_times(report, 1.0)

    (problem,) = found_after(part, change)
    assert problem == f"{BF16}: time.rounds_s: expected 30 rounds, 3 for each stored window; found 32"


def test_a_replayed_report_holds_and_its_times_are_of_another_run(tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    alone: dict[str, Any] = {"only": ("bf16",), "untimed_baseline": True}
    Run(tmp_path / "before", **alone, asked={"record_meters": str(recording)}).write()
    # As from a shorter run: windows are used again, which begin before others have ended.
    path = trace_file(recording, "cuda", "bf16")
    recorded = read_traces(path)
    shorter = [window for window in recorded.windows if window.kind != "round"]
    shorter[1:1] = [window for window in recorded.windows if window.kind == "round"][:7]
    write_traces(path, replace(recorded, windows=tuple(shorter)))
    replayed = Run(tmp_path / "after", **alone, asked={"replay_meters": str(recording)}).written()
    energy = replayed.records[BF16].energy
    assert energy is not None
    assert energy.replayed

    assert found_after(replayed, NO_CHANGE) == []
    assert found_after(replayed, lambda report: scale_times(report, 0.5)) == []
    assert "energy.total_j" in places(found_after(replayed, lambda r: case(r)["energy"].update(total_j=1.0)))
    measured = found_after(replayed, lambda r: case(r)["energy"].update(replayed=False))
    assert (
        f"{BF16}: energy.replayed: expected true, as --leanner-replay-meters was given or not; found false" in measured
    )


def test_thinned_traces_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: rest is computed from all samples, and what is stored gives it otherwise.
    monkeypatch.setattr(stored_module, "thin", lambda trace, _: thin(trace, LEAST))

    made = Run(tmp_path, only=("bf16",), untimed_baseline=True, asked={"interval_s": 0.008}).written()

    windows = read_traces(traces(made)).windows
    assert all(window.thinned_from is not None for window in windows)
    assert found_after(made, NO_CHANGE) == []


def test_rounds_over_a_part_of_the_corpus_hold(tmp_path: Path) -> None:
    made = Run(tmp_path, only=("fp32", "bf16"), asked={"round_sentences": 20}).written()

    time = made.records[BF16].time
    assert time is not None
    assert 20 <= time.sentences < 48
    assert found_after(made, NO_CHANGE) == []


def test_a_round_that_is_profiled_is_none_of_the_measured_ones(tmp_path: Path) -> None:
    # Naive: its window is stored beside the others, and the joules of one more follow.
    made = Run(tmp_path, only=("bf16",), untimed_baseline=True, profiled=True).written()

    assert len([window for window in read_traces(traces(made)).windows if window.kind == "round"]) == 10
    assert [str(problem) for problem in check(made.path).problems] == []


def test_the_files_of_a_case_are_all_named(part: Run) -> None:
    assert set(stored_files(part.records[BF16].files)) == {
        "predictions",
        "baseline_predictions",
        "traces",
        "latencies",
    }
