from __future__ import annotations

import json
import os
import shutil

from pathlib import Path
from typing import Any

import pytest
import torch

from safetensors.torch import load_file
from safetensors.torch import save_file
from transformers import AutoTokenizer
from transformers import BertModel
from transformers.utils import logging

from leanner.taggers.errors import TaggerError
from leanner.taggers.hf import load as module
from leanner.taggers.hf.load import load_hf
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from taggers.hf.checkpoints import TEXTS
from taggers.hf.checkpoints import save_bert


DOCUMENT = Document("1", "test", "1", frozenset(Label), tuple(map(Sentence, TEXTS)))


def tagged(folder: Path) -> Any:  # noqa: ANN401 - predictions
    return list(load_hf(f"hf:{folder}").tag([DOCUMENT]))


@pytest.fixture
def copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


def test_a_folder(bert: Path) -> None:
    tagger = load_hf(f"hf:{bert}", mini_batch_size=4, chunk_sentences=16)
    assert (tagger.mini_batch_size, tagger.chunk_sentences) == (4, 16)
    assert {parameter.dtype for parameter in tagger.model.parameters()} == {torch.float32}


def test_a_folder_at_home(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(copy.parent))
    assert load_hf("hf:~/copy").name == "hf:~/copy"


def test_the_digest_is_of_the_weights_alone(bert: Path, copy: Path, tmp_path: Path) -> None:
    digest = load_hf(f"hf:{bert}").weights_sha256
    (copy / "README.md").write_text("more", encoding="utf-8")
    assert load_hf(f"hf:{copy}").weights_sha256 == digest
    assert load_hf(f"hf:{save_bert(tmp_path / 'same')}").weights_sha256 == digest
    assert load_hf(f"hf:{save_bert(tmp_path / 'other', seed=1)}").weights_sha256 != digest


def test_half_precision_on_the_disk_is_float32_in_memory(copy: Path) -> None:
    weights = {name: value.half() for name, value in load_file(copy / "model.safetensors").items()}
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "dtype": "float16"}), encoding="utf-8")
    assert {parameter.dtype for parameter in load_hf(f"hf:{copy}").model.parameters()} == {torch.float32}


@pytest.mark.parametrize("safe", [True, False])
def test_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe: bool) -> None:  # noqa: FBT001 - parametrised
    asked: list[tuple[str, list[str]]] = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.setattr(module, "snapshot_download", download)
    folder = save_bert(tmp_path / "snapshot", safe=safe)
    tagger = load_hf("hf:someone/genes")
    assert tagger.name == "hf:someone/genes"
    assert list(tagger.tag([DOCUMENT])) == tagged(folder)
    small = ["*.json", "*.txt", "*.model"]
    wanted = [("someone/genes", [*small, "*.safetensors"]), ("someone/genes", [*small, "pytorch_model*.bin"])]
    assert asked == wanted[: 1 if safe else 2]


def test_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, allow_patterns: list[str]) -> str:
        raise OSError(f"no route to {name} for {len(allow_patterns)}")

    monkeypatch.setattr(module, "snapshot_download", download)
    with pytest.raises(TaggerError, match=r"expected 'hf:' and a folder, .* found 'hf:a/b', OSError: no route to a/b"):
        load_hf("hf:a/b")


