"""The main job as a user runs it, once, on a tagger of HunFlair2's shape; the tests look at what it left."""

from __future__ import annotations

import re

from pathlib import Path
from typing import Any

import pytest

from bench import Finished
from bench import arguments
from bench import records
from bench import run_as_a_user
from bench import strict_json
from bench import write_corpus
from leanner.check.checking import check


pytest_plugins = ["pytester"]

Record = dict[str, Any]

NUMBER = (int, float)
SCORES = {"micro", "GENE", "SPECIES", "DISEASE", "precision", "recall"}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpora") / "tmvar3")


@pytest.fixture(scope="module")
def main_job(tmp_path_factory: pytest.TempPathFactory, shaped_file: Path, corpora: Path) -> Finished:
    wanted = ("-k", "fp32 or (int8 and not magnitude and not static) or fp16", "-rs", f"--leanner-tagger={shaped_file}")
    return run_as_a_user(tmp_path_factory.mktemp("main"), *arguments(corpora, *wanted))


@pytest.fixture(scope="module")
def int8(main_job: Finished) -> Record:
    return records(main_job.report)["int8"]


def test_it_ends_well(main_job: Finished) -> None:
    assert main_job.rc == 0, main_job.output
    assert "3 passed, 1 skipped" in main_job.output


def test_the_terminal_shows_progress_table_answer_and_where_the_report_is(main_job: Finished) -> None:
    for wanted in ("leanner: reading the corpus", "leanner: int8: 10 rounds of about", "F1 by corpus and label"):
        assert wanted in main_job.output
    assert main_job.report["leanner"]["answer"] in main_job.output
    assert "the same as JSON: " in main_job.output
    for name in ("fp32", "int8", "fp16"):
        assert re.search(rf"\b{name}\b.*\b(pass|inconclusive|recorded|not-run)\b", main_job.output)


def test_the_record_has_the_fields_of_the_interface(int8: Record) -> None:
    assert set(int8) == {
        *("schema", "configuration", "family", "passes", "served", "runtime", "tagger", "corpus", "device"),
        *("verdict", "reasons", "f1", "f1_drop", "energy", "power", "gpu_utilization_pct", "memory", "time"),
        *("latency_ms", "speedup", "flops", "sparsity", "environment", "seed", "gpu", "sampler"),
        *("quality", "suspect", "files", "unknown"),
    }
    assert int8["schema"] == 1
    assert (int8["configuration"], int8["family"], int8["device"]) == ("int8", "quantization", "cpu")
    assert int8["passes"][0]["name"] == "int8-dynamic"
    assert (int8["served"], int8["runtime"], int8["suspect"]) == (None, "flair", False)


def test_it_says_which_tagger_and_text(int8: Record, shaped_file: Path) -> None:
    assert int8["tagger"]["name"] == str(shaped_file)
    assert len(int8["tagger"]["weights_sha256"]) == 64
    assert int8["tagger"]["parameters"] > 900_000
    assert {name: int8["corpus"][name] for name in ("name", "sentences", "mentions", "articles")} == {
        "name": "tmvar",
        "sentences": 48,
        "mentions": 72,
        "articles": 24,
    }
    assert int8["corpus"]["tokens"] > 48
    assert len(int8["corpus"]["sha256"]) == 64


def test_scores_have_their_shape(int8: Record) -> None:
    f1 = int8["f1"]
    assert SCORES | {"by_corpus", "macro_over_corpora"} <= set(f1)
    assert set(f1["by_corpus"]) == {"tmvar"}
    assert set(f1["by_corpus"]["tmvar"]) == SCORES
    assert isinstance(f1["micro"], NUMBER)
    assert set(int8["f1_drop"]) == {"points", "low", "high", "bound"}
    assert int8["f1_drop"]["low"] <= int8["f1_drop"]["points"] <= int8["f1_drop"]["high"]
    assert int8["f1_drop"]["bound"] == 1.0
    assert int8["verdict"] in {"pass", "fail", "inconclusive"}
    assert int8["reasons"]


def test_costs_have_their_shape(int8: Record) -> None:
    energy = int8["energy"]
    assert {"gpu", "cpu_package", "dram"} <= set(energy)
    assert set(energy["cpu_package"]) == {"j", "source", "reason", "systematic_pct", "random_pct", "detail"}
    assert {
        *("rounds_j", "total_j", "net_j", "per_1000_sentences_j", "low_j", "high_j", "systematic_pct", "marginal"),
    } <= set(energy)
    assert len(energy["rounds_j"]) == 10
    assert set(int8["power"]) == {"mean_w", "peak_w"}
    assert {"peak_host_mb", "peak_vram_mb", "weights_mb", "weights_by_dtype_mb", "isolated"} <= set(int8["memory"])
    assert int8["memory"]["peak_host_mb"] > 100
    # One million parameters of one byte, and the scales of their rows.
    assert int8["memory"]["weights_mb"] == pytest.approx(1e-6 * int8["tagger"]["parameters"], rel=0.2)


