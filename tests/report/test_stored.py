from __future__ import annotations

from pathlib import Path

import pytest

from leanner.report.stored import PREDICTIONS
from leanner.report.stored import TRACES
from leanner.report.stored import StoredFile
from leanner.report.stored import carried
from leanner.report.stored import damaged
from leanner.report.stored import folder_of
from leanner.report.stored import locate
from leanner.report.stored import remove_unnamed
from leanner.report.stored import store
from leanner.report.stored import stored_files


def test_the_folder_has_the_name_of_the_report(tmp_path: Path) -> None:
    assert folder_of(tmp_path / "bench.json") == tmp_path / "bench.files"
    assert folder_of(Path("2026.11.24.json")) == Path("2026.11.24.files")


def test_a_file_is_found_again_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "results" / "bench.json"

    file = store(report, "../a b/ü", TRACES, b"content")

    assert locate(report, file.path).read_bytes() == b"content"
    assert file.path == "bench.files/..-a-b-ü.ed7002b4.traces.jsonl.gz"
    assert [path.name for path in folder_of(report).iterdir()] == ["..-a-b-ü.ed7002b4.traces.jsonl.gz"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../other.files/a", "bench.files/../../a", "", "."])
def test_a_path_that_leaves_the_folder_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a path relative to the report and below its folder, found"):
        locate(tmp_path / "bench.json", path)


def test_only_what_names_a_file_is_one() -> None:
    files = {
        "traces": None,
        "predictions": {"path": "a", "sha256": "b"},
        "baseline_predictions": {"path": None, "sha256": "b"},
        "spans_sha256": "c",
    }
    assert stored_files(files) == {"predictions": StoredFile("a", "b")}


def test_damage_is_told_with_its_place(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    files = {name: store(report, name, TRACES, name.encode()).to_json() for name in ("traces", "predictions", "more")}
    assert damaged(report, files) == []

    (tmp_path / files["traces"]["path"]).write_bytes(b"edited")
    (tmp_path / files["predictions"]["path"]).unlink()
    files["more"]["path"] = "../more"

    found = [str(problem) for problem in damaged(report, {**files, "spans_sha256": "a"})]
    assert len(found) == 3
    assert found[0].startswith(
        f"files.traces.sha256: expected the sha256 {files['traces']['sha256']} of bench.files/tr"
    )
    assert found[1].startswith(f"files.predictions: expected the file {files['predictions']['path']}, found none: ")
    assert found[2].startswith("files.more: expected the file ../more, found none: expected a path relative to")


def test_files_are_carried_to_another_report(tmp_path: Path) -> None:
    report, to = tmp_path / "before.json", tmp_path / "later" / "after.json"
    predictions = store(report, "bf16", PREDICTIONS, b"spans").to_json()
    files = {"predictions": predictions, "traces": None, "spans_sha256": "a"}

    carried_files = carried(files, report, to)

    assert carried_files == {
        **files,
        "predictions": {**predictions, "path": f"after.files/{Path(predictions['path']).name}"},
    }
    assert damaged(to, carried_files) == damaged(report, files) == []
    assert carried(files, report, tmp_path / "later" / ".." / "before.json") == files
    (tmp_path / predictions["path"]).unlink()
    with pytest.raises(FileNotFoundError):
        carried(files, report, to)


def test_files_of_an_earlier_run_stay_until_they_are_removed(tmp_path: Path) -> None:
    # Naive: a later run that is killed has overwritten the files of a report that was whole.
    report = tmp_path / "bench.json"
    before = store(report, "bf16.cpu", TRACES, b"before")
    after = store(report, "bf16.cpu", TRACES, b"after")
    foreign = folder_of(report) / "notes.txt"
    foreign.write_text("mine")
    assert damaged(report, {"traces": before.to_json()}) == []

    remove_unnamed(report, [after.path])

    assert sorted(folder_of(report).iterdir()) == sorted([tmp_path / after.path, foreign])
    remove_unnamed(tmp_path / "nothing.json", [])
