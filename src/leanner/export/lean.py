"""An exported tagger: texts in, spans out, without Flair and without what it was exported from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Self
from typing import cast

from tokenizers import Tokenizer as Subtokens

from leanner.corpora.texts import document_of
from leanner.corpora.texts import spans_in_text
from leanner.export.graphs import load_graph
from leanner.export.graphs import version_doubt
from leanner.export.layers import Kind
from leanner.export.loading import TRANSITIONS
from leanner.export.loading import load_manifest
from leanner.export.loading import load_model
from leanner.export.manifest import SUBTOKENS
from leanner.export.manifest import WEIGHTS
from leanner.export.manifest import AnyManifest
from leanner.export.manifest import GraphManifest
from leanner.export.manifest import LayersManifest
from leanner.export.manifest import TextManifest
from leanner.export.splitting import splitter_of
from leanner.passes.int8 import exact_weight_bits
from leanner.passes.int8 import has_onednn
from leanner.passes.precision import multiplies_bfloat16
from leanner.passes.static import NO_ONEDNN
from leanner.taggers.device import usable
from leanner.taggers.engines.tagger import Graph
from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.rows import TextEncoder
from leanner.taggers.hf.spans import TagTable
from leanner.taggers.hf.tags import Tag
from leanner.taggers.lean.deciding import Decider
from leanner.taggers.lean.deciding import decider_of
from leanner.taggers.lean.parts import Parts
from leanner.taggers.lean.parts import Transitions
from leanner.taggers.lean.reading import Pooling
from leanner.taggers.lean.reading import Reading
from leanner.taggers.lean.running import Runner
from leanner.taggers.lean.text_running import TextRunner


if TYPE_CHECKING:
    import torch

    from torch import nn

    from leanner.export.manifest import Crf
    from leanner.export.manifest import Input
    from leanner.serving.served import Served
    from leanner.taggers.lean.deciding import Deciding
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document
    from leanner.types import Label
    from leanner.types import Span


class Lean:
    """A tagger as ``leanner export`` wrote it; :meth:`load` makes it.

    It is a :class:`~leanner.taggers.protocol.Tagger`, so that it can be measured like others.

    Attributes:
        name: What the user called the tagger that was exported.
        runtime: What runs it: ``lean``, ``onnxruntime`` or ``openvino``.
        labels: The labels that it can give.
        weights_sha256: Digest of that tagger's weights, before any pass.
        model: Encoder and head; of those that an engine holds only what they weigh.
        doubts: What this machine makes worse than the one where the tagger was measured.
        quality: What a reader of its results must know, doubts included.
        manifest: What the export says of itself.
        sha256: Digest of the export: two with the same digest give the same spans on the same machine.
    """

    def __init__(
        self,
        manifest: AnyManifest,
        runner: Runner | TextRunner,
        model: nn.Module,
        *,
        device: torch.device,
        sha256: str,
        notes: Sequence[str] = (),
    ) -> None:
        self._runner: Final = runner
        self.model = model
        self.manifest = manifest
        self.sha256 = sha256
        self.name = manifest.tagger.name
        self.runtime = manifest.graph.engine if isinstance(manifest, GraphManifest) else "lean"
        self.labels: frozenset[Label] = _labels(manifest)
        self.weights_sha256 = manifest.tagger.weights_sha256
        self.doubts = list(_doubts(manifest, device))
        where = (f"where it was exported: {text}" for text in manifest.quality)
        self.quality = [*where, *self.doubts, *notes]
        self._device: Final = device

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> Self:
        """Return the tagger in ``folder``, as ``leanner export`` wrote it. No code in it is run.

        Args:
            folder: Its files.
            device: Where to put it. Layers of static int8 are for x86 CPUs, graphs of engines for CPUs.

        Raises:
            TaggerError: A file is missing, damaged or of another version, the device cannot run the tagger, or the
                engine that runs it is missing.
        """
        place, folder = usable(device), Path(folder)
        manifest, sha256 = load_manifest(folder)
        subtokens = Subtokens.from_file(str(folder / SUBTOKENS))
        if isinstance(manifest, GraphManifest):
            engine = load_graph(manifest, folder, place)
            runner = _runner(manifest, _reading(manifest.input, subtokens), engine)
            return cls(manifest, runner, Graph(manifest.graph.weights), device=place, sha256=sha256)
        if any(layer.kind is Kind.INT8_STATIC for layer in manifest.layers.values()) and (
            place.type != "cpu" or not has_onednn()
        ):
            raise TaggerError(f"{folder}: {NO_ONEDNN}; found {place}; export a configuration without static int8")
        model = load_model(manifest, folder / WEIGHTS, place)
        made: Runner | TextRunner
        if isinstance(manifest, TextManifest):
            decide = Decider(_parts(model, in_float32=True), manifest.runtime.batch_tokens)
            made = _text_runner(folder, manifest, subtokens, decide)
        else:
            reading, running = _reading(manifest.input, subtokens), manifest.runtime
            parts = _parts(model, mean=manifest.input.pooling == "mean", crf=manifest.output.crf)
            decide = decider_of(parts, reading, running.batch_tokens, prefix_caching=running.prefix_caching)
            made = _runner(manifest, reading, decide)
        place = next(model.parameters()).device
        return cls(manifest, made, model, device=place, sha256=sha256, notes=decide.notes)

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return self._runner.describe()

    def notes_on(self, documents: Iterable[Document]) -> tuple[str, ...]:
        """Return what the tagger says of its results on ``documents``."""
        return self._runner.notes_on(documents) if isinstance(self._runner, Runner) else ()

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        return self._runner.tag(documents)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._device

    def tag_texts(self, texts: Iterable[str]) -> Iterator[tuple[Span, ...]]:
        """Yield the spans of each text, in order, offsets in characters of the text.

        Texts are split into sentences as the corpora's are. Neighbours of a sentence are those of its own
        text. Some texts are read ahead.
        """
        documents = (document_of(text) for text in texts)
        for _, spans in self.tag_documents(documents):
            yield spans

    def tag_documents(self, documents: Iterable[Document]) -> Iterator[tuple[Document, tuple[Span, ...]]]:
        """Yield each document with its spans, in order, offsets in characters of the document's text."""
        ahead: deque[Document] = deque()

        def noted() -> Iterator[Document]:
            for document in documents:
                ahead.append(document)
                yield document

        for prediction in self.tag(noted()):
            document = ahead.popleft()
            yield document, tuple(spans_in_text(document, prediction))

    def serve(
        self,
        max_batch_size: int = 16,
        max_batch_delay_ms: float = 5.0,
        *,
        by_length: bool = False,
        queue_size: int = 1024,
    ) -> AbstractAsyncContextManager[Served]:
        """Return a context in which texts that are asked for one by one are tagged together, in a thread.

        The tagger is that thread's until the context ends: tag nothing else with it meanwhile.

        Args:
            max_batch_size: Texts that are tagged together, at most.
            max_batch_delay_ms: How long the first of them waits for others while the tagger is idle, at most.
            by_length: Whether texts that wait are grouped by the length of their longest sentence.
            queue_size: Texts that may wait; one more is refused with an ``OverloadedError``.

        Raises:
            ValueError: A batch of no text, a delay that is negative or has no end, or, when the context begins, a queue
                without room for a batch.
        """
        from leanner.serving.batching import DynamicBatching  # noqa: PLC0415 - most who tag do not serve
        from leanner.serving.served import serve  # noqa: PLC0415 - see above

        return serve(self, DynamicBatching(max_batch_size, max_batch_delay_ms, by_length), queue_size=queue_size)