def test_a_folder_of_something_else(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match=r"expected a token-classification checkpoint of transformers, .* found"):
        load_hf(f"hf:{tmp_path}")
    (copy / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(TaggerError, match=r"expected a token-classification checkpoint of transformers, .* found"):
        load_hf(f"hf:{copy}")


def test_an_encoder_without_a_head_is_not_given_a_random_one(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "encoder", model_class=BertModel)
    with pytest.raises(TaggerError, match=r"found none for classifier\.bias, classifier\.weight; it was not"):
        load_hf(f"hf:{folder}")


def test_nor_a_head_of_another_size(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["classifier.bias"] = torch.zeros(3)
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(TaggerError, match="size mismatch for bias"):
        load_hf(f"hf:{copy}")


def test_weights_without_a_place_are_said(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    more = {"crf.transitions": torch.zeros(7, 7), "bert.pooler.dense.weight": torch.zeros(32, 32)}
    save_file({**weights, **more}, copy / "model.safetensors", {"format": "pt"})
    tagger = load_hf(f"hf:{copy}")
    assert tagger.quality == ["weights that a BertForTokenClassification has no place for: crf.transitions"]


def test_a_model_of_another_class_is_said(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["BertForMultiLabelTokenClassification"]
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load_hf(f"hf:{copy}").quality == [
        "saved as BertForMultiLabelTokenClassification, run as BertForTokenClassification: a word has one label"
    ]


def test_a_pickle_of_tensors_is_read_and_one_of_code_refused(bert: Path, tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "pickle", safe=False)
    assert not list(folder.glob("*.safetensors"))
    assert tagged(folder) == tagged(bert)

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"classifier.bias": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(TaggerError, match=r"pytorch_model\.bin'.*; its weights are a pickle, .*weights_only=F"):
        load_hf(f"hf:{folder}")
    assert not (tmp_path / "ran").exists()


def test_safetensors_go_before_a_pickle(copy: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"broken")
    assert tagged(copy)


def test_code_in_a_checkpoint_is_not_run(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModelForTokenClassification": "mine.M"}}
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (copy / "mine.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n", encoding="utf-8")
    with pytest.raises(TaggerError, match="trust_remote_code"):
        load_hf(f"hf:{copy}")
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_that_is_not_there_or_not_fast(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: object())
    with pytest.raises(TaggerError, match=r"expected a fast tokenizer, which knows the characters .*, found object"):
        load_hf(f"hf:{copy}")
    monkeypatch.undo()
    for name in ("tokenizer.json", "vocab.txt"):
        (copy / name).unlink()
    with pytest.raises(TaggerError, match=r"expected a fast tokenizer, tokenizer\.json or what one can be made of"):
        load_hf(f"hf:{copy}")


def test_none_of_the_three_labels(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "chemicals", ("O", "B-Chemical", "I-Chemical"))
    with pytest.raises(TaggerError, match=r'found O, B-Chemical, I-Chemical; if .* line as "I-Chemical" = "GENE"'):
        load_hf(f"hf:{folder}")


def test_a_label_map_lies_in_the_folder_or_is_named(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "unnamed", ("LABEL_0", "LABEL_1", "LABEL_2"))
    with pytest.raises(TaggerError, match="found LABEL_0, LABEL_1, LABEL_2"):
        load_hf(f"hf:{folder}")
    (folder / "leanner-labels.toml").write_text('[labels]\nLABEL_1 = "B-GENE"\nLABEL_2 = "I-GENE"\n', encoding="utf-8")
    tagger = load_hf(f"hf:{folder}")
    assert tagger.labels == {Label.GENE}
    assert tagger.quality[-1] == f"labels as {folder / 'leanner-labels.toml'} has them: GENE is GENE"
    other = tmp_path / "other.json"
    other.write_text('{"labels": {"LABEL_1": "DISEASE"}}', encoding="utf-8")
    assert load_hf(f"hf:{folder}", label_map=other).labels == {Label.DISEASE}
    with pytest.raises(TaggerError, match=r"missing\.toml: expected a label map"):
        load_hf(f"hf:{folder}", label_map=tmp_path / "missing.toml")


def test_a_device_that_is_not_there(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TaggerError, match="expected a CUDA device for 'cuda', found none"):
        load_hf(f"hf:{bert}", "cuda")


def test_loading_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_bert(tmp_path / "encoder", model_class=BertModel)
    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    capfd.readouterr()
    with pytest.raises(TaggerError):
        load_hf(f"hf:{folder}")
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
