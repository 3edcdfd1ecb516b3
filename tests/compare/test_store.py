"""``leanner accept`` and ``leanner history``, and what comparing with the baseline leaves in the store."""

from __future__ import annotations

import json
import subprocess

from pathlib import Path

import pytest

from compare.runs import NAMES
from compare.runs import Made
from leanner.cli import main
from leanner.compare.history import line
from leanner.compare.reading import Reader
from leanner.compare.sides import Sides
from leanner.compare.store import Store
from leanner.report.costs import Memory
from leanner.report.record import TaggerInfo


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"), articles=24)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


def against_baseline(path: Path, *more: str) -> int:
    return main(["compare", "baseline", str(path), "--unchecked", *more])


def git(*given: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    done = subprocess.run(["git", *identity, *given], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def entries() -> list[dict[str, object]]:
    """Return what the store says of its runs, oldest first."""
    found = [json.loads(path.read_bytes()) for path in Path(".leanner/runs").glob("*/*/*/run.json")]
    return sorted(found, key=lambda entry: str(entry["measured"]))


def test_the_first_run_ever_becomes_the_baseline(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    first = made.run("first", 1)
    assert against_baseline(first) == 0
    assert "is stored as the baseline" in capsys.readouterr().out
    assert against_baseline(first) == 0
    assert "is the baseline itself" in capsys.readouterr().out

    (entry,) = entries()
    assert (entry["level"], entry["outcome"]) == (1, "accepted")


def test_what_is_worse_or_better_is_no_session_of_the_baseline(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert against_baseline(made.run("a", 1)) == 0
    assert against_baseline(made.run("b", 2)) == 0
    assert against_baseline(made.run("c", 3, slower={"bf16": 1.2})) == 1
    assert "if that is meant: leanner accept" in capsys.readouterr().out
    assert against_baseline(made.run("d", 4, slower={"bf16": 0.8})) == 0
    assert "to guard what was gained: leanner accept" in capsys.readouterr().out

    assert [(e["level"], e["outcome"]) for e in entries()] == [
        (1, "accepted"),
        (1, "same"),
        (None, "worse"),
        (None, "better"),
    ]


def test_accept_moves_the_baseline(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert against_baseline(made.run("e", 1)) == 0
    slow = made.run("slow", 5, slower={"bf16": 1.2})
    assert against_baseline(slow) == 1
    name = str(entries()[-1]["id"])
    assert main(["accept", name, "--reason", "a fix of a bug costs this"]) == 0

    assert [(e["level"], e["reason"]) for e in entries()] == [
        (1, "first run on this machine"),
        (2, "a fix of a bug costs this"),
    ]
    # what the slow run was held to, the next one is
    assert against_baseline(made.run("slow-2", 6, slower={"bf16": 1.2})) == 0
    # and looking at it again takes nothing back
    capsys.readouterr()
    assert against_baseline(slow) == 0
    assert entries()[-2]["level"] == 2


def test_each_machine_has_its_own(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert against_baseline(made.run("here", 1)) == 0
    assert against_baseline(made.run("there", 2, slower={"bf16": 2.0}, environment={"cpu": "another"})) == 0

    assert "1 runs of other machines are stored" in capsys.readouterr().out
    assert len({entry["machine"] for entry in entries()}) == 2


@pytest.mark.parametrize(
    ("environment", "tagger", "said"),
    [
        ({"threads": 1}, "a", "threads: 2 and 1"),
        ({"isa": ["avx512"]}, "a", "ISA: "),
        ({"driver": "581"}, "a", 'driver: null and "581"'),
        ({}, "b", "sha256 of the tagger's weights: "),
    ],
    ids=["threads", "isa", "driver", "tagger"],
)
def test_other_conditions_on_the_same_machine_are_refused_until_they_are_accepted(
    made: Made, environment: dict[str, object], tagger: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    info = {"tagger": TaggerInfo("bundled", tagger * 64, 22_000_000)}

    def other(name: str, seed: int, slower: float = 1.0) -> Path:
        slow = dict.fromkeys(NAMES, slower)
        return made.run(name, seed, slower=slow, environment=environment, changes=dict.fromkeys(NAMES, info))

    assert against_baseline(made.run("before", 1)) == 0
    capsys.readouterr()
    for attempt in range(2):
        assert against_baseline(other(f"refused-{attempt}", 2 + attempt, 2.0)) == 2
        text = capsys.readouterr().err
        assert said in text
        kept = entries()[-1]
        assert (kept["level"], kept["outcome"]) == (None, "refused")
        assert f"leanner accept {kept['id']} --reason" in text

    stored = len(entries())
    assert against_baseline(other("across", 4, 2.0), "--across-machines") == 1
    assert "across machines: " in capsys.readouterr().out
    assert len(entries()) == stored

    assert main(["accept", str(entries()[-1]["id"]), "--reason", "meant"]) == 0
    assert against_baseline(other("next", 5, 2.0)) == 0
    assert against_baseline(other("slower", 6, 2.6)) == 1
    # what was there before has its own baseline still
    assert against_baseline(made.run("back", 7)) == 0


def test_what_fewer_gates_let_pass_is_no_session_of_the_baseline(made: Made) -> None:
    for seed in range(2):
        assert against_baseline(made.run(f"usual-{seed}", 20 + seed)) == 0
    slow = made.run("slow-k", 30, slower={"bf16": 1.5})
    narrow = ["compare", "baseline", str(slow), "--unchecked", "--fail-on=f1:0.3pt"]
    assert main(narrow) == 0
    assert (entries()[-1]["level"], entries()[-1]["outcome"]) == (None, "worse")
    assert against_baseline(slow) == 1
    assert main(narrow) == 0
    assert (entries()[-1]["level"], entries()[-1]["outcome"]) == (None, "worse")
    assert against_baseline(made.run("slow-l", 31, slower={"bf16": 1.5})) == 1


def test_a_peak_that_nobody_can_tell_yet_lies_beside_the_baseline_and_is_no_spread(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = []
    for night in range(6):
        peak = Memory(600.0 * (1.1 if night >= 2 else 1.0) * (1.0 + 0.003 * (night % 3)), None, 45.5)
        codes.append(against_baseline(made.run(f"peak-{night}", 40 + night, changes={"bf16": {"memory": peak}})))

    # five are stored: how much sessions differ is known, from within the two groups
    assert codes == [0, 0, 0, 0, 0, 1]
    assert [(e["level"], e["outcome"], e["beside"]) for e in entries()] == [
        (1, "accepted", None),
        (1, "same", None),
        *[(None, "inconclusive", 1)] * 3,
        (None, "worse", None),
    ]
    assert "too few sessions are stored to tell: bf16 host" in capsys.readouterr().out


def test_f1_is_held_against_what_was_accepted_though_it_was_measured_later(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = made.run("whole", 50)
    forgetful = made.run("forgetful", 51, forgets={"int8": 10})
    store = Store(Path(".leanner"))
    store.accept(Reader().read(forgetful), "tried")
    store.add(Reader().read(whole), 1, "same")
    capsys.readouterr()
    later = made.run("forgetful-2", 52, forgets={"int8": 10})
    assert main(["compare", "baseline", str(later), "--unchecked", "--format=json"]) == 0
    changes = json.loads(capsys.readouterr().out)["changes"]
    (change,) = [c for c in changes if (c["configuration"], c["metric"]) == ("int8", "f1")]
    assert (change["outcome"], change["worse_by"]) == ("same", 0.0)


def test_an_accepted_case_that_cannot_be_used_is_said(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(Path(".leanner"))
    doubtful = {"bf16": {"suspect": True, "quality": ("throttled",)}}
    store.accept(Reader().read(made.run("doubtful", 60, changes=doubtful)), "tried")
    store.add(Reader().read(made.run("sound", 61)), 1, "same")
    assert against_baseline(made.run("after", 62)) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "bf16: F1 and weights are held against " in text
    assert "it is suspect in the baseline: throttled" in text


def test_a_broken_entry_of_another_machine_stops_nothing(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert against_baseline(made.run("ours", 70)) == 0
    assert against_baseline(made.run("theirs", 71, environment={"cpu": "another"})) == 0
    theirs, ours = sorted(Path(".leanner/runs").glob("*/*/*/run.json"), key=lambda path: path.parent.name)[::-1]
    whole = theirs.read_bytes()
    theirs.write_text("{")
    capsys.readouterr()
    assert against_baseline(made.run("ours-2", 72)) == 0
    assert f"remove the folder {theirs.parent}" in capsys.readouterr().out.replace("\n", " ")
    assert main(["history"]) == 2
    captured = capsys.readouterr()
    assert ours.parent.name in captured.out
    assert f"remove the folder {theirs.parent}" in captured.err

    theirs.write_bytes(whole)
    ours.write_text("{")
    assert against_baseline(made.run("ours-3", 73)) == 2
    assert f"remove the folder {ours.parent}" in capsys.readouterr().err


def test_a_stored_report_that_was_changed(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert against_baseline(made.run("kept", 1)) == 0
    (kept,) = Path(".leanner/runs").glob("*/*/*/kept.json")
    kept.write_text(kept.read_text().replace("bundled", "bundles"))

    assert against_baseline(made.run("next", 2)) == 2
    assert "expected the report that was stored" in capsys.readouterr().err


def test_a_run_that_was_not_written_to_its_end_is_none(made: Made) -> None:
    assert against_baseline(made.run("first", 1)) == 0
    (kept,) = Path(".leanner/runs").glob("*/*/*")
    part = kept.with_name(f".{kept.name}.part")
    part.mkdir()
    (part / "run.json").write_bytes((kept / "run.json").read_bytes())
    assert [entry.id for entry in Store(Path(".leanner")).entries()] == [kept.name]


def test_its_files_are_kept_with_a_run(made: Made) -> None:
    assert against_baseline(made.run("files", 1)) == 0

    (kept,) = Path(".leanner/runs").glob("*/*/*/files.json")
    assert len(list(kept.with_name("files.files").iterdir())) == 3


def test_revisions_stand_for_the_runs_of_a_commit(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    commit = git("rev-parse", "HEAD")
    for seed, dirty in ((1, False), (2, False), (3, True)):
        path = made.run(f"of-{seed}", seed, environment={"commit": commit, "dirty": dirty})
        assert main(["accept", str(path), "--reason", "tried", "--unchecked"]) == 0
    capsys.readouterr()
    given = ["compare", "HEAD", str(made.run("later", 4)), "--unchecked", "--format=json"]
    assert main(given) == 0
    assert len(json.loads(capsys.readouterr().out)["before"]) == 2

    git("commit", "-q", "--allow-empty", "-m", "second")
    assert main(given) == 2
    assert "expected a saved run of HEAD" in capsys.readouterr().err


def test_of_a_new_revision_on_two_machines_the_runs_that_base_can_be_held_against_are_taken(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    ours: dict[str, object] = {"commit": git("rev-parse", "HEAD"), "dirty": False}
    # of this commit two runs here, then one elsewhere
    for seed, more in ((1, {}), (2, {}), (3, {"cpu": "another"})):
        path = made.run(f"two-{seed}", seed, environment={**ours, **more})
        assert main(["accept", str(path), "--reason", "tried", "--unchecked"]) == 0
    here = made.run("base-here", 4)
    there = made.run("base-there", 5, environment={"cpu": "another"})
    nowhere = made.run("base-nowhere", 6, environment={"cpu": "a third"})
    for base, number in ((here, 2), (there, 1)):
        capsys.readouterr()
        assert main(["compare", str(base), "HEAD", "--unchecked", "--format=json"]) == 0
        content = json.loads(capsys.readouterr().out)
        assert len(content["after"]) == number
        said = (
            f"HEAD: of its 3 stored runs, {number} on the machine and under the conditions of {content['after'][-1]} "
        )
        assert any(mark.startswith(said) for mark in content["marks"])

    assert main(["compare", str(nowhere), "HEAD", "--unchecked"]) == 2
    assert 'found CPU: "a third" and "another"' in capsys.readouterr().err
    # which of the two is to be accepted, nobody can guess
    assert main(["accept", "HEAD", "--reason", "tried"]) == 2
    assert "expected one run of HEAD" in capsys.readouterr().err


def test_of_a_new_revision_on_two_machines_those_with_a_baseline_are_taken(made: Made) -> None:
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert against_baseline(made.run("accepted", 1)) == 0
    ours: dict[str, object] = {"commit": git("rev-parse", "HEAD"), "dirty": False}
    store = Store(Path(".leanner"))
    for seed, more in ((2, {}), (3, {"cpu": "another"})):
        store.add(Reader().read(made.run(f"kept-{seed}", seed, environment={**ours, **more})), None, "worse")
    sides = Sides(store, Reader())

    (chosen,) = sides.alike("HEAD", "baseline")
    assert chosen.report.path.name == "kept-2.json"


def test_runs_that_pytest_benchmark_saved(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / ".benchmarks" / "Linux-CPython-3.11-64bit"
    saved.mkdir(parents=True)
    (saved / "0001_a.json").write_bytes(made.run("saved", 1).read_bytes())

    assert main(["compare", "0001", str(made.run("after", 2)), "--unchecked", "--fail-on=time:5%"]) == 0
    assert "pytest-benchmark saves no traces and spans" in capsys.readouterr().out


def test_history(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history"]) == 0
    assert "no run is stored" in capsys.readouterr().out
    for seed in (1, 2, 3):
        assert against_baseline(made.run(f"history-{seed}", seed)) == 0
    capsys.readouterr()

    assert main(["history"]) == 0
    text = capsys.readouterr().out
    assert all(str(entry["id"]) in text for entry in entries())
    assert main(["history", "--metric", "energy"]) == 0
    text = capsys.readouterr().out
    assert "energy, J" in text
    assert "█" in text
    assert main(["history", "--metric", "speed"]) == 2


def test_a_line_of_characters() -> None:
    assert line([1.0, None, 8.0, 4.5]) == "▁·█▅"
    assert line([2.0, 2.0]) == "▅▅"
    assert line([]) == ""
