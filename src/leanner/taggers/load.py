"""From a tagger's name to the tagger."""

from __future__ import annotations

import contextlib
import logging

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import Final
from typing import cast

import flair
import torch

from flair.file_utils import load_torch_state
from flair.models import SequenceTagger
from flair.models.prefixed_tagger import PrefixedSequenceTagger
from flair.nn import Classifier

from leanner.taggers.bundled import load_bundled
from leanner.taggers.device import usable
from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.flair import entity_types
from leanner.taggers.flair import quiet_flair


HUNFLAIR2: Final = "hunflair2"
_CLASSES: Final[dict[str, type[SequenceTagger]]] = {
    "SequenceTagger": SequenceTagger,
    "PrefixedSequenceTagger": PrefixedSequenceTagger,
}


def load_tagger(
    name: str,
    device: str | torch.device = "cpu",
    **options: Any,  # noqa: ANN401 - handed on
) -> FlairTagger:
    """Return a tagger.

    Warning:
        A Flair file is a pickle, and ``hunflair2`` is one from the Hugging Face hub: loading
        it runs whatever code its author put into it. Name only files that you trust. The
        bundled tagger is no pickle.

    Args:
        name: ``bundled``; ``hunflair2``, downloaded by Flair into its cache; or the path of
            a file saved by Flair's ``SequenceTagger`` or ``PrefixedSequenceTagger``.
        device: Where to put it.
        options: ``mini_batch_size``, ``chunk_sentences``, and for a Flair file also
            ``tokenizer`` and ``label_names``, of :class:`FlairTagger`.

    Raises:
        TaggerError: There is no such tagger, it cannot be loaded, it gives none of the three labels, or the
            device is not there.
    """
    place = usable(device)
    if name == "bundled":
        return load_bundled(place, **options)
    with _loading_on(place):
        model = _download_hunflair2() if name == HUNFLAIR2 else _load_file(Path(name))
    tagger = FlairTagger(model.to(place), name, **options)
    if not tagger.labels:
        found = ", ".join(sorted(entity_types(model))) or "none"
        raise TaggerError(f"{name}: expected a tagger of genes, species or diseases, found the entity types {found}")
    return tagger


def load_model(name: str) -> SequenceTagger:
    """Return a model of Flair, of whatever entity types, on ``flair.device``.

    Warning:
        A Flair file is a pickle; see :func:`load_tagger`.

    Args:
        name: ``bundled``, ``hunflair2``, the path of a file, or another name that
            ``flair.nn.Classifier.load`` takes.

    Raises:
        TaggerError: There is no such tagger, it cannot be loaded, or it is no sequence tagger.
    """
    place = torch.device(flair.device)
    if name == "bundled":
        return cast("SequenceTagger", load_bundled(place).model)
    with _loading_on(place):
        if name == HUNFLAIR2:
            return _download_hunflair2()
        if Path(name).is_file() or name.endswith(".pt"):
            return _load_file(Path(name))
        return _load_by_name(name)


@contextlib.contextmanager
def _loading_on(place: torch.device) -> Iterator[None]:
    """Have Flair load onto ``place``, silently."""
    before = flair.device
    flair.device = place
    try:
        with quiet_flair(logging.CRITICAL):
            yield
    finally:
        flair.device = before


def _load_by_name(name: str) -> SequenceTagger:
    try:
        model: Any = Classifier.load(name)
    except Exception as error:
        raise TaggerError(
            f"expected 'bundled', '{HUNFLAIR2}', a file saved by Flair or a name that flair.nn.Classifier.load takes, "
            f"found {name!r}, {type(error).__name__}: {error}"
        ) from error
    if type(model).__name__ not in _CLASSES:
        raise TaggerError(f"{name}: expected one of Flair's {', '.join(_CLASSES)}, found {type(model).__name__}")
    return cast("SequenceTagger", model)


def _download_hunflair2() -> SequenceTagger:
    # What flair.nn.Classifier.load("hunflair2") ends at, without its detour over the hub names of every
    # other class, which hides the reason when there is no network.
    try:
        return PrefixedSequenceTagger.load(HUNFLAIR2)
    except Exception as error:
        raise TaggerError(
            f"expected hunflair/hunflair2-ner from the Hugging Face hub or from Flair's cache {flair.cache_root}, "
            f"found {type(error).__name__}: {error}; download it where there is a network, "
            "or name a Flair file by its path"
        ) from error


def _load_file(path: Path) -> SequenceTagger:
    if not path.is_file():
        raise TaggerError(f"expected 'bundled', '{HUNFLAIR2}' or a file saved by Flair, found no file {str(path)!r}")
    try:
        state: Any = load_torch_state(str(path))
    except Exception as error:
        raise TaggerError(f"{path}: expected a file saved by Flair, found {type(error).__name__}: {error}") from error
    found = _class_of(state)
    if found not in _CLASSES:
        raise TaggerError(f"{path}: expected one of Flair's {', '.join(_CLASSES)}, found {found}")
    try:
        return _CLASSES[found].load(state)
    except Exception as error:
        raise TaggerError(
            f"{path}: Flair {flair.__version__} cannot load it, {type(error).__name__}: {error}"
        ) from error


def _class_of(state: Any) -> str:  # noqa: ANN401 - whatever was in the file
    if not isinstance(state, dict):
        return type(state).__name__
    if "__cls__" in state:
        return str(state["__cls__"])
    # Before Flair 0.12 a file did not name its class.
    if "augmentation_strategy" in state:
        return "PrefixedSequenceTagger"
    return "SequenceTagger" if "tag_dictionary" in state else "a dictionary without a class"
