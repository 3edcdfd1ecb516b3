from __future__ import annotations

import math

from pathlib import Path
from typing import Any
from typing import cast

import pytest
import torch

from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch import nn

import refine as module

from examples import TAGS
from refine import consistency_loss
from refine import refine
from refine import soft_label_loss
from refine import successors
from refine import taught
from running import Run
from train import WordTagger
from train import partial_label_loss


LABELS = ("GENE", "SPECIES", "DISEASE")


def scores_of(words: int, seed: int) -> torch.Tensor:
    return torch.randn(words, len(TAGS), generator=torch.Generator().manual_seed(seed)) * 2


def sentence(words: int) -> Any:  # noqa: ANN401 - as collate takes it
    return [101, *range(words), 102], list(range(1, words + 1)), (1,) * words, (1,) * words


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 1000))
def test_consistency_is_the_divergence_of_what_two_neighbours_say(lengths: list[int], seed: int) -> None:
    scores = scores_of(sum(lengths), seed)
    probability = scores.double().softmax(-1).tolist()
    pairs = []
    begin = 0
    for length in lengths:
        for word in range(begin, begin + length - 1):
            left, right = (dict(zip(TAGS, probability[n], strict=True)) for n in (word, word + 1))
            goes_on = [left[f"B-{label}"] + left[f"I-{label}"] for label in LABELS]
            went_on = [right[f"I-{label}"] + right[f"E-{label}"] for label in LABELS]
            pairs.append(sum(jensenshannon([a, 1 - a], [b, 1 - b]) ** 2 for a, b in zip(goes_on, went_on, strict=True)))
        begin += length

    found = consistency_loss(scores, successors([sentence(length) for length in lengths])).item()

    assert found == pytest.approx(sum(pairs) / max(1, len(pairs)), abs=1e-5)


def test_whole_mentions_are_consistent_and_pieces_are_not() -> None:
    def sure_of(*tags: str) -> torch.Tensor:
        return nn.functional.one_hot(torch.tensor([TAGS.index(tag) for tag in tags]), len(TAGS)).float() * 50

    follows = torch.tensor([1, 2])
    assert consistency_loss(sure_of("B-GENE", "I-GENE", "E-GENE"), follows).item() == pytest.approx(0, abs=1e-4)
    assert consistency_loss(sure_of("O", "S-GENE", "B-GENE"), follows).item() == pytest.approx(0, abs=1e-4)
    assert consistency_loss(sure_of("B-GENE", "O", "O"), follows).item() == pytest.approx(math.log(2) / 2, abs=1e-4)
    assert consistency_loss(sure_of("B-GENE", "E-DISEASE", "O"), follows).item() == pytest.approx(math.log(2), abs=1e-4)


def test_where_one_tag_is_allowed_the_teacher_is_not_asked() -> None:
    scores, teacher = scores_of(6, 0), scores_of(6, 1)
    one = nn.functional.one_hot(torch.arange(6), len(TAGS)).bool()

    assert soft_label_loss(scores, teacher, one).item() == pytest.approx(partial_label_loss(scores, one).item())


def test_where_all_are_allowed_the_loss_is_cross_entropy_with_the_teacher() -> None:
    scores, teacher = scores_of(6, 0), scores_of(6, 1)
    wanted = nn.functional.cross_entropy(scores, teacher.softmax(-1))

    assert soft_label_loss(scores, teacher, torch.ones(6, len(TAGS), dtype=torch.bool)).item() == pytest.approx(
        wanted.item(), rel=1e-5
    )


class Echo(nn.Module):
    """Scores every tag of a word with the word's sub-token."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert mask.shape == ids.shape
        scores = ids.flatten()[first].float().unsqueeze(-1).expand(-1, len(TAGS))
        return scores, scores


def test_the_teacher_reads_only_sentences_in_which_something_is_open() -> None:
    ids = torch.tensor([[101, 7, 8, 102], [101, 9, 102, 0], [101, 5, 6, 102]])
    first = torch.tensor([1, 2, 5, 9, 10])
    allowed = nn.functional.one_hot(torch.zeros(5, dtype=torch.long), len(TAGS)).bool()
    allowed[3] = True

    scores = taught(cast("WordTagger", Echo()), ids, (ids > 0).long(), first, allowed)

    assert scores[:, 0].tolist() == [0, 0, 0, 5, 6]


def run(corpora: Path, start: Path, out: Path, parts: int | None = None) -> dict[str, torch.Tensor]:
    out.mkdir(exist_ok=True)
    refine(corpora, start, out, epochs=1, peak=1e-3, seed=1, budget=32, parts=parts)
    weights: dict[str, torch.Tensor] = torch.load(out / "tagger-4.pt", weights_only=True)
    return weights


def test_the_rows_of_the_embeddings_that_the_first_stage_trained_are_trained(corpora: Path, start: Path) -> None:  # noqa: ARG001 - the encoder that fits
    weights = torch.load(start, weights_only=True)
    model = module.started(weights)

    assert model.place.nonzero().flatten().tolist() == list(range(1000, 1010))
    assert all(torch.equal(value, weights[name]) for name, value in model.shipped().items())


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    corpora: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(corpora, start, tmp_path / "whole")
    save = Run.save

    def stop_after_the_second(self: Run, checkpoint: Path, done: int) -> None:
        save(self, checkpoint, done)
        if done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Run, "save", stop_after_the_second)
        with pytest.raises(KeyboardInterrupt):
            run(corpora, start, tmp_path / "parts")
    after_two = torch.load(tmp_path / "parts" / "tagger-2.pt", weights_only=True)
    parts = run(corpora, start, tmp_path / "parts")

    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
    assert not all(torch.equal(after_two[name], whole[name]) for name in whole)


def test_it_stops_after_so_many_parts_and_goes_on_from_there(corpora: Path, start: Path, tmp_path: Path) -> None:
    whole = run(corpora, start, tmp_path / "whole")
    (tmp_path / "half").mkdir()
    with pytest.raises(FileNotFoundError, match="tagger-4"):
        run(corpora, start, tmp_path / "half", parts=2)

    assert sorted(path.name for path in (tmp_path / "half").glob("tagger-*")) == ["tagger-1.pt", "tagger-2.pt"]
    rest = run(corpora, start, tmp_path / "half")
    assert all(torch.equal(rest[name], whole[name]) for name in whole)
