"""``leanner factorial``, as a user calls it."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from compare.runs import Made
from compare.runs import edited
from leanner.cli import main
from leanner.factorial.design import served


if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


CELLS = ("fp32", "int8", "second-order-50", "int8-second-order-50")
FACTORS = ("fp32:int8", "dense:50 %")


@pytest.fixture(autouse=True)
def no_corpora_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all of them takes many seconds, and none of these runs is of them."""
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("factorial"), articles=40)


@pytest.fixture(scope="module")
def eight(made: Made) -> Path:
    """The served cells: int8 takes half of the time and misses mentions, batches take less with it than without."""
    names = served("torchserve").cells
    slower = {name: (0.5 if "int8" in name else 1.0) * (0.8 if "b16" in name else 1.0) for name in names}
    slower[names[5]] = slower[names[7]] = 0.3
    return made.run("eight", 3, names=names, slower=slower, forgets={n: 6 for n in names if "int8" in n}, rounds=20)


@pytest.fixture(scope="module")
def four(made: Made) -> Path:
    """Cases that are not served, and one that is no cell."""
    return made.run("four", 4, names=(*CELLS, "bf16"))


def printed(made: Made, path: Path, capsys: pytest.CaptureFixture[str], *given: str) -> str:
    assert main(["factorial", str(path), *given, "--corpora", str(made.folder / "corpora")]) == 0
    out, err = capsys.readouterr()
    assert not err
    return out


def refused(capsys: pytest.CaptureFixture[str], *given: str) -> str:
    assert main(["factorial", *given]) == 2
    out, err = capsys.readouterr()
    assert not out
    return err


