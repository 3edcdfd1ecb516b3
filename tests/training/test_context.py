from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import context as module

from examples import TAGS
from running import RECIPE


class Built:
    """What Flair would save: the weights, and how many words of context."""

    def __init__(
        self, tags: list[str], entity_types: list[str], weights: dict[str, torch.Tensor], context: int
    ) -> None:
        self.given = (tags, entity_types, context)
        self.weights = weights

    def save(self, path: Path) -> None:
        torch.save(self.weights, path)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Built]:
    """What was built: the encoder of these tests is none that Flair would load."""
    made: list[Built] = []

    def build(*given: Any, **options: Any) -> Built:  # noqa: ANN401 - handed on
        made.append(Built(*given, **options))
        return made[-1]

    monkeypatch.setattr(module, "build", build)
    return made


def run(corpora: Path, start: Path, out: Path, steps: int, seed: int = 31) -> dict[str, torch.Tensor]:
    start.with_name(RECIPE).write_text("{}")
    given = ["--start", str(start), "--budget", "16", "--steps", str(steps), "--context", "8", "--peak", "1e-3"]
    given += ["--seed", str(seed)]
    module.main([str(corpora), str(out), *given])
    weights: dict[str, torch.Tensor] = torch.load(out / module.SAVED, weights_only=True)
    return weights


def test_it_learns_from_where_the_other_ended(corpora: Path, start: Path, tmp_path: Path, built: list[Built]) -> None:
    before = torch.load(start, weights_only=True)
    weights = run(corpora, start, tmp_path / "out", 6)

    assert built[0].given == (list(TAGS), ["diseases", "genes", "species"], 8)
    assert weights.keys() == before.keys()
    assert not torch.equal(weights["linear.weight"], before["linear.weight"])
    moved = [float((weights[name] - before[name]).abs().max()) for name in weights]
    assert max(moved) < 0.1
    assert (tmp_path / "out" / "recipe.json").is_file()


def test_it_is_seeded(corpora: Path, start: Path, tmp_path: Path, built: list[Built]) -> None:
    first, again = (run(corpora, start, tmp_path / name, 6) for name in ("a", "b"))
    other = run(corpora, start, tmp_path / "c", 6, seed=32)

    assert len(built) == 3
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["linear.weight"], other["linear.weight"])
