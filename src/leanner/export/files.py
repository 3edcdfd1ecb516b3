"""The files of an export: weights or an engine's graph, sub-tokens, and ``leanner.json``, which is written last."""

from __future__ import annotations

import hashlib
import os

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import NamedTuple
from typing import Self

import torch

from safetensors.torch import save_file
from torch import Tensor
from torch import nn

from leanner.atomic import write_atomically
from leanner.corpora.segmentation import SPLITTER
from leanner.export.graphs import deciding_tensors
from leanner.export.layers import Layer
from leanner.export.layers import stored
from leanner.export.loading import TRANSITIONS
from leanner.export.manifest import DECIDING
from leanner.export.manifest import DTYPES
from leanner.export.manifest import MANIFEST
from leanner.export.manifest import SUBTOKENS
from leanner.export.manifest import WEIGHTS
from leanner.export.manifest import Crf
from leanner.export.manifest import Graph
from leanner.export.manifest import GraphManifest
from leanner.export.manifest import Input
from leanner.export.manifest import LayersManifest
from leanner.export.manifest import Origin
from leanner.export.manifest import Output
from leanner.export.manifest import Running
from leanner.export.manifest import TextInput
from leanner.export.manifest import TextManifest
from leanner.export.manifest import TextOutput
from leanner.export.manifest import TextTag
from leanner.export.manifest import format_of
from leanner.export.model import ACTIVATIONS
from leanner.export.model import BertShape
from leanner.export.model import build_model
from leanner.export.model import layers_of
from leanner.export.splitting import named_splitting
from leanner.taggers.engines.support import FILES
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.text_tagger import LeanTextTagger
from leanner.taggers.subtokens import read_whole


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass
    from leanner.taggers.engines.model import EngineModel
    from leanner.taggers.lean.tagger import LeanTagger


#: What is larger than any text is no limit to a text.
_ANY_LENGTH: Final = 1 << 30


class Applied(NamedTuple):
    """What was done to a tagger.

    Attributes:
        configuration: Its name.
        passes: With their parameters, in order.
    """

    configuration: str
    passes: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, configuration: str, passes: Sequence[Pass]) -> Self:
        """Return that of a configuration."""
        return cls(configuration, tuple(each.describe() for each in passes))


def write_layers(tagger: LeanTagger | LeanTextTagger, applied: Applied, folder: Path) -> None:
    """Write a tagger that the lean runtime runs.

    Raises:
        TaggerError: It has parts of which an export has none.
        OSError: A file cannot be written.
    """
    shape = BertShape.of(tagger.parts.encoder)
    if shape.hidden_act not in ACTIVATIONS:
        raise TaggerError(
            f"expected an encoder with one of {', '.join(ACTIVATIONS)}, found {shape.hidden_act!r}, which an export "
            "has not; run this tagger by leanner's LeanTagger"
        )
    layers, tensors = _stored(tagger, shape)
    dtype = _dtype(tagger)
    _save_tensors(tensors, folder / WEIGHTS)
    subtokens = tagger.encode.subtokens if isinstance(tagger, LeanTextTagger) else tagger.reading.subtokens
    files = _finish(subtokens, folder, (WEIGHTS,))
    more = {**_about(tagger, applied, files), "dtype": dtype, "encoder": shape, "layers": layers}
    manifest: LayersManifest | TextManifest
    if isinstance(tagger, LeanTextTagger):
        given = TextInput(SPLITTER, tagger.encode.longest)
        made = TextOutput(tuple(TextTag(*tag) for tag in tagger.tags))
        running = Running(tagger.batch_tokens, tagger.chunk_sentences, prefix_caching=False)
        manifest = TextManifest(format=format_of(TextManifest), **more, runtime=running, input=given, output=made)
    else:
        manifest = LayersManifest(format=format_of(LayersManifest), **more, **_reading_of(tagger))
    write_atomically(folder / MANIFEST, manifest.to_json())


def write_graph(lean: LeanTagger, model: EngineModel, graph: Graph, applied: Applied, folder: Path) -> None:
    """Write a tagger that an engine runs.

    Args:
        lean: The tagger that the engine's model was made of.
        model: The engine's.
        graph: What is to be known of it.
        applied: Passes, the engine's the last of them.
        folder: Empty.

    Raises:
        TaggerError: It has parts of which an export has none.
        OSError: A file cannot be written.
    """
    model.save(folder)
    _save_tensors(deciding_tensors(lean.parts), folder / DECIDING)
    files = _finish(lean.reading.subtokens, folder, (*FILES[graph.engine], DECIDING))
    about = _about(lean, applied, files)
    manifest = GraphManifest(format=format_of(GraphManifest), **about, **_reading_of(lean), graph=graph)
    write_atomically(folder / MANIFEST, manifest.to_json())


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path)


def _finish(subtokens: Any, folder: Path, names: Sequence[str]) -> dict[str, str]:  # noqa: ANN401 - a tokenizers.Tokenizer
    """Write the sub-tokens beside other files, have all of them on the disk, and return their digests, by name."""
    read_whole(subtokens)
    write_atomically(folder / SUBTOKENS, subtokens.to_str().encode())
    for name in names:
        # safetensors keeps its file from others, whatever the umask says.
        (folder / name).chmod((folder / SUBTOKENS).stat().st_mode)
        with (folder / name).open("rb+") as file:
            os.fsync(file.fileno())
    return {name: _digest(folder / name) for name in (*names, SUBTOKENS)}


def _about(tagger: LeanTagger | LeanTextTagger, applied: Applied, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what a manifest says of every tagger, by field."""
    return {
        "leanner": version("leanner"),
        "tagger": Origin(tagger.name, tagger.weights_sha256),
        "configuration": applied.configuration,
        "passes": applied.passes,
        "quality": tuple(tagger.quality),
        "files": files,
    }


def _reading_of(tagger: LeanTagger) -> dict[str, Any]:
    """Return how a tagger that knows words has texts and tags, by field."""
    return {
        "input": _input(tagger),
        "output": _output(tagger),
        "runtime": Running(
            tagger.batch_tokens,
            tagger.chunk_sentences,
            tagger.prefix_caching,
            tagger.deduplicate,
            tagger.window_words,
        ),
    }


def _stored(tagger: LeanTagger | LeanTextTagger, shape: BertShape) -> tuple[dict[str, Layer], dict[str, Tensor]]:
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


def _dtype(tagger: LeanTagger | LeanTextTagger) -> str:
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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
