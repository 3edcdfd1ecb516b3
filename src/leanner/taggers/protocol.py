"""What every tagger can do: documents of sentences in, spans out."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Protocol
from typing import runtime_checkable

from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    import torch

#: The spans of one document: one tuple per sentence, offsets relative to the sentence's text, sorted.
Prediction = tuple[tuple[Span, ...], ...]


class Tagger(Protocol):
    """Documents of sentences in, spans out.

    Attributes:
        name: What the user called it (``bundled``, ``hunflair2``, a path, ``hf:`` and a checkpoint).
        runtime: What runs it: ``flair``, ``transformers``, ``lean``, ``onnxruntime``,
            ``openvino`` or ``inductor``.
        labels: The labels it can give; a label of the corpus that is missing here is
            said clearly in the record.
        weights_sha256: Digest of the weights it was loaded from.
        model: The torch module that passes change.
        quality: What a reader of its results must know; passes add to it.
    """

    name: str
    runtime: str
    labels: frozenset[Label]
    weights_sha256: str
    model: torch.nn.Module
    quality: list[str]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order; gold spans in ``documents`` are not looked at."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A tagger that has something to say of what it does with a text."""

    def notes_on(self, documents: Iterable[Document]) -> tuple[str, ...]:
        """Return what a reader must know of its results on ``documents``."""
        ...
