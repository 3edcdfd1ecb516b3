from __future__ import annotations

import logging

from pathlib import Path

import pytest
import torch

from flair.models import prefixed_tagger

from leanner.taggers.errors import TaggerError
from leanner.taggers.load import load_tagger
from leanner.taggers.shaped import build_hunflair2_shaped
from leanner.types import Label


def test_a_flair_file_by_its_path(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file), mini_batch_size=4, chunk_sentences=16)
    assert tagger.name == str(shaped_file)
    assert tagger.labels == frozenset(Label)
    assert tagger.context_tokens == 64
    assert (tagger.mini_batch_size, tagger.chunk_sentences) == (4, 16)
    strategy = tagger.model.augmentation_strategy
    assert isinstance(strategy, prefixed_tagger.EntityTypeTaskPromptAugmentationStrategy)
    assert " ".join(strategy.task_prompt) == "[ Tag cell lines, chemicals, diseases, genes and species ]"


def test_the_same_seed_gives_the_same_weights(shaped_file: Path, tmp_path: Path) -> None:
    digest = load_tagger(str(shaped_file)).weights_sha256
    (tmp_path / "other").mkdir()
    assert load_tagger(str(build_hunflair2_shaped(tmp_path))).weights_sha256 == digest
    assert load_tagger(str(build_hunflair2_shaped(tmp_path / "other", seed=1))).weights_sha256 != digest


def test_hunflair2_comes_from_the_hub(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(name: str) -> str:
        asked.append(name)
        return str(shaped_file)

    monkeypatch.setattr(prefixed_tagger, "hf_download", download)
    tagger = load_tagger("hunflair2")
    assert asked == ["hunflair/hunflair2-ner"]
    assert tagger.name == "hunflair2"
    assert tagger.weights_sha256 == load_tagger(str(shaped_file)).weights_sha256


def test_hunflair2_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str) -> str:
        raise OSError(f"no route to {name}")

    monkeypatch.setattr(prefixed_tagger, "hf_download", download)
    with pytest.raises(TaggerError, match="found OSError: no route to hunflair/hunflair2-ner; download it where"):
        load_tagger("hunflair2")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="expected 'bundled', 'hunflair2' or a file saved by Flair, found no file"):
        load_tagger(str(tmp_path / "missing.pt"))


def test_a_file_of_something_else(tmp_path: Path) -> None:
    text = tmp_path / "text.pt"
    text.write_text("no tagger", encoding="utf-8")
    with pytest.raises(TaggerError, match=r"text\.pt: expected a file saved by Flair, found UnpicklingError"):
        load_tagger(str(text))
    tensor = tmp_path / "tensor.pt"
    torch.save(torch.zeros(1), tensor)
    with pytest.raises(TaggerError, match=r"expected one of Flair's SequenceTagger, .*, found Tensor"):
        load_tagger(str(tensor))
    other = tmp_path / "other.pt"
    torch.save({"__cls__": "TextClassifier"}, other)
    with pytest.raises(TaggerError, match="found TextClassifier"):
        load_tagger(str(other))
    broken = tmp_path / "broken.pt"
    torch.save({"__cls__": "SequenceTagger", "use_crf": False}, broken)
    with pytest.raises(TaggerError, match=r"broken\.pt: Flair .* cannot load it"):
        load_tagger(str(broken))


def test_an_old_file_that_does_not_name_its_class(shaped_file: Path, tmp_path: Path) -> None:
    state = torch.load(shaped_file, weights_only=False)
    del state["__cls__"]
    old = tmp_path / "old.pt"
    torch.save(state, old)
    assert load_tagger(str(old)).weights_sha256 == load_tagger(str(shaped_file)).weights_sha256


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TaggerError, match="expected a CUDA device for 'cuda', found none"):
        load_tagger("bundled", "cuda")


def test_loading_is_silent(shaped_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("flair").level
    load_tagger(str(shaped_file))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("flair").level == level


def test_a_tagger_of_none_of_the_three(shaped_file: Path, tmp_path: Path) -> None:
    state = torch.load(shaped_file, weights_only=False)
    dictionary = state["tag_dictionary"]
    for ours in (b"Gene", b"Species", b"Disease"):
        dictionary.idx2item = [item.replace(ours, b"Other" + ours[:1]) for item in dictionary.idx2item]
    dictionary.item2idx = {item: index for index, item in enumerate(dictionary.idx2item)}
    other = tmp_path / "other.pt"
    torch.save(state, other)
    with pytest.raises(TaggerError, match=r"other\.pt: expected a tagger of genes, .*OtherG"):
        load_tagger(str(other))