def test_times_have_their_shape(int8: Record, main_job: Finished) -> None:
    time = int8["time"]
    (bench,) = (b for b in main_job.report["benchmarks"] if b["extra_info"]["leanner"] is int8)
    assert time["rounds_s"] == bench["stats"]["data"]
    assert time["median_s"] == pytest.approx(bench["stats"]["median"])
    assert time["sentences_per_s"] == pytest.approx(48 / time["median_s"])
    assert time["prepare_s"] >= 0
    latency = int8["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]
    assert latency["sentences"] == 48
    speedup = int8["speedup"]
    assert speedup["low"] <= speedup["value"] <= speedup["high"]
    assert speedup["against"] == "fp32"
    # Weights that round to zero need no operation in theory.
    assert int8["flops"]["ratio"] == pytest.approx(1.0, abs=0.05)


def test_it_says_on_what_it_ran(int8: Record, main_job: Finished) -> None:
    environment = int8["environment"]
    assert {
        *("cpu", "isa", "gpu", "driver", "torch", "flair", "transformers", "python", "threads", "commit", "dirty")
    } == set(environment)
    machine = main_job.report["machine_info"]["leanner"]
    assert machine == {name: environment[name] for name in environment if name not in {"commit", "dirty"}}


def test_spans_are_fixed_by_their_digest(int8: Record) -> None:
    files = int8["files"]
    assert len(files["spans_sha256"]) == 64
    for name, stem, kind in (
        ("predictions", "int8", "predictions"),
        ("baseline_predictions", "fp32", "predictions"),
        ("traces", "int8", "traces"),
    ):
        digest = files[name]["sha256"][:8]
        assert files[name]["path"] == f"report.files/{stem}.cpu.{digest}.{kind}.jsonl.gz"


def test_it_stands_up_to_a_check(main_job: Finished, corpora: Path) -> None:
    assert [str(problem) for problem in check(main_job.path, (str(corpora.parent),)).problems] == []


def unexplained(value: object, place: str, unknown: dict[str, str]) -> list[str]:
    """Return the places of all nulls that neither their place nor one above it explains."""
    if isinstance(value, dict):
        if value.get("reason") is not None:
            return []
        return [p for k, v in value.items() for p in unexplained(v, f"{place}.{k}".strip("."), unknown)]
    if isinstance(value, list):
        return [p for item in value for p in unexplained(item, place, unknown)]
    parts = place.split(".")
    above = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return [place] if value is None and not above & set(unknown) else []


@pytest.mark.parametrize("name", ["fp32", "int8", "fp16"])
def test_every_null_has_its_reason(main_job: Finished, name: str) -> None:
    record = records(main_job.report)[name]
    # Not unknown but absent: not served, not pruned; a null reason is no unknown value.
    absent = {"served", "sparsity"}
    # What says more of known joules.
    domains = ("gpu", "cpu_package", "cpu_core", "dram")
    absent |= {f"energy.{domain}.{name}" for domain in domains for name in ("reason", "detail")}
    if record["device"] == "cpu":
        absent |= {"environment.gpu", "environment.driver"}
    if record["verdict"] == "not-run":
        # Without a result nothing of it is known; its reason is the case's.
        assert record["reasons"]
        return
    assert set(unexplained(record, "", record["unknown"])) <= absent


def test_what_cannot_run_is_in_the_report_with_its_reason(main_job: Finished) -> None:
    fp16 = records(main_job.report)["fp16"]

    assert list(main_job.report["leanner"]["without_time"]) == ["benchmarks/test_precision.py::test_case[fp16]"]
    assert fp16["verdict"] == "not-run"
    assert fp16["f1"] is None
    assert fp16["energy"] is None
    assert f"not-run: {fp16['reasons'][0]}"[:40] in main_job.output
    assert {bench["extra_info"]["leanner"]["configuration"] for bench in main_job.report["benchmarks"]} == {
        "fp32",
        "int8",
        "lean-int8",
    }


def test_a_case_says_what_ran_it(main_job: Finished) -> None:
    found = records(main_job.report)

    assert {name: record["runtime"] for name, record in found.items() if record["runtime"]} == {
        "fp32": "flair",
        "fp16": "flair",
        "int8": "flair",
        "lean-int8": "lean",
    }
    assert found["lean-int8"]["passes"][-1]["name"] == "lean-runtime"


def test_the_same_seed_gives_the_same_spans_and_f1(
    main_job: Finished, pytester: pytest.Pytester, shaped_file: Path, corpora: Path
) -> None:
    import leanner.measure.session  # noqa: F401 - must not be undone with the modules of the inner run

    result = pytester.runpytest_inprocess(
        *arguments(
            corpora,
            *("-k", "int8 and not magnitude and not lean-int8 and not static"),
            f"--leanner-tagger={shaped_file}",
            "--benchmark-json=again.json",
        )
    )
    assert result.ret == 0
    before, again = records(main_job.report)["int8"], records(strict_json(pytester.path / "again.json"))["int8"]

    for name in ("f1", "f1_drop", "corpus", "tagger"):
        assert again[name] == before[name]
    # The same bytes, too; only traces differ.
    for name in ("predictions", "baseline_predictions"):
        assert again["files"][name]["sha256"] == before["files"][name]["sha256"]
    assert again["files"]["spans_sha256"] == before["files"]["spans_sha256"]
    # Its baseline was not among the cases this time.
    assert again["speedup"] is None
    assert again["unknown"]["speedup"] == "fp32 was not timed in this run"
    result.stdout.fnmatch_lines(["*nothing to compare: the baseline was not timed among the cases*"])