def test_the_question_of_the_expose_as_json(made: Made, eight: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(printed(made, eight, capsys, "--format", "json"))

    assert [cell["configuration"] for cell in found["cells"]] == list(served("torchserve").cells)
    assert found["cells"][5]["levels"] == ["int8", "dense", "batch 16 / 5 ms"]
    responses = {response["metric"]: response for response in found["responses"]}
    assert list(responses) == ["f1", "time", "energy", "host"]
    effects = {tuple(effect["factors"]): effect for effect in responses["time"]["effects"]}
    assert effects["int8",]["value"] == pytest.approx(2 * (0.4 / 0.3) ** 0.5, rel=0.02)
    # batches gain 1.25 times without int8 and 1.67 times with it
    assert effects["int8", "batch 16 / 5 ms"]["value"] == pytest.approx(4 / 3, rel=0.04)
    assert effects["int8", "batch 16 / 5 ms"]["low"] > 1.0
    assert effects["50 % zeros",]["value"] == pytest.approx(1.0, rel=0.02)
    for metric in ("f1", "time", "energy"):
        for effect in responses[metric]["effects"]:
            assert effect["low"] <= effect["value"] <= effect["high"]
    assert responses["f1"]["effects"][0]["high"] < 0.0
    assert responses["host"]["effects"][0]["low"] is None


def test_the_table_says_it_in_words(made: Made, eight: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(made, eight, capsys).splitlines()

    heading = next(line for line in lines if "F1 pt [95 %]" in line)
    assert all(column in heading for column in ("× faster [95 %]", "× fewer J [95 %]", "× less memory [1]"))
    assert any(line.startswith("[1] one value a case") for line in lines)
    assert any(line.startswith("8 cells give a mean and 7 effects: nothing is left over") for line in lines)
    assert any(line.startswith("One session, cells measured one after another") for line in lines)
    words = lines[-7:]
    assert words[0].startswith("int8 in place of fp32: a round is 2.3")
    assert " times as fast, F1 changes by -" in words[0]
    assert words[4].startswith("int8, with batch 16 / 5 ms against batch 1: the speed-up is 1.3")
    assert words[6].startswith(
        "int8 × 50 % zeros, with batch 16 / 5 ms against batch 1: the ratio of the interaction is "
    )


def test_other_cells_as_markdown(made: Made, four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(made, four, capsys, "--factors", *FACTORS, "--cells", *CELLS, "--format", "markdown")

    assert "| int8 | 50 % | int8-second-order-50 | " in text
    assert "| int8 × 50 % | " in text
    assert r"× less memory \[1\]" in text
    assert r"\[1\] one value a case" in text
    assert "- int8 in place of fp32: a round is " in text


def test_without_the_corpus_only_f1_lacks_intervals(four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--factors", *FACTORS, "--cells", *CELLS, "--format", "json", "--corpora", "bundled"]
    assert main(["factorial", str(four), *given]) == 0
    f1, time, *_ = json.loads(capsys.readouterr().out)["responses"]

    assert f1["reason"].startswith("expected the corpus of the run, found another (bundled")
    assert f1["effects"][0]["low"] is None
    assert time["effects"][0]["low"] is not None


def test_several_sessions_give_memory_an_interval_too(
    made: Made, four: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [str(made.run(f"later-{number}", number, names=CELLS)) for number in (5, 6)]
    given = (*others, "--factors", *FACTORS, "--cells", *CELLS)
    found = json.loads(printed(made, four, capsys, *given, "--format", "json"))

    assert found["sessions"] == 3
    assert [response["basis"] for response in found["responses"]] == [
        "articles, the same draws for all cells", *["scatter of 3 sessions"] * 3
    ]  # fmt: skip
    for response in found["responses"]:
        for effect in response["effects"]:
            assert effect["low"] <= effect["value"] <= effect["high"]
    assert any(remark.startswith("3 sessions: what differs between them is in the") for remark in found["remarks"])


def test_sessions_that_are_the_same_or_of_other_machines_are_refused(
    made: Made, four: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--factors", *FACTORS, "--cells", *CELLS)
    assert "four.json: expected each session once, found one again" in refused(capsys, str(four), str(four), *given)
    other = made.run("other", 5, names=CELLS, environment={"cpu": "another CPU"})
    error = refused(capsys, str(four), str(other), *given)
    assert 'expected sessions on one machine, tagger and corpus, found CPU: "a CPU" of fp32, "another CPU"' in error


def test_cells_that_are_not_there_are_named(four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, str(four))
    assert "four.json: expected all 8 cells with a result, found 8 without: torchserve-fp32-b1 is not in the" in error
    assert "mosec-int8-b16 is not in the report" in refused(capsys, str(four), "--served", "mosec")


def test_no_corpus_is_read_for_cells_that_are_not_there(four: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanner.runs.run.with_corpus", lambda *_: pytest.fail("a corpus was read"))
    assert main(["factorial", str(four)]) == 2


def test_a_changed_f1_is_refused(made: Made, four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(report: Any) -> None:  # noqa: ANN401 - any JSON
        next(iter(report["leanner"]["without_time"].values()))["f1"]["micro"] = 0.99

    path = edited(four, change)
    given = ["--corpora", str(made.folder / "corpora"), "--factors", *FACTORS, "--cells", *CELLS]
    assert "fp32: expected F1 0.990000 of the stored spans" in refused(capsys, str(path), *given)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (("--factors", "fp32:int8"), "expected --factors and --cells together"),
        (("--factors", "fp32-int8", "--cells", "fp32", "int8"), "expected LOW:HIGH, as fp32:int8; found 'fp32-int8'"),
        (("--factors", "fp32:int8", "--cells", *CELLS), "expected 2 cells for 1 factor, found 4: fp32, int8, second"),
    ],
    ids=["alone", "colon", "number"],
)
def test_arguments_that_make_no_factorial_are_refused(
    given: tuple[str, ...], error: str, four: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error in refused(capsys, str(four), *given)


def test_what_is_no_report_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "missing.json: cannot be read: No such file" in refused(capsys, str(tmp_path / "missing.json"))
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert "expected a report of pytest-benchmark" in refused(capsys, str(other))
