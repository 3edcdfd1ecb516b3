"""``leanner.json``: what an export is, beside its weights and its sub-tokens."""

from __future__ import annotations

import dataclasses
import json

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Final

from leanner.export.layers import Kind
from leanner.export.layers import Layer
from leanner.export.model import ACTIVATIONS
from leanner.export.model import BertShape
from leanner.passes.int8 import WEIGHT_BITS
from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.parse import shown
from leanner.taggers.errors import TaggerError
from leanner.types import Label


#: Version of the format.
FORMAT: Final = 1

MANIFEST: Final = "leanner.json"
WEIGHTS: Final = "model.safetensors"
SUBTOKENS: Final = "tokenizer.json"

#: Types of floats, by name.
DTYPES: Final = ("float32", "bfloat16", "float16")
_GELU: Final = ".intermediate.dense"
_BEHIND: Final = ".output.dense"

_Contradiction = tuple[str, str, object]


@dataclass(frozen=True, slots=True)
class Origin:
    """The tagger that was exported: what the user called it, and the digest of its weights before any pass."""

    name: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class WordSplitting:
    """How a sentence is split into words.

    Attributes:
        name: Of the splitter.
        split_characters: Each of them is a word of its own; segtok's only.
    """

    name: str
    split_characters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """How texts reach the encoder: ``leanner.taggers.lean.reading.Reading`` without the sub-tokens.

    Attributes:
        sentences: What splits a text into sentences.
        words: What splits a sentence into words.
        prompt: Words before each sentence.
        context: Words of context to each side.
        separator: What stands between a sentence and its context, if anything.
        pooling: Which sub-tokens stand for a word.
        longest: Sub-tokens that the encoder takes at once, ``None`` if any number.
        stride: By how many sub-tokens the windows of a longer text overlap.
        windows: Whether a longer text is read in windows; else it is cut.
    """

    sentences: str
    words: WordSplitting
    prompt: tuple[str, ...]
    context: int
    separator: str | None
    pooling: str
    longest: int | None
    stride: int
    windows: bool


@dataclass(frozen=True, slots=True)
class Crf:
    """A linear-chain CRF: the numbers of the tags before and after a sentence; its scores are among the weights."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Output:
    """What becomes of hidden states.

    Attributes:
        tags: In the order of the head's rows.
        labels: The label of each entity type that has one.
        crf: If there is one.
    """

    tags: tuple[str, ...]
    labels: Mapping[str, Label]
    crf: Crf | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """How the lean runtime was set when it was measured."""

    batch_tokens: int
    chunk_sentences: int
    prefix_caching: bool
    deduplicate: bool = False
    window_words: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export is.

    Attributes:
        format: Version of the format.
        leanner: Version of leanner that wrote it.
        tagger: Where it comes from.
        configuration: The name of the configuration.
        passes: Its passes with their parameters, in order, and the lean runtime.
        quality: What a reader of the results had to know where it was exported.
        files: SHA-256 of the two other files.
        dtype: Of the floats.
        encoder: Its shape.
        layers: Those that are not of floats, by name.
        input: How texts reach the encoder.
        output: What becomes of hidden states.
        runtime: How the runtime is set.
    """

    format: int
    leanner: str
    tagger: Origin
    configuration: str
    passes: tuple[Mapping[str, Any], ...]
    quality: tuple[str, ...]
    files: Mapping[str, str]
    dtype: str
    encoder: BertShape
    layers: Mapping[str, Layer]
    input: Input
    output: Output
    runtime: Running

    def to_json(self) -> bytes:
        """Return it as JSON."""
        data = dataclasses.asdict(self)
        # Most layers have a part of the parameters only.
        data["layers"] = {
            name: {key: value for key, value in layer.items() if value is not None}
            for name, layer in data["layers"].items()
        }
        return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_manifest(path: Path, content: bytes) -> Manifest:
    """Return what :meth:`Manifest.to_json` wrote.

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
    if type(version) is int and version > FORMAT:
        raise TaggerError(
            f"{path}: expected format {FORMAT}, found {version}: a newer leanner wrote it; update leanner"
        )
    if version != FORMAT or type(version) is not int:
        raise TaggerError(
            f"{path}: expected format {FORMAT}, found {shown(version)}; name a folder that `leanner export` wrote"
        )
    try:
        manifest = read(Manifest, data)
    except ParseError as error:
        raise TaggerError(f"{path}: {error}; export the tagger again") from error
    for what, expected, found in _contradictions(manifest):
        raise TaggerError(f"{path}: {what}: expected {expected}, found {shown(found)}; export the tagger again")
    return manifest


def _contradictions(manifest: Manifest) -> Iterator[_Contradiction]:
    """Yield what types do not tell: what it is about, what was expected, and what was found."""
    if set(manifest.files) != {WEIGHTS, SUBTOKENS}:
        yield "files", f"{WEIGHTS} and {SUBTOKENS}", sorted(manifest.files)
    if manifest.dtype not in DTYPES:
        yield "dtype", f"one of {', '.join(DTYPES)}", manifest.dtype
    yield from _of_shape(manifest.encoder)
    yield from _of_texts(manifest.input, manifest.runtime)
    crf, tags = manifest.output.crf, len(manifest.output.tags)
    if crf is not None and not (0 <= crf.start < tags and 0 <= crf.stop < tags):
        yield "output.crf", f"numbers of {tags} tags", [crf.start, crf.stop]
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
    if min(runtime.batch_tokens, runtime.chunk_sentences) < 1:
        yield "runtime", "batches and chunks of 1 or more", [runtime.batch_tokens, runtime.chunk_sentences]
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
