from __future__ import annotations

import json

from pathlib import Path

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

    with pytest.raises(SystemExit, match=r"expected at most 1000000 bytes, found \d+ in .*delta\.safetensors"):
        pack([tuned], tmp_path / "packed")


def test_of_several_the_mean_is_packed_with_the_bias_of_outside(tuned: Path, tmp_path: Path) -> None:
    weights = torch.load(tuned, weights_only=True)
    torch.save({name: value + 2e-3 for name, value in weights.items()}, tmp_path / "other.pt")
    mean = mean_weights([tuned, tmp_path / "other.pt"], 0.5)

    assert mean.keys() == weights.keys()
    bias = weights["linear.bias"] + 1e-3
    bias[TAGS.index("O")] += 0.5
    assert torch.allclose(mean["linear.bias"], bias)
    name = "encoder.layer.0.output.dense.weight"
    assert torch.allclose(mean[name], weights[name] + 1e-3, atol=1e-6)