def _runner(manifest: LayersManifest | GraphManifest, reading: Reading, decide: Deciding) -> Runner:
    running = manifest.runtime
    return Runner(
        reading,
        splitter_of(manifest.input.words),
        decide,
        tags=manifest.output.tags,
        label_of=manifest.output.labels,
        chunk_sentences=running.chunk_sentences,
        deduplicate=running.deduplicate,
        window_words=running.window_words,
    )


def _text_runner(folder: Path, manifest: TextManifest, subtokens: Subtokens, decide: Deciding) -> TextRunner:
    try:
        encode = TextEncoder(subtokens, manifest.input.longest)
    except ValueError as error:
        raise TaggerError(f"{folder / SUBTOKENS}: {error}; export the tagger again") from error
    table = TagTable.of([Tag(tag.letter, tag.kind, tag.label) for tag in manifest.output.tags])
    return TextRunner(encode, decide, table, chunk_sentences=manifest.runtime.chunk_sentences)


def _labels(manifest: AnyManifest) -> frozenset[Label]:
    if isinstance(manifest, TextManifest):
        return frozenset(tag.label for tag in manifest.output.tags if tag.label is not None)
    return frozenset(manifest.output.labels.values())


def _parts(model: nn.Module, *, mean: bool = False, crf: Crf | None = None, in_float32: bool = False) -> Parts:
    return Parts(
        model.get_submodule("encoder"),
        model.get_submodule("head"),
        mean=mean,
        in_float32=in_float32,
        crf=None if crf is None else Transitions(model.get_buffer(TRANSITIONS), crf.start, crf.stop),
    )


def _reading(given: Input, subtokens: Subtokens) -> Reading:
    return Reading(
        subtokens=subtokens,
        prompt=given.prompt,
        context=given.context,
        separator=given.separator,
        pooling=cast("Pooling", given.pooling),
        longest=given.longest,
        stride=given.stride,
        windows=given.windows,
    )


def _doubts(manifest: AnyManifest, device: torch.device) -> Iterator[str]:
    """Yield what this machine makes worse than the one where the tagger was measured."""
    if isinstance(manifest, GraphManifest):
        bits, dtype = manifest.graph.weight_bits or 0, "float32"
        if (doubt := version_doubt(manifest.graph)) is not None:
            yield doubt
    else:
        bits = max((layer.weight_bits or 0 for layer in manifest.layers.values()), default=0)
        dtype = manifest.dtype
    if bits and (exact_weight_bits(device) or 0) < bits:
        yield (
            f"int8 products of {bits}-bit weights saturate on this CPU, which has no VNNI: F1 can be lower than where "
            "it was measured; export it again on this machine, which gives weights of fewer bits"
        )
    if device.type == "cpu" and dtype == "bfloat16" and not multiplies_bfloat16():
        yield "this CPU has no instructions for bfloat16: torch computes it slower than float32"
    if device.type == "cpu" and dtype == "float16":
        yield "CPUs have no fast float16: it is slower than float32, and meant for CUDA"
