"""The main job on a token-classification checkpoint, as a user runs it; the tests look at what it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import Finished
from bench import arguments
from bench import records
from bench import run_as_a_user
from bench import write_corpus
from leanner.check.checking import check
from leanner.taggers.hf.load import load_hf
from taggers.hf.checkpoints import save_bert
from taggers.hf.checkpoints import teach


LABELS = ("LABEL_0", "LABEL_1", "B-Species", "I-Species", "B-Chemical")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpora") / "tmvar3")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_bert(tmp_path_factory.mktemp("hf") / "checkpoint", LABELS)
    teach(folder, {"TP53 is lost in mice.": {"TP53": "LABEL_1", "mice": "B-Species"}, "It causes cancer.": {}})
    return folder


@pytest.fixture(scope="module")
def label_map(checkpoint: Path) -> Path:
    path = checkpoint.parent / "labels.toml"
    path.write_text('[labels]\nLABEL_1 = "GENE"\n', encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, label_map: Path, corpora: Path) -> Finished:
    wanted = ("-k", "fp32 or (int8 and not magnitude and not static)", "-rs")
    tagger = (f"--leanner-tagger=hf:{checkpoint}", f"--leanner-tagger-labels={label_map}")
    return run_as_a_user(tmp_path_factory.mktemp("main"), *arguments(corpora, *wanted, *tagger))


def test_it_ends_well(job: Finished) -> None:
    assert job.rc == 0, job.output
    verdicts = {name: record["verdict"] for name, record in records(job.report).items()}
    assert verdicts == {"fp32": "recorded", "int8": "pass", "lean-int8": "pass"}


def test_what_it_learnt_is_found(job: Finished) -> None:
    f1 = records(job.report)["fp32"]["f1"]
    assert (f1["micro"], f1["GENE"], f1["SPECIES"], f1["DISEASE"]) == (1.0, 1.0, 1.0, None)


def test_the_record_says_which_tagger_ran_and_how(job: Finished, checkpoint: Path) -> None:
    found = records(job.report)
    tagger = load_hf(f"hf:{checkpoint}")
    for name in ("fp32", "int8"):
        assert found[name]["runtime"] == "transformers"
        assert found[name]["tagger"] == {
            "name": f"hf:{checkpoint}",
            "weights_sha256": tagger.weights_sha256,
            "parameters": sum(parameter.numel() for parameter in tagger.model.parameters()),
        }


def test_what_its_labels_are_stands_in_the_record(job: Finished, label_map: Path) -> None:
    record = records(job.report)["fp32"]
    notes = " | ".join(record["quality"])
    assert "has no label for DISEASE (its entity types: Chemical, LABEL_0, LABEL_1, Species)" in notes
    assert "none of ours and not scored: Chemical, LABEL_0" in notes
    assert f"labels as {label_map} has them: LABEL_1 is GENE, Species is SPECIES" in notes


def test_it_stands_up_to_a_check(job: Finished, corpora: Path) -> None:
    assert [str(problem) for problem in check(job.path, (str(corpora.parent),)).problems] == []


def test_a_checkpoint_that_is_not_there_ends_the_run_with_one_error(tmp_path: Path, corpora: Path) -> None:
    ended = run_as_a_user(tmp_path, *arguments(corpora, "-k", "fp32 or int8", f"--leanner-tagger=hf:{tmp_path}"))
    assert ended.rc == pytest.ExitCode.USAGE_ERROR
    assert f"leanner: {tmp_path}: expected a token-classification checkpoint of transformers" in ended.output
    assert "Traceback" not in ended.output
