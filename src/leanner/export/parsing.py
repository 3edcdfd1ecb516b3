"""From ``leanner.json`` to what it says; what contradicts itself is refused."""

from __future__ import annotations

import dataclasses
import json
import re

from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from leanner.export.layers import Kind
from leanner.export.layers import Layer
from leanner.export.manifest import DECIDING
from leanner.export.manifest import DTYPES
from leanner.export.manifest import FORMATS
from leanner.export.manifest import SUBTOKENS
from leanner.export.manifest import WEIGHTS
from leanner.export.manifest import AnyManifest
from leanner.export.manifest import GraphManifest
from leanner.export.manifest import Input
from leanner.export.manifest import LayersManifest
from leanner.export.manifest import Running
from leanner.export.manifest import TextManifest
from leanner.export.model import ACTIVATIONS
from leanner.export.model import BertShape
from leanner.passes.int8 import WEIGHT_BITS
from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.parse import shown
from leanner.taggers.engines.support import FILES
from leanner.taggers.errors import TaggerError


_GELU: Final = ".intermediate.dense"
_BEHIND: Final = ".output.dense"

# A sub-token between two special ones.
_LEAST: Final = 3
_LETTERS: Final = ("O", "B", "I", "E", "S")

_Contradiction = tuple[str, str, object]


def read_manifest(path: Path, content: bytes) -> AnyManifest:
    """Return what ``to_json`` wrote.

    Args:
        path: For the errors.
        content: Of the file.

    Raises:
        TaggerError: It is no JSON, of another version, lacks something, or contradicts itself.
    """
    try:
        data: object = json.loads(content.decode())
    except ValueError as error:
        raise TaggerError(f"{path}: expected JSON, found {error}; export the tagger again") from error
    version = data.get("format") if isinstance(data, dict) else None
    known = " or ".join(map(str, FORMATS))
    if type(version) is int and version > max(FORMATS):
        raise TaggerError(f"{path}: expected format {known}, found {version}: a newer leanner wrote it; update leanner")
    if type(version) is not int or version not in FORMATS:
        raise TaggerError(
            f"{path}: expected format {known}, found {shown(version)}; name a folder that `leanner export` wrote"
        )
    try:
        manifest = read(FORMATS[version], data)
    except ParseError as error:
        raise TaggerError(f"{path}: {error}; export the tagger again") from error
    for what, expected, found in _contradictions(manifest):
        raise TaggerError(f"{path}: {what}: expected {expected}, found {shown(found)}; export the tagger again")
    return manifest


def _contradictions(manifest: AnyManifest) -> Iterator[_Contradiction]:
    """Yield what types do not tell: what it is about, what was expected, and what was found; the first one counts."""
    files: tuple[str, ...]
    if isinstance(manifest, GraphManifest):
        yield from _of_graph(manifest)
        files = *FILES[manifest.graph.engine], DECIDING
    else:
        yield from _of_layers(manifest)
        files = (WEIGHTS,)
    if set(manifest.files) != {*files, SUBTOKENS}:
        yield "files", f"{', '.join(files)} and {SUBTOKENS}", sorted(manifest.files)
    runtime = manifest.runtime
    if min(runtime.batch_tokens, runtime.chunk_sentences) < 1:
        yield "runtime", "batches and chunks of 1 or more", [runtime.batch_tokens, runtime.chunk_sentences]
    if isinstance(manifest, TextManifest):
        yield from _of_plain_texts(manifest)
        return
    yield from _of_texts(manifest.input, runtime)
    crf, tags = manifest.output.crf, len(manifest.output.tags)
    if crf is not None and not (0 <= crf.start < tags and 0 <= crf.stop < tags):
        yield "output.crf", f"numbers of {tags} tags", [crf.start, crf.stop]


def _of_graph(manifest: GraphManifest) -> Iterator[_Contradiction]:
    graph, runtime = manifest.graph, manifest.runtime
    if graph.engine not in FILES:
        yield "graph.engine", f"one of {', '.join(FILES)}", graph.engine
    # It stands in a command that errors advise.
    if re.fullmatch(r"[\w.+]+", graph.version, re.ASCII) is None:
        yield "graph.version", "a version", graph.version
    if graph.weight_bits not in (None, *WEIGHT_BITS):
        yield "graph.weight_bits", f"null or one of {', '.join(map(str, WEIGHT_BITS))}", graph.weight_bits
    if runtime.prefix_caching or runtime.deduplicate or runtime.window_words:
        yield "runtime", "no prefix caching, deduplication or windows beside a graph", dataclasses.asdict(runtime)


def _of_plain_texts(manifest: TextManifest) -> Iterator[_Contradiction]:
    runtime = manifest.runtime
    if not manifest.output.tags:
        yield "output.tags", "at least one", []
    for tag in manifest.output.tags:
        if tag.letter not in _LETTERS:
            yield "output.tags", f"letters among {', '.join(_LETTERS)}", tag.letter
    if manifest.input.longest < _LEAST:
        yield "input.longest", f"{_LEAST} or more", manifest.input.longest
    if runtime.prefix_caching or runtime.deduplicate or runtime.window_words:
        yield "runtime", "no prefix caching, deduplication or windows of plain texts", dataclasses.asdict(runtime)


def _of_layers(manifest: LayersManifest | TextManifest) -> Iterator[_Contradiction]:
    if manifest.dtype not in DTYPES:
        yield "dtype", f"one of {', '.join(DTYPES)}", manifest.dtype
    yield from _of_shape(manifest.encoder)
    for name, layer in manifest.layers.items():
        for what, expected, found in _of_layer(name, layer, manifest.layers):
            yield f"layers.{name}.{what}", expected, found


def _of_shape(shape: BertShape) -> Iterator[_Contradiction]:
    if shape.hidden_act not in ACTIVATIONS:
        yield "encoder.hidden_act", f"one of {', '.join(ACTIVATIONS)}", shape.hidden_act
    sizes = dataclasses.asdict(shape)
    layers = [size for layer in sizes.pop("layers") for size in layer.values()]
    if min(value for value in (*sizes.values(), *layers) if isinstance(value, int)) < 1:
        yield "encoder", "sizes of 1 or more", {**sizes, "layers": layers}


def _of_texts(given: Input, runtime: Running) -> Iterator[_Contradiction]:
    if given.pooling not in ("first", "mean"):
        yield "input.pooling", "first or mean", given.pooling
    if given.context < 0:
        yield "input.context", "0 or more", given.context
    if given.longest is not None and not 0 <= given.stride < given.longest - 2:
        yield "input.stride", "0 or more, and less than a window of input.longest holds", given.stride
    if runtime.window_words < 0:
        yield "runtime.window_words", "0 or more", runtime.window_words
    if runtime.prefix_caching and (given.context or not given.prompt):
        yield "runtime.prefix_caching", "false without a prompt, or with context before it", True


def _of_layer(name: str, layer: Layer, layers: Mapping[str, Layer]) -> Iterator[_Contradiction]:
    if layer.kind is not Kind.INT8_EMBEDDING and layer.weight_bits not in WEIGHT_BITS:
        yield "weight_bits", f"one of {', '.join(map(str, WEIGHT_BITS))}", layer.weight_bits
    if (layer.given is not None) is not (layer.kind is Kind.INT8_STATIC):
        yield "given", "a range if the layer is static, and only then", str(layer.given)
    if layer.made is not None:
        behind = layers.get(name.removesuffix(_GELU) + _BEHIND)
        if not name.endswith(_GELU) or behind is None or behind.given != layer.made:
            yield "made", "the range of the layer behind this one's GELU", str(layer.made)
