"""From the files of an export to its model; whatever is not as it was written is refused."""

from __future__ import annotations

import hashlib

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch import nn

from leanner.corpora.segmentation import SPLITTER
from leanner.export.layers import Form
from leanner.export.layers import Kind
from leanner.export.layers import Layer
from leanner.export.layers import forms
from leanner.export.layers import restored
from leanner.export.manifest import MANIFEST
from leanner.export.manifest import AnyManifest
from leanner.export.manifest import LayersManifest
from leanner.export.manifest import TextManifest
from leanner.export.model import build_model
from leanner.export.model import layers_of
from leanner.export.parsing import read_manifest
from leanner.taggers.errors import TaggerError


#: The scores of a CRF's pairs of tags, among the weights.
TRANSITIONS: Final = "transitions"


def load_manifest(folder: Path) -> tuple[AnyManifest, str]:
    """Return what an export says of itself, and the SHA-256 of that; the other files are those that it names.

    Raises:
        TaggerError: A file is missing, damaged or of another version.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    manifest = read_manifest(path, content)
    if manifest.input.sentences != SPLITTER:
        raise TaggerError(
            f"{path}: expected sentences split by {SPLITTER}, found {manifest.input.sentences}; load it with the "
            "leanner that wrote it, or export the tagger again"
        )
    for name, digest in manifest.files.items():
        _check_digest(folder / name, digest)
    return manifest, hashlib.sha256(content).hexdigest()


def load_model(manifest: LayersManifest | TextManifest, path: Path, device: torch.device) -> nn.Module:
    """Return encoder and head with the weights in ``path``.

    Raises:
        TaggerError: A tensor is missing, one too many, or of another form.
    """
    model = build_model(manifest.encoder, len(manifest.output.tags))
    layers = {name: (module, manifest.layers.get(name)) for name, module in layers_of(model)}
    _check_kinds(path.with_name(MANIFEST), manifest.layers, {name: module for name, (module, _) in layers.items()})
    dtype: torch.dtype = getattr(torch, manifest.dtype)
    parts = {name: forms(module, layer, dtype) for name, (module, layer) in layers.items()}
    expected = {f"{name}.{part}": form for name, own in parts.items() for part, form in own.items()}
    has_crf = isinstance(manifest, LayersManifest) and manifest.output.crf is not None
    if has_crf:
        expected[TRANSITIONS] = Form((len(manifest.output.tags),) * 2, dtype)
    tensors = load_tensors(path, expected, device)
    for name, (module, layer) in layers.items():
        holder, _, attribute = name.rpartition(".")
        parent = model.get_submodule(holder)
        own = {part: tensors[f"{name}.{part}"] for part in parts[name]}
        setattr(parent, attribute, restored(module, layer, own))
        if layer is not None and layer.made is not None:
            # The kernel applies it.
            parent.intermediate_act_fn = nn.Identity()
    if has_crf:
        model.register_buffer(TRANSITIONS, tensors[TRANSITIONS])
    return model


def load_tensors(path: Path, expected: Mapping[str, Form], device: torch.device) -> dict[str, Tensor]:
    """Return the tensors in ``path``.

    Args:
        path: A file of safetensors.
        expected: What must be in it, and no more.
        device: Where to put them.

    Raises:
        TaggerError: It is no such file, or a tensor is missing, one too many, or of another form.
    """
    try:
        tensors = load_file(path, device=str(device))
    except SafetensorError as error:
        raise TaggerError(f"{path}: expected safetensors, found {error}; export the tagger again") from error
    found = {name: Form.of(tensor) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found):
        if expected.get(name) != found.get(name):
            raise TaggerError(
                f"{path}: {name}: expected {expected.get(name, 'no such tensor')}, "
                f"found {found.get(name, 'none')}; export the tagger again"
            )
    return tensors


def _check_kinds(path: Path, given: Mapping[str, Layer], modules: Mapping[str, nn.Module]) -> None:
    """Refuse layers of integers where the model has none, or other ones.

    Raises:
        TaggerError: It is so.
    """
    for name, layer in given.items():
        needed = nn.Embedding if layer.kind is Kind.INT8_EMBEDDING else nn.Linear
        if not isinstance(modules.get(name), needed):
            found = type(modules[name]).__name__ if name in modules else "none"
            raise TaggerError(
                f"{path}: layers.{name}: expected a layer of the model that {layer.kind} can be, found {found}; "
                "export the tagger again"
            )


def _check_digest(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error
    if found != expected:
        raise TaggerError(
            f"{path}: expected sha256 {expected} as {MANIFEST} says, found {found}; the file was changed or damaged: "
            "copy it again, or export the tagger again"
        )


def _unreadable(path: Path, error: OSError) -> TaggerError:
    if isinstance(error, FileNotFoundError):
        return TaggerError(
            f"expected {MANIFEST} and the files that it names in {path.parent}, found no {path.name}; name a folder "
            "that `leanner export` wrote, as a whole"
        )
    return TaggerError(f"{path}: cannot be read: {error.strerror}")
