from __future__ import annotations

import json

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import make
import pack
import refine
import train

from leanner.taggers.bundled import read_about
from running import recipe_of


if TYPE_CHECKING:
    import pytest


def test_the_steps_are_the_recipe_of_what_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        pass

    def only_the_recipe(paths: Sequence[Path], folder: Path, outside: float = 0.0) -> None:
        folder.mkdir()
        (folder / "tagger.json").write_text(json.dumps({"recipe": pack.recipe(paths, outside)}))

    monkeypatch.setattr(train, "train", nothing)
    monkeypatch.setattr(refine, "refine", nothing)
    monkeypatch.setattr(pack, "pack", only_the_recipe)
    monkeypatch.setattr("sys.argv", ["make.py", "corpora", str(tmp_path), str(tmp_path / "made")])
    make.main()

    shipped: Any = read_about(Path(str(files("leanner.taggers") / "bundled")))
    assert recipe_of(tmp_path / "made") == shipped["recipe"]
