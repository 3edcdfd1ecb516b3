"""From a tagger and its passes to a folder that needs neither again."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import torch

from safetensors.torch import save_file
from torch import Tensor
from torch import nn

from leanner.atomic import sync_folder
from leanner.atomic import write_atomically
from leanner.corpora.segmentation import SPLITTER
from leanner.export.layers import Layer
from leanner.export.layers import stored
from leanner.export.lean import Lean
from leanner.export.loading import TRANSITIONS
from leanner.export.manifest import DTYPES
from leanner.export.manifest import FORMAT
from leanner.export.manifest import MANIFEST
from leanner.export.manifest import SUBTOKENS
from leanner.export.manifest import WEIGHTS
from leanner.export.manifest import Crf
from leanner.export.manifest import Input
from leanner.export.manifest import Manifest
from leanner.export.manifest import Origin
from leanner.export.manifest import Output
from leanner.export.manifest import Running
from leanner.export.model import ACTIVATIONS
from leanner.export.model import BertShape
from leanner.export.model import build_model
from leanner.export.model import layers_of
from leanner.export.splitting import named_splitting
from leanner.passes.calibration.text import calibration_text
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.subtokens import read_whole


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: What is larger than any text is no limit to a text.
_ANY_LENGTH = 1 << 30


class ExportError(RuntimeError):
    """A tagger cannot be exported; the message says what was expected, what was found and what to do."""


def export(
    tagger: Tagger,
    configuration: str,
    passes: Sequence[Pass],
    folder: Path,
    *,
    force: bool = False,
    check: Sequence[Document] | None = None,
) -> Lean:
    """Apply passes to a tagger, write the result, and return it as it is loaded again.

    A configuration that is measured in Flair is exported in the lean runtime. The folder takes its name when it is
    whole and, loaded again, has given the same spans as the tagger.

    Args:
        tagger: Run by Flair; passes change it.
        configuration: Name of the passes.
        passes: Applied in this order.
        folder: Must be empty or not there.
        force: Whether an export that lies there is replaced.
        check: What both tag before the folder takes its name; the calibration text if ``None``.

    Raises:
        ExportError: There is something in ``folder``, the spans differ, or another engine runs the configuration.
        TaggerError: The tagger has parts of which an export has none.
        NotRunnable: A pass cannot run here.
        OSError: A file cannot be written.
    """
    if tagger.runtime != "flair":
        raise TaggerError(
            f"expected a tagger of Flair, found {tagger.name} of {tagger.runtime}, for whose sub-tokens an export "
            "has no place; run it by `--leanner-tagger`"
        )
    _check_runtime(configuration, passes)
    target = folder.resolve()
    _check_target(target, force=force)
    for each in passes:
        tagger = each(tagger)
    if tagger.runtime != "lean":
        tagger.quality.append(
            f"{configuration} was measured in Flair, this is the lean runtime: with layers of floats its spans are the "
            "same but for ties, with integers they can differ; the lean-… configurations are measured as exported"
        )
        passes = (*passes, LeanRuntime())
        tagger = passes[-1](tagger)
    if not isinstance(tagger, LeanTagger):
        raise TaggerError(
            f"expected a tagger of Flair's in the lean runtime, found {type(tagger).__name__}, of which an export has "
            "not all parts"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        beside.mkdir()
        _write(tagger, configuration, [each.describe() for each in passes], beside)
        lean = Lean.load(beside, tagger.device)
        _check_spans(tagger, lean, calibration_text() if check is None else check)
        _rename(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return lean


def _check_runtime(configuration: str, passes: Sequence[Pass]) -> None:
    others = {runtime for step in passes if (runtime := getattr(step, "runtime", "lean")) != "lean"}
    if others:
        raise ExportError(
            f"expected a configuration that Flair or the lean runtime runs, found {configuration}, which is run by "
            f"{', '.join(sorted(others))}: an export has no place for its graph; export one of the lean-… ones"
        )


def _check_target(target: Path, *, force: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise ExportError(f"expected an empty folder or none at {target}, found a file; name another")
    names = {path.name for path in target.iterdir()}
    if MANIFEST not in names or names - {MANIFEST, WEIGHTS, SUBTOKENS}:
        raise ExportError(
            f"expected an empty folder or none at {target}, found one with other files than an export's; name another"
        )
    if not force:
        raise ExportError(
            f"expected an empty folder or none at {target}, found an export; name another, or replace it with --force"
        )


def _write(tagger: LeanTagger, configuration: str, passes: Sequence[Mapping[str, Any]], folder: Path) -> None:
    shape = BertShape.of(tagger.parts.encoder)
    if shape.hidden_act not in ACTIVATIONS:
        raise TaggerError(
            f"expected an encoder with one of {', '.join(ACTIVATIONS)}, found {shape.hidden_act!r}, which an export "
            "has not; run this tagger by leanner's LeanTagger"
        )
    layers, tensors = _stored(tagger, shape)
    dtype = _dtype(tagger)
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, folder / WEIGHTS)
    subtokens = tagger.reading.subtokens
    read_whole(subtokens)
    write_atomically(folder / SUBTOKENS, subtokens.to_str().encode())
    # safetensors keeps its file from others, whatever the umask says.
    (folder / WEIGHTS).chmod((folder / SUBTOKENS).stat().st_mode)
    with (folder / WEIGHTS).open("rb+") as file:
        os.fsync(file.fileno())
    manifest = Manifest(
        format=FORMAT,
        leanner=version("leanner"),
        tagger=Origin(tagger.name, tagger.weights_sha256),
        configuration=configuration,
        passes=tuple(passes),
        quality=tuple(tagger.quality),
        files={name: _digest(folder / name) for name in (WEIGHTS, SUBTOKENS)},
        dtype=dtype,
        encoder=shape,
        layers=layers,
        input=_input(tagger),
        output=_output(tagger),
        runtime=Running(
            tagger.batch_tokens,
            tagger.chunk_sentences,
            tagger.prefix_caching,
            tagger.deduplicate,
            tagger.window_words,
        ),
    )
    write_atomically(folder / MANIFEST, manifest.to_json())


def _stored(tagger: LeanTagger, shape: BertShape) -> tuple[dict[str, Layer], dict[str, Tensor]]:
    """Return the layers that are not of floats, and all tensors, by name.

    Raises:
        TaggerError: The tagger has layers that a model of its shape has not, or of other kinds.
    """
    parts = tagger.parts
    found = {f"encoder.{name}": module for name, module in _with_weights(parts.encoder)}
    found["head"] = parts.head
    expected = dict(layers_of(build_model(shape, len(tagger.tags))))
    if found.keys() != expected.keys():
        different = ", ".join(sorted(found.keys() ^ expected.keys()))
        raise TaggerError(f"expected the layers of BERT and a linear head, found other ones: {different}")
    layers: dict[str, Layer] = {}
    tensors: dict[str, Tensor] = {}
    for name in expected:
        layer, own = stored(found[name], name)
        if layer is not None:
            layers[name] = layer
        tensors.update({f"{name}.{part}": value for part, value in own.items()})
    if parts.crf is not None:
        tensors[TRANSITIONS] = parts.crf.scores
    return layers, tensors


def _with_weights(encoder: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield what has weights in a ``BertModel``; the pooler is not used, and positions are no weights."""
    for name, module in encoder.named_modules():
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if not name.startswith("pooler") and any(tensor.dtype != torch.int64 for tensor in own):
            yield name, module


