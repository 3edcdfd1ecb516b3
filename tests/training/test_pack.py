from __future__ import annotations

import json

from pathlib import Path
from typing import Any

import pytest
import torch

from safetensors.torch import load_file

import pack as module

from examples import TAGS
from leanner.taggers.bundled import base_weights
from leanner.taggers.bundled import load_bundled
from leanner.taggers.weights import weigh
from pack import mean_weights
from pack import pack


EMBEDDINGS = "embeddings.word_embeddings.weight"


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    """Weights a little off MiniLM's, as training leaves them, in ``tagger.pt``."""
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: value + 1e-3 * torch.randn(value.shape, generator=generator) if name != EMBEDDINGS else value.clone()
        for name, value in base_weights().items()
    }
    weights[EMBEDDINGS][1000:1100] += 0.01
    weights["linear.weight"] = torch.randn(len(TAGS), 384, generator=generator)
    weights["linear.bias"] = torch.randn(len(TAGS), generator=generator)
    torch.save(weights, tmp_path / "tagger.pt")
    (tmp_path / "recipe.json").write_text(json.dumps({"seed": 1, "epochs": 6, "budget": 64}))
    return tmp_path / "tagger.pt"


def test_what_is_packed_is_what_is_loaded(tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "packed"
    pack([tuned], folder)
    about = json.loads((folder / "tagger.json").read_text())
    tagger = load_bundled(folder=folder)

    assert tagger.weights_sha256 == about["weights_sha256"]
    assert tagger.weights_sha256 in capsys.readouterr().out
    assert about["parameters"] == weigh(tagger.model).parameters
    assert about["tags"] == list(TAGS)
    assert about["prompt"] == "[ Tag diseases, genes and species ]"
    assert about["recipe"] == {
        "mean_of": [{"weights": "tagger", "seed": 1, "epochs": 6, "budget": 64}],
        "added_to_bias_of_O": 0.0,
    }
    wanted = torch.load(tuned, weights_only=True)
    loaded = tagger.model.state_dict()
    for name, value in wanted.items():
        found = loaded[name if name.startswith("linear.") else f"embeddings.model.{name}"]
        # Eight bits of a row's largest change of about 4e-3.
        assert torch.allclose(found, value, atol=4e-5), name
    changed = load_file(folder / "delta.safetensors")
    assert changed[f"{EMBEDDINGS}.rows"].tolist() == list(range(1000, 1100))
    assert (folder / "delta.safetensors").stat().st_size < module.LARGEST


def test_what_is_too_large_is_refused(tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1_000_000)

    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "tagger.json").write_text("what is there")
    with pytest.raises(SystemExit, match=r"expected at most 1000000 bytes, found \d+: delta\.safetensors and"):
        pack([tuned], packed)
    assert [path.name for path in packed.iterdir()] == ["tagger.json"]
    assert (packed / "tagger.json").read_text() == "what is there"


def test_of_several_the_mean_is_packed_with_the_bias_of_outside(
    tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = torch.load(tuned, weights_only=True)
    other = tmp_path / "other" / "tagger-2.pt"
    other.parent.mkdir()
    torch.save({name: value + 2e-3 for name, value in weights.items()}, other)
    other.with_name("recipe.json").write_text(json.dumps({"seed": 2}))
    mean = mean_weights([tuned, other], 0.5)

    assert mean.keys() == weights.keys()
    bias = weights["linear.bias"] + 1e-3
    bias[TAGS.index("O")] += 0.5
    assert torch.allclose(mean["linear.bias"], bias)
    name = "encoder.layer.0.output.dense.weight"
    assert torch.allclose(mean[name], weights[name] + 1e-3, atol=1e-6)
    # A change of every embedding is more than what is shipped.
    monkeypatch.setattr(module, "LARGEST", 32 * 1024 * 1024)
    pack([tuned, other], tmp_path / "packed", 0.5)
    about = json.loads((tmp_path / "packed" / "tagger.json").read_text())
    assert about["recipe"] == {
        "mean_of": [
            {"weights": "tagger", "seed": 1, "epochs": 6, "budget": 64},
            {"weights": "tagger-2", "seed": 2},
        ],
        "added_to_bias_of_O": 0.5,
    }
    head: Any = load_bundled(folder=tmp_path / "packed").model.state_dict()["linear.bias"]
    assert torch.equal(head, mean["linear.bias"])


def test_weights_of_different_models_have_no_mean(tuned: Path, tmp_path: Path) -> None:
    weights = torch.load(tuned, weights_only=True)
    torch.save(weights | {"more": torch.zeros(1)}, tmp_path / "more.pt")

    with pytest.raises(SystemExit, match=r"expected .*more\.pt to hold the weights that .*tagger\.pt holds"):
        mean_weights([tuned, tmp_path / "more.pt"])
