"""Tiny checkpoints with random weights, their tokenizers made of a small vocabulary: nothing is downloaded."""

from __future__ import annotations

import string

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Final

import torch

from tokenizers import Tokenizer
from tokenizers import decoders
from tokenizers import models
from tokenizers import normalizers
from tokenizers import pre_tokenizers
from tokenizers import processors
from tokenizers import trainers
from transformers import AutoTokenizer
from transformers import BertConfig
from transformers import BertForTokenClassification
from transformers import BertTokenizerFast
from transformers import DistilBertConfig
from transformers import DistilBertForTokenClassification
from transformers import PreTrainedTokenizerFast
from transformers import RobertaConfig
from transformers import RobertaForTokenClassification


BIO: Final = ("O", "B-Gene", "I-Gene", "B-SPECIES", "I-SPECIES", "B-disease", "I-disease")
IO: Final = ("O", "gene", "species", "Disease")
BIOES: Final = ("O", *(f"{letter}-{kind}" for kind in ("Gene", "Species", "Disease") for letter in "BIES"))

#: What tokenizers are trained on, and some of what is tagged.
TEXTS: Final = (
    "Loss of PTEN is common in glioma.",
    "Mouse p53 suppresses tumours; it isn't rare.",
    "We gave 5 mg to Danio rerio at 20 °C (Fig. 2a).",
    "Sjo\u0308gren’s syndrome 😀 and siGli1.",
    "MLH1/MSH2-deficient cells, p53-mediated loss.",
)
_PIECES: Final = (
    *("loss", "of", "pten", "is", "mouse", "p", "gli", "si", "##53", "##gli", "##ma", "rare", "cells"),
    # One character, which BERT's normalizer takes apart into two.
    "\u1112\u1161",
)
_SIZES: Final[dict[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    # A wide spread, so that neighbours change what is predicted.
    "initializer_range": 0.2,
}


def save_bert(
    folder: Path,
    labels: Sequence[str] = BIO,
    *,
    positions: int = 48,
    seed: int = 0,
    safe: bool = True,
    model_class: Any = BertForTokenClassification,  # noqa: ANN401 - transformers'
    **config: Any,  # noqa: ANN401 - BertConfig's
) -> Path:
    """Save a BERT with a WordPiece tokenizer, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [*string.ascii_lowercase, *string.digits]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_PIECES, *letters, *string.punctuation, "’"]
    vocabulary = list(dict.fromkeys([*vocabulary, *(f"##{letter}" for letter in letters)]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=10**30)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    settings = _settings(labels, len(vocabulary), **{"max_position_embeddings": positions, **config})
    _random(model_class, BertConfig(**settings), seed).save_pretrained(folder, safe_serialization=safe)  # type: ignore[no-untyped-call]
    return folder


def teach(folder: Path, examples: Mapping[str, Mapping[str, str]]) -> None:
    """Let the head of a saved BERT give a text's words the labels that are named, and all others its first label.

    Args:
        folder: Of the checkpoint.
        examples: For each text the labels of words of it.
    """
    model: Any = BertForTokenClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)  # type: ignore[no-untyped-call]
    states, targets = [], []
    with torch.inference_mode():
        for text, labels in examples.items():
            encoding = tokenizer(text, return_tensors="pt")
            states.append(model.bert(**encoding).last_hidden_state[0])
            for word in encoding.word_ids():
                span = None if word is None else encoding.word_to_chars(word)
                label = labels.get(text[span.start : span.end]) if span else None
                targets.append(model.config.label2id.get(label, 0))
        known = torch.cat(states)
        inputs = torch.cat((known, torch.ones(len(known), 1)), 1)
        wanted = torch.nn.functional.one_hot(torch.tensor(targets), model.num_labels).float()
        solution = torch.linalg.lstsq(inputs, wanted, driver="gelsd").solution
        model.classifier.weight.copy_(solution[:-1].T)
        model.classifier.bias.copy_(solution[-1])
    model.save_pretrained(folder)


def save_distilbert(folder: Path, labels: Sequence[str] = BIO) -> Path:
    """Save a DistilBERT, which has no segments, with BERT's tokenizer, which has; return its folder."""
    save_bert(folder, labels)
    (folder / "model.safetensors").unlink()
    vocabulary = len((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    sizes = {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "initializer_range": 0.2}
    settings = {**_settings(labels, vocabulary), **sizes, "max_position_embeddings": 48}
    _random(DistilBertForTokenClassification, DistilBertConfig(**settings), 0).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return folder


def save_roberta(folder: Path, labels: Sequence[str] = BIO, *, positions: int = 48, seed: int = 0) -> Path:
    """Save a RoBERTa with a byte-level BPE tokenizer, which knows no words, and return its folder."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    _fast(tokenizer, cls="<s>", sep="</s>", pad="<pad>", unk="<unk>").save_pretrained(folder)
    # The first position is the one behind the padding's.
    settings = _settings(labels, tokenizer.get_vocab_size(), max_position_embeddings=positions + 2, pad_token_id=1)
    _random(RobertaForTokenClassification, RobertaConfig(**settings), seed).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return folder


def save_sentencepiece(folder: Path, labels: Sequence[str] = BIO, *, seed: int = 0) -> Path:
    """Save a BERT with a tokenizer as SentencePiece's, blanks within sub-tokens, and return its folder."""
    special = ["<unk>", "<pad>", "<s>", "</s>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=special, unk_token="<unk>", initial_alphabet=[*"▁()"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)])
    _fast(tokenizer, cls="<s>", sep="</s>", pad="<pad>", unk="<unk>").save_pretrained(folder)
    settings = _settings(labels, tokenizer.get_vocab_size(), max_position_embeddings=48)
    _random(BertForTokenClassification, BertConfig(**settings), seed).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return folder


def _random(model_class: Any, config: Any, seed: int) -> Any:  # noqa: ANN401 - transformers'
    """Return a model with random weights that gives every label to some words."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        model = model_class(config).eval()
        if hasattr(model, "classifier"):
            ids = torch.randint(5, config.vocab_size, (16, 24))
            model.classifier.bias.sub_(model(ids).logits.mean((0, 1)))
    return model


def _settings(labels: Sequence[str], vocabulary: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a config's
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: n for n, label in enumerate(labels)}}
    return {**_SIZES, **names, "vocab_size": vocabulary, **more}


def _fast(tokenizer: Tokenizer, *, cls: str, sep: str, pad: str, unk: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, cls_token=cls, sep_token=sep, pad_token=pad, unk_token=unk
    )