def _dtype(tagger: LeanTagger) -> str:
    weight: Tensor = tagger.parts.encoder.embeddings.LayerNorm.weight
    name = str(weight.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise TaggerError(f"expected floats of {', '.join(DTYPES)}, found {name}")
    return name


def _input(tagger: LeanTagger) -> Input:
    reading = tagger.reading
    longest = reading.longest
    return Input(
        sentences=SPLITTER,
        words=named_splitting(tagger.splitter),
        prompt=reading.prompt,
        context=reading.context,
        separator=reading.separator,
        pooling=reading.pooling,
        longest=None if longest is None or longest > _ANY_LENGTH else longest,
        stride=reading.stride,
        windows=reading.windows,
    )


def _output(tagger: LeanTagger) -> Output:
    crf = tagger.parts.crf
    return Output(tagger.tags, dict(sorted(tagger.label_of.items())), None if crf is None else Crf(crf.start, crf.stop))


def _check_spans(tagger: LeanTagger, lean: Lean, documents: Sequence[Document]) -> None:
    pairs = zip(tagger.tag(documents), lean.tag(documents), strict=True)
    different = sum(a != b for expected, found in pairs for a, b in zip(expected, found, strict=True))
    if different:
        raise ExportError(
            f"expected the same spans from the export as from the tagger, found others in {different} of "
            f"{sum(len(document.sentences) for document in documents)} sentences; nothing was written. "
            "This is an error of leanner: please report it"
        )


def _rename(beside: Path, target: Path) -> None:
    """Give the whole folder its name, and remove what had it."""
    sync_folder(beside)
    aside = None
    if target.exists():
        aside = target.with_name(f"{beside.name}.old")
        target.rename(aside)
    try:
        beside.rename(target)
    except OSError:
        if aside is not None:
            aside.rename(target)
        raise
    sync_folder(target.parent)
    if aside is not None:
        shutil.rmtree(aside)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
