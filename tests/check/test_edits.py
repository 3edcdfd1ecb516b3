"""What a hand may change in a report, and where the check says that it was changed."""

from __future__ import annotations

import gzip
import hashlib
import shutil

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from bench import strict_json
from check.reports import DEFAULT
from check.reports import OTHERS
from check.reports import bench
from check.reports import case
from check.reports import found_after
from check.reports import node


if TYPE_CHECKING:
    from check.reports import Run


pytestmark = pytest.mark.usefixtures("remembered")

Edit = Callable[[dict[str, Any]], object]

BF16 = node("bf16")
INT8 = node("int8")
FP32 = node("fp32")


def put(*place: str | int, value: object, name: str = "bf16") -> Edit:
    """Return an edit that puts ``value`` at ``place`` of a record."""

    def change(report: dict[str, Any]) -> None:
        inner: Any = case(report, name)
        for part in place[:-1]:
            inner = inner[part]
        inner[place[-1]] = value

    return change


def remove(name: str) -> Edit:
    """Return an edit that takes a timed case out."""

    def change(report: dict[str, Any]) -> None:
        report["benchmarks"].remove(bench(report, name))

    return change


def only(changed: list[str], nodeid: str, *places: str) -> None:
    """Check that problems were found at these places of a case, and nowhere else."""
    assert [problem.removeprefix(f"{nodeid}: ").partition(":")[0] for problem in changed] == list(places), changed


def test_a_changed_f1(pair: Run) -> None:
    only(found_after(pair, put("f1", "micro", value=0.99)), BF16, "f1.micro")
    only(found_after(pair, put("f1", "by_corpus", "tmvar", "GENE", value=None)), BF16, *2 * ["f1.by_corpus.tmvar.GENE"])
    only(found_after(pair, put("f1", "seqeval", "exact", value=False)), BF16, "f1.seqeval.exact")


def test_a_changed_loss_and_its_interval(pair: Run) -> None:
    only(found_after(pair, put("f1_drop", "low", value=0.5)), BF16, "f1_drop.low")
    only(found_after(pair, put("f1_drop", "high", value=6.9)), BF16, "f1_drop.high")
    found = found_after(pair, put("f1_drop", "points", value=0.5))
    assert any(problem.startswith(f"{BF16}: f1_drop.points: expected 6.66") for problem in found)
    assert any(problem.startswith("leanner.answer: expected ") for problem in found)


def test_a_changed_bound_and_verdict(run: Run) -> None:
    found = found_after(run, put("f1_drop", "bound", value=50.0))
    only(found, BF16, "f1_drop.bound", "verdict", "reasons")
    assert found[0].startswith(
        f"{BF16}: f1_drop.bound: expected 7.0, as the table of configurations has it; found 50.0"
    )

    only(found_after(run, put("verdict", value="pass", name="int8")), INT8, "leanner.answer", "verdict")
    only(found_after(run, put("verdict", value="inconclusive", name="int8")), INT8, "verdict")


def test_a_changed_time(pair: Run) -> None:
    only(found_after(pair, put("time", "median_s", value=0.1)), BF16, "time.median_s")
    found = found_after(pair, put("time", "rounds_s", 0, value=0.1))
    time = pair.records[BF16].time
    assert time is not None
    assert f"{BF16}: time.rounds_s: expected [{time.rounds_s[0]}, {time.rounds_s[1]}, " in "\n".join(found)


def test_a_changed_time_of_pytest_benchmarks(pair: Run) -> None:
    only(found_after(pair, lambda r: bench(r)["stats"].update(median=0.1)), BF16, "stats.median")
    found = found_after(pair, lambda r: bench(r)["stats"]["data"].pop())
    assert {problem.split(": ")[1] for problem in found} >= {"time.rounds_s", "stats.rounds", "stats.total"}
    only(found_after(pair, lambda r: bench(r)["options"].update(timer="time")), BF16, "options.timer")
    only(found_after(pair, lambda r: bench(r)["stats"].pop("data")), BF16, "stats.data")


def test_a_changed_joule(pair: Run) -> None:
    for place in ("total_j", "net_j", "low_j", "per_1000_sentences_j"):
        assert found_after(pair, put("energy", place, value=1.0)), place
    found = found_after(pair, put("energy", "rounds_j", 2, value=1.0))
    only(found, BF16, "energy.rounds_j", "energy.total_j")
    assert ", from the stored traces; found " in found[0]
    assert ", the sum of rounds_j; found " in found[1]
    found = found_after(pair, put("energy", "cpu_package", "j", value=1.0))
    only(found, BF16, "energy.cpu_package.j", "energy.total_j")
    assert ", the sum of gpu, cpu_package, dram; found " in found[1]


