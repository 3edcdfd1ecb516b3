"""``leanner.json``: what an export is, beside its weights or its graph, and its sub-tokens."""

from __future__ import annotations

import dataclasses
import json

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any
from typing import Final

from leanner.export.layers import Layer
from leanner.export.model import BertShape
from leanner.taggers.engines.support import FILES
from leanner.taggers.weights import Weights
from leanner.types import Label


MANIFEST: Final = "leanner.json"
WEIGHTS: Final = "model.safetensors"
SUBTOKENS: Final = "tokenizer.json"
#: What tags are decided with beside an engine's graph.
DECIDING: Final = "deciding.safetensors"

#: Every file that an export may have.
ALL_FILES: Final = frozenset({MANIFEST, WEIGHTS, SUBTOKENS, DECIDING, *chain.from_iterable(FILES.values())})

#: Types of floats, by name.
DTYPES: Final = ("float32", "bfloat16", "float16")


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
class TextInput:
    """How texts reach an encoder that knows no words: ``leanner.taggers.hf.rows.TextEncoder`` without the sub-tokens.

    Attributes:
        sentences: What splits a text into sentences.
        longest: Sub-tokens of a row at most, special ones included.
    """

    sentences: str
    longest: int


@dataclass(frozen=True, slots=True)
class TextTag:
    """A label of a checkpoint: ``leanner.taggers.hf.tags.Tag``."""

    letter: str
    kind: str
    label: Label | None


@dataclass(frozen=True, slots=True)
class TextOutput:
    """What becomes of hidden states: the labels in the order of the head's rows."""

    tags: tuple[TextTag, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """How sentences were put together when it was measured; an engine has neither prefix, repeats nor windows."""

    batch_tokens: int
    chunk_sentences: int
    prefix_caching: bool
    deduplicate: bool = False
    window_words: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """What an engine has of encoder and head.

    Attributes:
        engine: What runs it: ``onnxruntime`` or ``openvino``.
        version: Of the engine where the tagger was exported.
        weight_bits: Of a weight that is multiplied as an integer; ``None`` if all are float32.
        weights: What its weights are and weigh.
    """

    engine: str
    version: str
    weight_bits: int | None
    weights: Weights


@dataclass(frozen=True, slots=True)
class Manifest:
    """What every export says.

    Attributes:
        format: Version of the format.
        leanner: Version of leanner that wrote it.
        tagger: Where it comes from.
        configuration: The name of the configuration.
        passes: Its passes with their parameters, in order, and the lean runtime if nothing else runs it.
        quality: What a reader of the results had to know where it was exported.
        files: SHA-256 of the other files.
        runtime: How the runtime is set.
    """

    format: int
    leanner: str
    tagger: Origin
    configuration: str
    passes: tuple[Mapping[str, Any], ...]
    quality: tuple[str, ...]
    files: Mapping[str, str]
    runtime: Running

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return (json.dumps(self._plain(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def _plain(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class _Weighted(Manifest):
    """An export that the lean runtime runs.

    Attributes:
        dtype: Of the floats.
        encoder: Its shape.
        layers: Those that are not of floats, by name.
    """

    dtype: str
    encoder: BertShape
    layers: Mapping[str, Layer]

    def _plain(self) -> dict[str, Any]:
        data = dataclasses.asdict(self)
        # Most layers have a part of the parameters only.
        data["layers"] = {
            name: {key: value for key, value in layer.items() if value is not None}
            for name, layer in data["layers"].items()
        }
        return data


@dataclass(frozen=True, slots=True)
class LayersManifest(_Weighted):
    """An export of a tagger of Flair that the lean runtime runs.

    Attributes:
        input: How texts reach the encoder.
        output: What becomes of hidden states.
    """

    input: Input
    output: Output


@dataclass(frozen=True, slots=True)
class TextManifest(_Weighted):
    """An export of a checkpoint of transformers that the lean runtime runs.

    Attributes:
        input: How texts reach the encoder.
        output: What becomes of hidden states.
    """

    input: TextInput
    output: TextOutput


@dataclass(frozen=True, slots=True)
class GraphManifest(Manifest):
    """An export that an engine runs.

    Attributes:
        input: How texts reach the encoder.
        output: What becomes of hidden states.
        graph: What the engine has.
    """

    input: Input
    output: Output
    graph: Graph


#: Every kind of export.
AnyManifest = LayersManifest | GraphManifest | TextManifest

#: What an export is, by the version of its format: leanner's of before engines reads the first.
FORMATS: Final[Mapping[int, type[AnyManifest]]] = {1: LayersManifest, 2: GraphManifest, 3: TextManifest}


def format_of(kind: type[AnyManifest]) -> int:
    """Return the version of the format that has exports of this kind."""
    return next(number for number, other in FORMATS.items() if other is kind)
