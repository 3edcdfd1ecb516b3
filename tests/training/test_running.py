from __future__ import annotations

import json

from pathlib import Path

import pytest

from running import begin
from running import command_line
from running import recipe_of


def arguments_of(*given: str, start: Path | None = None) -> None:
    parser = command_line("made up", epochs=2, peak=1e-3, seed=5)
    if start is not None:
        parser.add_argument("--start", type=Path)
        given = (*given, "--start", str(start))
    begin(parser.parse_args(given))


def test_the_recipe_tells_a_run_and_those_before_it_without_their_paths(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    arguments_of("corpora", str(first), "--epochs", "3")
    arguments_of("corpora", str(second), start=first / "tagger.pt")

    assert recipe_of(second / "tagger-4.pt") == {
        "weights": "tagger-4",
        "epochs": 2,
        "peak": 1e-3,
        "seed": 5,
        "budget": 2048,
        "start": {"weights": "tagger", "epochs": 3, "peak": 1e-3, "seed": 5, "budget": 2048},
    }


def test_the_recipe_of_what_is_packed_is_the_packed_one(tmp_path: Path) -> None:
    (tmp_path / "tagger.json").write_text(json.dumps({"recipe": {"seed": 3}}))

    assert recipe_of(tmp_path) == {"seed": 3}


def test_weights_without_a_recipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"expected .*recipe\.json, the recipe of tagger\.pt, found none"):
        recipe_of(tmp_path / "tagger.pt")


def test_another_run_in_the_same_folder_is_refused_and_its_recipe_kept(tmp_path: Path) -> None:
    arguments_of("corpora", str(tmp_path), "--seed", "7")
    (tmp_path / "checkpoint.pt").touch()
    arguments_of("corpora", str(tmp_path), "--seed", "7", "--threads", "1")

    with pytest.raises(SystemExit, match=r"holds a run with another epochs, seed: expected .*'seed': 7.*, found"):
        arguments_of("corpora", str(tmp_path), "--seed", "8", "--epochs", "1")
    assert recipe_of(tmp_path / "tagger.pt")["seed"] == 7