def test_a_changed_speedup(pair: Run) -> None:
    for name in ("value", "low", "high"):
        assert f"{BF16}: speedup.{name}: expected " in "\n".join(found_after(pair, put("speedup", name, value=9.0)))
    assert found_after(pair, put("speedup", value=None))


def test_f27_a_missing_case(run: Run, part: Run) -> None:
    found = found_after(run, remove("int8"))
    assert f"{INT8}: expected a record: leanner.selection says that the case was to run; found none" in found
    assert any(problem.startswith("leanner.selection: expected int8 on cuda, which the table") for problem in found)

    found = found_after(run, lambda r: r["leanner"]["without_time"].pop(node("fp16")))
    assert len(found) == 2

    found = found_after(part, remove("bf16"))
    assert f"{BF16}: expected a record: leanner.selection says that the case was to run; found none" in found


def test_a_case_that_is_missing_from_the_selection_too(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        remove("int8")(report)
        report["leanner"]["selection"]["cases"].remove(INT8)

    # predictions, traces and latencies
    problem, *left_over = found_after(run, change)
    assert len(left_over) == 3
    assert problem == (
        "leanner.selection: expected int8 on cuda, which the table of configurations has and nothing left out "
        "(not-run would do); found no record of it"
    )


def test_a_case_that_lost_its_record(pair: Run) -> None:
    assert len(found_after(pair, lambda r: bench(r)["extra_info"].pop("leanner"))) >= 2


def test_with_all_every_configuration_is_needed(run: Run) -> None:
    found = found_after(run, lambda r: r["leanner"]["options"].update(everything=True))

    assert len(found) == len(OTHERS)
    assert all(any(f"expected {name} on cuda, which" in problem for problem in found) for name in OTHERS)


def test_a_case_on_another_device_asks_for_the_whole_table_there(run: Run) -> None:
    found = found_after(run, lambda r: r["leanner"]["options"].update(device="cpu"))

    assert sum("on cpu, which the table of configurations has" in problem for problem in found) == len(DEFAULT)


def test_a_case_twice_or_one_too_many(run: Run) -> None:
    found = found_after(run, lambda r: r["benchmarks"].append(bench(r)))
    assert found[0] == f"benchmarks[3].extra_info.leanner: expected each case once, found {BF16} again"

    found = found_after(run, lambda r: r["leanner"]["selection"]["cases"].remove(BF16))
    assert f"{BF16}: expected only cases that leanner.selection names, found one more" in found


def test_a_resumed_case_that_is_not_there(pair: Run) -> None:
    def resume(report: dict[str, Any], nodeid: str) -> None:
        report["leanner"]["resumed"].append(nodeid)
        report["leanner"]["options"]["resume"] = "report.journal.jsonl"

    found = found_after(pair, lambda r: resume(r, "b::gone"))
    assert found == ["leanner.resumed: expected only cases of this report, found b::gone"]
    assert found_after(pair, lambda r: resume(r, BF16)) == []


def test_a_failed_case_that_is_passed_off_as_not_run(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        record = case(report, "int8")
        remove("int8")(report)
        report["leanner"]["without_time"][INT8] = {**record, "verdict": "not-run", "reasons": []}

    found = "\n".join(found_after(run, change))
    for name in ("f1", "f1_drop", "energy", "time", "speedup", "latency_ms"):
        assert f"{INT8}: {name}: expected null beside the verdict not-run, found a result" in found
    assert f"{INT8}: reasons: expected a reason for the verdict not-run, found none" in found


def test_the_record_of_another_case(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        bench(report)["extra_info"]["leanner"] = bench(report, "int8")["extra_info"]["leanner"]

    found = "\n".join(found_after(run, change))
    assert (
        f'{BF16}: configuration: expected ["bf16", "cuda"], as pytest\'s parameters have it; found ["int8", "cuda"]'
        in found
    )


def test_other_passes_family_or_an_unknown_configuration(pair: Run) -> None:
    only(found_after(pair, put("passes", 0, "every", value=9)), BF16, "passes")
    only(found_after(pair, put("family", value="pruning")), BF16, "family")
    found = "\n".join(found_after(pair, put("configuration", value="turbo")))
    assert f"{BF16}: configuration: expected one of fp32, bf16, " in found


def test_changed_weights(pair: Run) -> None:
    found = found_after(pair, put("tagger", "weights_sha256", value="b" * 64))
    assert found == [f'{BF16}: tagger.weights_sha256: expected "{"a" * 64}", as in {FP32}; found "{"b" * 64}"']
    only(found_after(pair, put("tagger", "name", value="mine")), BF16, "tagger.name")
    only(found_after(pair, put("memory", "weights_mb", value=1.0)), BF16, "memory.weights_mb")
    only(found_after(pair, put("memory", "weights_parameters", value=1)), BF16, "memory.weights_parameters")
    only(found_after(pair, put("flops", "ratio", value=9.0)), BF16, "flops.ratio")
    only(found_after(pair, put("sparsity", "asked", value=0.9)), BF16, "sparsity.asked")


def test_the_bundled_tagger_has_the_weights_that_come_with_leanner(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        report["leanner"]["options"]["tagger"] = "bundled"
        for name in ("fp32", "bf16", "int8"):
            case(report, name)["tagger"]["name"] = "bundled"

    found = found_after(run, change)
    assert len(found) == 6
    assert all("the tagger that comes with leanner; found" in problem for problem in found)


def test_another_seed(pair: Run) -> None:
    found = found_after(pair, put("seed", value=8))

    assert f"{BF16}: seed: expected 7, the run's option; found 8" in found


def test_a_changed_corpus(pair: Run) -> None:
    for name in ("sentences", "tokens", "mentions", "articles"):
        found = found_after(pair, put("corpus", name, value=49))
        assert any(problem.startswith(f"{BF16}: corpus.{name}: expected ") for problem in found)
    found = found_after(pair, put("corpus", "sha256", value="0" * 64))
    assert [problem.split(": ")[0] for problem in found] == [BF16, "leanner.options.corpora"]
    only(found_after(pair, put("corpus", "name", value="mine")), BF16, "corpus.name")


def test_other_text_in_the_rounds(pair: Run) -> None:
    for name in ("sentences", "tokens"):
        found = found_after(pair, put("time", name, value=49))
        assert any(problem.startswith(f"{BF16}: time.{name}: expected ") for problem in found)


def test_changed_conditions(pair: Run) -> None:
    only(found_after(pair, put("environment", "torch", value="3")), BF16, "environment.torch")
    only(found_after(pair, put("environment", "dirty", value=True)), BF16, "environment.dirty")
    found = found_after(pair, lambda r: r["machine_info"]["leanner"].update(threads=64))
    assert found == ["machine_info.leanner.threads: expected 2, the environment of the first case; found 64"]


def test_a_changed_answer(pair: Run) -> None:
    found = found_after(pair, lambda r: r["leanner"].update(answer="bf16: 9× faster"))

    assert len(found) == 1
    assert found[0].startswith("leanner.answer: expected ")


def test_estimates_are_marked_asked_for_and_never_mixed(estimated: Run) -> None:
    assert found_after(estimated, lambda _: None) == []
    domain = case(strict_json(estimated.path))["energy"]["cpu_package"]
    assert (domain["source"], domain["j"] > 0) == ("estimate", True)

    def unmarked(report: dict[str, Any]) -> None:
        record = case(report)
        record["quality"] = [note for note in record["quality"] if "estimate" not in note]

    only(found_after(estimated, unmarked), BF16, "quality", "quality")

    def unasked(report: dict[str, Any]) -> None:
        report["leanner"]["options"]["energy"] = "auto"

    only(found_after(estimated, unasked), BF16, "energy.cpu_package.source")
    passed_off = found_after(estimated, put("energy", "cpu_package", "source", value="rapl"))
    only(passed_off, BF16, "energy.cpu_package.source", "energy")

    def mixed(report: dict[str, Any]) -> None:
        energy = case(report)["energy"]
        energy["dram"] = {**energy["cpu_package"], "source": "rapl", "j": 0.0}

    places = {problem.split(": ")[1] for problem in found_after(estimated, mixed)}
    assert places >= {"energy.dram.source", "energy.dram.j", "energy.total_j"}


def test_an_estimate_that_failed_in_one_window_is_noted_and_unknown(estimated: Run) -> None:
    # Naive: a note of an estimate without estimated joules is one that was edited.
    def failed(report: dict[str, Any]) -> None:
        energy = case(report)["energy"]
        energy["rounds_j"][3] = energy["total_j"] = energy["per_1000_sentences_j"] = None
        energy["cpu_package"] = {**energy["cpu_package"], "j": None, "source": "none", "reason": "CPU time: no"}

    found = {problem.split(": ")[1] for problem in found_after(estimated, failed)}

    assert "energy.cpu_package.j" in found
    assert "energy" not in found


def test_windows_of_different_sources_have_no_total(pair: Run) -> None:
    def mix(report: dict[str, Any]) -> None:
        energy = case(report)["energy"]
        energy["gpu"].update(j=None, source="none", reason="its windows have joules of different sources (made up)")
        energy["total_j"] = energy["per_1000_sentences_j"] = None

    assert not any("the sum of rounds_j" in problem for problem in found_after(pair, mix))


def test_where_joules_come_from(pair: Run) -> None:
    only(found_after(pair, put("energy", "cpu_package", "source", value="guess")), BF16, "energy.cpu_package.source")
    only(found_after(pair, put("energy", "gpu", "source", value="nvml-power")), BF16, "energy.gpu.source")
    only(found_after(pair, put("energy", "gpu", "reason", value="it was off")), BF16, "energy.gpu.reason")
    only(found_after(pair, put("energy", "replayed", value=True)), BF16, "quality", "energy.replayed")


def test_intervals_are_those_of_the_traces(pair: Run) -> None:
    for name in ("low_j", "high_j", "net_low_j", "net_high_j", "systematic_pct", "random_pct"):
        assert f"{BF16}: energy.{name}: expected " in found_after(pair, put("energy", name, value=None))[0]
    wide = found_after(pair, lambda r: case(r)["energy"].update(low_j=0.0, high_j=1e6))
    only(wide, BF16, "energy.low_j", "energy.high_j")
    narrow = found_after(pair, lambda r: case(r)["energy"]["marginal"].update(fixed_low_j=0.0, fixed_high_j=0.0))
    only(narrow, BF16, "energy.marginal.fixed_low_j", "energy.marginal.fixed_high_j")


def test_what_is_unknown_needs_its_reason(pair: Run) -> None:
    for place in (("energy", "net_j"), ("power", "peak_w"), ("latency_ms",), ("gpu_utilization_pct",), ("flops",)):
        found = found_after(pair, put(*place, value=None))
        text = f"{BF16}: {'.'.join(place)}: expected a value, or why it is unknown under `unknown`; found neither"
        assert text in found

    def explained(report: dict[str, Any]) -> None:
        put("latency_ms", value=None)(report)
        case(report)["unknown"]["latency_ms"] = "the machine was switched off"

    assert found_after(pair, explained) == []


def test_what_traces_tell_is_not_unknown_for_any_reason(pair: Run) -> None:
    def change(report: dict[str, Any], places: tuple[str, ...]) -> None:
        put(*places, value=None)(report)
        case(report)["unknown"][".".join(places)] = "no sample"

    only(found_after(pair, partial(change, places=("memory", "peak_host_mb"))), BF16, "memory.peak_host_mb")
    for name in ("energy", "memory", "power", "sampler", "gpu"):
        assert f"{BF16}: {name}: expected " in found_after(pair, partial(change, places=(name,)))[0]
    only(found_after(pair, partial(change, places=("corpus",))), BF16, "energy")


def test_f33_what_earlier_cases_left_of_the_allocators_peak_is_subtracted(pair: Run) -> None:
    # Naive: the allocator's peak as it is.
    memory = pair.records[BF16].memory
    assert memory is not None
    assert memory.left_behind_vram_allocated_mb == 2.0
    assert memory.peak_vram_allocated_mb is not None

    changed = found_after(pair, put("memory", "left_behind_vram_allocated_mb", value=0.0))
    only(changed, BF16, "memory.peak_vram_allocated_mb")


def test_doubts_are_told(pair: Run) -> None:
    only(found_after(pair, put("suspect", value=False)), BF16, "suspect", "suspect")
    assert len(found_after(pair, put("quality", value=[]))) == 3 + len(pair.records[BF16].quality)
    only(found_after(pair, put("latency_ms", "p95", value=2.0)), BF16, "latency_ms.p95", "latency_ms")


def test_a_report_that_breaks_its_schema_is_checked_no_further(pair: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report)["time"]["median_s"] = "0.5"
        case(report)["f1"]["micro"] = 0.99

    assert found_after(pair, change) == [
        'benchmarks[1].extra_info.leanner.time.median_s: expected a number or null, found "0.5"',
        "the rest is unchecked while the report is not what its schema says",
    ]


def test_an_untimed_baseline_is_scored_from_its_file(part: Run) -> None:
    only(found_after(part, put("f1_drop", "points", value=0.0)), BF16, "f1_drop.points")
    left_over, *found = found_after(part, put("files", "baseline_predictions", value=None))
    assert left_over.startswith(f"report.files/{spans_file(part, 'fp32-untimed').name}: expected files of the cases ")
    only(found, BF16, "files.baseline_predictions")


def moved(run: Run, folder: Path) -> Run:
    """Return a copy of a run in another folder."""
    shutil.copytree(run.folder, folder, dirs_exist_ok=True)
    return replace(run, folder=folder)


def spans_file(run: Run, name: str) -> Path:
    """Return the file with the spans of a case."""
    (path,) = (run.folder / "report.files").glob(f"{name}.cuda.*.predictions.jsonl.gz")
    return path


def test_files_that_are_gone_or_changed(pair: Run, tmp_path: Path) -> None:
    copy = moved(pair, tmp_path)
    file = spans_file(copy, "bf16")
    before = file.read_bytes()

    file.write_bytes(before[:-20])
    only(found_after(copy, lambda _: None), BF16, "files.predictions.sha256", "files.predictions")
    file.unlink()
    only(found_after(copy, lambda _: None), BF16, "files.predictions", "files.predictions")
    file.write_bytes(before)
    assert found_after(copy, lambda _: None) == []
    unnamed = f"report.files/{file.name}"
    only(found_after(copy, put("files", "predictions", value=None)), BF16, unnamed, "files.predictions")
    only(found_after(copy, put("files", "predictions", "path", value=None)), BF16, unnamed, "files.predictions")
    only(
        found_after(copy, put("files", "predictions", "path", value="../x")),
        BF16,
        unnamed,
        "files.predictions",
        "files.predictions",
    )
    only(found_after(copy, put("files", "spans_sha256", value="0" * 64)), BF16, "files.spans_sha256")


def test_better_spans_with_a_digest_that_fits_still_show_in_the_scores(pair: Run, tmp_path: Path) -> None:
    copy = moved(pair, tmp_path)
    file = spans_file(copy, "bf16")
    content = spans_file(copy, "fp32").read_bytes()
    file.write_bytes(content)

    found = found_after(copy, put("files", "predictions", "sha256", value=hashlib.sha256(content).hexdigest()))

    places = {problem.split(": ")[1] for problem in found}
    assert places >= {"f1.micro", "f1.recall", "f1_drop.points", "verdict", "reasons", "files.spans_sha256"}


def test_spans_on_other_documents(pair: Run, tmp_path: Path) -> None:
    copy = moved(pair, tmp_path)
    file = spans_file(copy, "bf16")
    lines = gzip.decompress(file.read_bytes()).splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    file.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))

    found = found_after(copy, lambda _: None)

    assert any(
        "files.predictions: expected spans on this corpus, found none: expected tmvar " in each for each in found
    )


def test_the_corpus_may_lie_elsewhere(pair: Run, tmp_path: Path) -> None:
    copy = moved(pair, tmp_path / "copy")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(copy.folder / "corpora", elsewhere)

    def nowhere(report: dict[str, Any]) -> None:
        report["leanner"]["options"]["corpora"] = [str(tmp_path / "nowhere")]

    (problem,) = found_after(copy, nowhere)
    assert problem.startswith("leanner.options.corpora: expected the corpus of the run, found none: ")
    assert "pass the corpus of the run as --corpora, or in LEANNER_CORPORA; F1 and its loss are unchecked" in problem
    assert found_after(copy, nowhere, (str(elsewhere),)) == []
    assert found_after(copy, nowhere, ("bundled",))


def test_a_document_that_was_changed(run: Run, tmp_path: Path) -> None:
    copy = moved(run, tmp_path)
    path = tmp_path / "corpora" / "tmvar3" / "tmVar3Corpus.txt"
    path.write_text(path.read_text().replace("cancer", "tumour"))

    found = found_after(copy, lambda _: None, (str(tmp_path / "corpora"),))

    assert len([problem for problem in found if ": corpus.sha256: expected " in problem]) == len(DEFAULT)
    assert "found another; pass the corpus of the run as --corpora" in found[-1]
