from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.configurations import BASELINE
from leanner.measure.case import Baseline
from leanner.measure.finished import Finished
from leanner.measure.keeping import Keeper
from leanner.report.journal import read_journal
from leanner.report.predictions import read_predictions
from leanner.report.reuse import Wanted
from leanner.report.stored import locate
from measure.fakes import FakeStopwatch
from measure.fakes import FakeTagger
from measure.fakes import articles
from measure.fakes import options
from report.records import record


if TYPE_CHECKING:
    from leanner.options import Options
    from leanner.report.record import CaseRecord


DOCUMENTS = articles(3)
ENVIRONMENT = {"torch": "2", "commit": "f" * 40, "dirty": False}


def held(*, timed: bool) -> Baseline:
    tagger = FakeTagger()
    return Baseline.of(tagger, DOCUMENTS, list(tagger.tag(DOCUMENTS)), (1.0,) if timed else None)


def finished(configuration: str = "bf16", *, timed: bool = True) -> Finished:
    made = record(configuration, environment=ENVIRONMENT, files={})
    return Finished(made, held(timed=timed), held(timed=timed), b"traces", (3.0, 5.0))


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Keeper]:
    """Open a keeper in this folder."""

    def open_keeper(report: str | None = "run.json", given: Options | None = None) -> Keeper:
        path = None if report is None else tmp_path / report
        return Keeper.open(given or options(), path, ENVIRONMENT, None)

    return open_keeper


def wanted(saved: CaseRecord, given: Options) -> Wanted:
    assert saved.tagger is not None
    assert saved.corpus is not None
    return Wanted(
        configuration=saved.configuration,
        passes=saved.passes,
        device=saved.device,
        weights_sha256=saved.tagger.weights_sha256,
        corpus_sha256=saved.corpus.sha256,
        environment=ENVIRONMENT,
        options=given.to_json(),
    )


def test_files_lie_beside_the_report_before_the_journal_names_them(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    keeper = keep()
    kept = keeper.case("a::b[bf16]", finished(), DOCUMENTS, FakeStopwatch())
    keeper.close()

    saved = read_journal(tmp_path / "run.journal.jsonl").cases["a::b[bf16]"].record
    assert saved.files == kept.files
    for name in ("predictions", "baseline_predictions", "traces"):
        assert locate(tmp_path / "run.json", kept.files[name]["path"]).is_file()
    assert (tmp_path / kept.files["traces"]["path"]).read_bytes() == b"traces"
    spans = read_predictions(tmp_path / kept.files["predictions"]["path"]).on(DOCUMENTS)
    assert spans == [tuple(sentence.spans for sentence in document.sentences) for document in DOCUMENTS]


def test_the_baseline_is_its_own(keep: Callable[..., Keeper]) -> None:
    kept = keep().case("fp32", finished(BASELINE), DOCUMENTS, FakeStopwatch())

    assert kept.files["baseline_predictions"] == kept.files["predictions"]


def test_a_baseline_that_was_not_among_the_cases_has_a_file_of_its_own(keep: Callable[..., Keeper]) -> None:
    kept = keep().case("bf16", finished(timed=False), DOCUMENTS, FakeStopwatch())

    assert kept.files["baseline_predictions"]["path"].startswith("run.files/fp32-untimed.cpu.")


@pytest.mark.parametrize("timed", [True, False])
def test_spans_name_their_case(keep: Callable[..., Keeper], tmp_path: Path, *, timed: bool) -> None:
    kept = keep().case("bf16", finished(timed=timed), DOCUMENTS, FakeStopwatch())

    for name, configuration in (("predictions", "bf16"), ("baseline_predictions", BASELINE)):
        spans = read_predictions(locate(tmp_path / "run.json", kept.files[name]["path"]))
        assert (spans.configuration, spans.device) == (configuration, "cpu")


def test_without_a_report_nothing_is_stored_and_why(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    kept = keep(None).case("bf16", finished(), DOCUMENTS, FakeStopwatch())

    assert list(tmp_path.iterdir()) == []
    assert "predictions" not in kept.files
    assert "no report was asked for" in kept.unknown["files.traces"]


def test_a_journal_may_be_kept_without_a_report(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    keeper = keep(None, options(journal=str(tmp_path / "new" / "mine.jsonl")))
    keeper.case("bf16", finished(), DOCUMENTS, FakeStopwatch())
    keeper.close()

    content = read_journal(tmp_path / "new" / "mine.jsonl")
    assert list(content.cases) == ["bf16"]
    assert content.asked.report is None


def test_what_is_the_same_is_taken_over_with_its_files(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    first = keep("run.json")
    kept = first.case("bf16", finished(), DOCUMENTS, FakeStopwatch())
    first.close()
    given = options(resume=str(tmp_path / "run.journal.jsonl"))
    said: list[str] = []
    second = keep("next.json", given)
    reused = second.reuse("bf16", wanted(kept, given), said.append)
    second.close()

    assert reused is not None
    assert reused.files["traces"]["path"] == kept.files["traces"]["path"].replace("run.files", "next.files")
    assert (tmp_path / reused.files["traces"]["path"]).read_bytes() == b"traces"
    assert len(second.predictions(reused, DOCUMENTS)) == 3
    assert list(read_journal(tmp_path / "next.journal.jsonl").cases) == ["bf16"]
    assert "as measured at" in said[0]


def test_a_case_that_is_not_in_the_journal_is_measured(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    keep("run.json").close()
    given = options(resume=str(tmp_path / "run.journal.jsonl"))

    assert keep("run.json", given).reuse("bf16", wanted(record(), given), lambda _: None) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [({"seed": 3}, "option seed: saved 0, now 3"), ({"precision_pct": 9.0}, "option precision_pct")],
)
def test_other_options_mean_another_measurement(
    keep: Callable[..., Keeper], tmp_path: Path, change: dict[str, float], said: str
) -> None:
    first = keep("run.json")
    kept = first.case("bf16", finished(), DOCUMENTS, FakeStopwatch())
    first.close()
    given = replace(options(resume=str(tmp_path / "run.journal.jsonl")), **change)  # type: ignore[arg-type]  # options
    heard: list[str] = []

    assert keep("run.json", given).reuse("bf16", wanted(kept, given), heard.append) is None
    assert said in heard[0]


def test_an_earlier_run_without_files_cannot_be_taken_over(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    journal = str(tmp_path / "mine.jsonl")
    first = keep(None, options(journal=journal))
    kept = first.case("bf16", finished(), DOCUMENTS, FakeStopwatch())
    first.close()
    given = options(resume=journal)
    heard: list[str] = []

    assert keep("run.json", given).reuse("bf16", wanted(kept, given), heard.append) is None
    assert "stored no files" in heard[0]
