from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from transformers import BertConfig
from transformers import BertModel

import refine
import train

from corpora.writers import Text
from corpora.writers import pubtator
from examples import Source
from leanner.types import Label


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the size of nothing, and an encoder that fits."""
    folder = tmp_path / "corpora" / "training"
    folder.mkdir(parents=True)
    (folder.parent / "tmvar3").mkdir()
    (folder.parent / "tmvar3" / "pmids_all_500.txt").write_text("3\n")
    titles = [f"Loss of p{n} causes disease {n} in mice." for n in range(8)]
    texts = [Text(str(n), f"{title} ", ((8, 10, "Gene"),), len(title)) for n, title in enumerate(titles)]
    (folder / "made-up.PubTator").write_text(pubtator(texts))
    (folder / "BioRED_Test.PubTator").write_text(pubtator(texts[5:6]))
    sources = (Source("made-up", "made-up.PubTator", frozenset({Label.GENE})),)
    monkeypatch.setattr(train, "SOURCES", sources)
    monkeypatch.setattr(refine, "SOURCES", sources)

    class Tiny:
        @staticmethod
        def from_pretrained(_: object, **options: Any) -> BertModel:  # noqa: ANN401 - handed on
            pooling, attention = options.pop("add_pooling_layer"), options.pop("attn_implementation")
            shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
            config = BertConfig(vocab_size=30522, attn_implementation=attention, **shape, **options)  # type: ignore[no-untyped-call]
            return BertModel(config, add_pooling_layer=pooling)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(train, "BertModel", Tiny)
    return folder.parent


@pytest.fixture
def start(corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the first stage left, with an encoder that fits."""
    out = tmp_path / "first"
    out.mkdir()
    train.train(corpora, out, epochs=1, peak=1e-3, seed=1, budget=64)
    weights = torch.load(out / "tagger.pt", weights_only=True)
    before = weights[refine.ROWS].clone()
    before[1000:1010] += 1
    monkeypatch.setattr(refine, "base_weights", lambda: {refine.ROWS: before})
    return out / "tagger.pt"
