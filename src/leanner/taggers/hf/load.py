"""From ``hf:NAME`` to the tagger."""

from __future__ import annotations

import contextlib

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import torch

from huggingface_hub import snapshot_download
from transformers import AutoModelForTokenClassification
from transformers import AutoTokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from leanner.taggers.device import usable
from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.label_map import FILE_NAME
from leanner.taggers.hf.label_map import LabelMap
from leanner.taggers.hf.label_map import read_label_map
from leanner.taggers.hf.tagger import HfTagger
from leanner.taggers.hf.tagger import label_names
from leanner.taggers.libraries import HF


if TYPE_CHECKING:
    from transformers import PreTrainedModel


_SAFE: Final = "*.safetensors"
_PICKLED: Final = "pytorch_model*.bin"
#: What is downloaded besides weights: configuration, vocabularies, SentencePiece models.
_SMALL: Final = ("*.json", "*.txt", "*.model")
_ADVICE: Final = (
    "; its weights are a pickle, of which nothing but tensors is read: if you trust it and it has more, convert it by "
    "AutoModelForTokenClassification.from_pretrained(folder, weights_only=False).save_pretrained(folder)"
)


def load_hf(
    name: str,
    device: str | torch.device = "cpu",
    *,
    label_map: str | Path | None = None,
    **options: Any,  # noqa: ANN401 - handed on
) -> HfTagger:
    """Return the tagger of a token-classification checkpoint.

    Weights are read from safetensors if there are any. If not, transformers reads ``pytorch_model.bin``, a pickle, by
    torch's ``weights_only`` unpickler, which makes tensors and containers and refuses everything else. Code that comes
    with a checkpoint is not run.

    Args:
        name: ``hf:`` and a folder, or the name of a model on the Hugging Face hub, downloaded into its cache.
        device: Where to put it.
        label_map: Path of a label map; if ``None``, that of the folder, if it has one.
        options: ``mini_batch_size`` and ``chunk_sentences`` of :class:`HfTagger`.

    Raises:
        TaggerError: There is no such checkpoint, it cannot be loaded, it has no trained head, its tokenizer is not
            fast, the label map is wrong, it gives none of the three labels, or the device is not there.
    """
    place = usable(device)
    folder = _folder(name)
    model, unused = _model(folder)
    tokenizer = _tokenizer(folder)
    chosen = _label_map(folder, label_map)
    model.to(place)  # type: ignore[arg-type]
    tagger = HfTagger(model, tokenizer, name, label_map=chosen, **options)
    if not tagger.labels:
        raise TaggerError(_none_of_ours(name, label_names(model)))
    saved = model.config.architectures or [type(model).__name__]
    if type(model).__name__ not in saved:
        tagger.quality.append(f"saved as {' or '.join(saved)}, run as {type(model).__name__}: a word has one label")
    if unused:
        tagger.quality.append(f"weights that a {type(model).__name__} has no place for: {_some(unused)}")
    return tagger


def _folder(name: str) -> Path:
    where = name.removeprefix(HF)
    folder = Path(where).expanduser()
    if folder.is_dir():
        return folder
    try:
        # Not by transformers, which for a repository without safetensors asks a service of the hub to convert it.
        downloaded = Path(snapshot_download(where, allow_patterns=[*_SMALL, _SAFE]))
        if not any(downloaded.glob(_SAFE)):
            downloaded = Path(snapshot_download(where, allow_patterns=[*_SMALL, _PICKLED]))
    except Exception as error:
        raise TaggerError(
            f"expected 'hf:' and a folder, or the name of a model on the Hugging Face hub or in its cache, "
            f"found {name!r}, {type(error).__name__}: {error}"
        ) from error
    return downloaded


def _model(folder: Path) -> tuple[PreTrainedModel, list[str]]:
    """Return the model, and the names of weights that it does not use."""
    try:
        with _quietly():
            model, loaded = AutoModelForTokenClassification.from_pretrained(
                folder,
                dtype=torch.float32,
                weights_only=True,
                output_loading_info=True,
                local_files_only=True,
                trust_remote_code=False,
            )
    except Exception as error:
        raise TaggerError(
            f"{folder}: expected a token-classification checkpoint of transformers, config.json and model.safetensors, "
            f"found {type(error).__name__}: {error}{_ADVICE if any(folder.glob(_PICKLED)) else ''}"
        ) from error
    # A checkpoint without a head gets a random one.
    if loaded["missing_keys"]:
        raise TaggerError(
            f"{folder}: expected the weights of a {type(model).__name__}, found none for "
            f"{_some(loaded['missing_keys'])}; it was not trained to classify tokens: name a checkpoint that was"
        )
    # Of what was trained before the head, the pooler belongs to another task.
    return model, [key for key in loaded["unexpected_keys"] if "pooler" not in key.split(".")]


def _tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    try:
        with _quietly():
            tokenizer: Any = AutoTokenizer.from_pretrained(  # type: ignore[no-untyped-call]
                folder, use_fast=True, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        raise TaggerError(
            f"{folder}: expected a fast tokenizer, tokenizer.json or what one can be made of, "
            f"found {type(error).__name__}: {error}"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise TaggerError(
            f"{folder}: expected a fast tokenizer, which knows the characters of its sub-tokens, "
            f"found {type(tokenizer).__name__}; save one with tokenizer.json beside the model"
        )
    return tokenizer


def _label_map(folder: Path, given: str | Path | None) -> LabelMap | None:
    if given is not None:
        return read_label_map(Path(given).expanduser())
    path = folder / FILE_NAME
    return read_label_map(path) if path.is_file() else None


def _none_of_ours(name: str, labels: Sequence[str]) -> str:
    return (
        f"{name}: expected labels of genes, species or diseases, found {', '.join(labels)}; if some of them are, say "
        f"so in a label map (--leanner-tagger-labels, or {FILE_NAME} in the folder): under [labels] a line as "
        f'"{labels[-1]}" = "GENE", or "B-GENE" and "I-GENE" if the names do not say where mentions begin'
    )


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join([*listed[:4], *(["…"] if len(listed) > 4 else [])])


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the log and the progress bars of transformers off the terminal."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
