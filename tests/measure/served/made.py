"""A toy with all that a record tells of a tagger, text that it finds something in, and what answers at once."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING
from typing import Any

import torch

from torch import nn

from leanner.serving.batch_log import BatchLog
from leanner.serving.handling import BatchHandler
from leanner.serving.load.job import Driven
from leanner.serving.load.outcome import Outcome
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from serving.toys import ToyTagger


if TYPE_CHECKING:
    from leanner.serving.load.scenarios import Scenario
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


@dataclass
class Toy(ToyTagger):
    """A toy that can be measured."""

    labels: frozenset[Label] = frozenset(Label)
    weights_sha256: str = "b" * 64
    model: nn.Module = field(default_factory=lambda: nn.Linear(4, 3))
    quality: list[str] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")


@dataclass
class Crowded(Toy):
    """A toy that finds something only where it is given several documents at once."""

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the toy's spans, or none."""
        given = list(documents)
        for prediction in super().tag(given):
            yield prediction if len(given) > 1 else tuple(() for _ in prediction)


def document(*texts: str) -> Document:
    """Return a document of these sentences."""
    return Document("0", "made-up", "0", frozenset(Label), tuple(map(Sentence, texts)))


def made_up(number: int) -> list[Document]:
    """Return documents of a sentence each, no two of which are the same."""
    return [document(f"GENE{place} fell with TP{place}") for place in range(number)]


class AtOnce:
    """A target that answers each request by itself, when it is asked.

    Args:
        tagger: What answers.
        bodies: Of all requests.
        folder: Where the batches are logged.
    """

    def __init__(self, tagger: Tagger, bodies: Sequence[bytes], folder: Path) -> None:
        self.server: dict[str, Any] = {"name": "at-once"}
        self.start_s: float | None = 1.5
        self.batch_log = folder / "batches.jsonl"
        self.scenarios: list[Scenario] = []
        self.instead: dict[int, Outcome] = {}
        self.error: Exception | None = None
        self._tagger = tagger
        self._bodies = bodies

    def drive(self, scenario: Scenario, indices: Sequence[int], *, limit_s: float) -> Driven:
        """Answer each request, but for those that have an outcome already."""
        assert limit_s > 0
        self.scenarios.append(scenario)
        began_ns = monotonic_ns()
        with BatchLog(self.batch_log) as log:
            handler = BatchHandler(self._tagger, log)
            outcomes = tuple(self.instead.get(index) or self._answer(handler, index) for index in indices)
        return Driven(outcomes, began_ns, monotonic_ns(), 0.0)

    def pids(self) -> frozenset[int]:
        """Return none."""
        return frozenset()

    def check(self) -> None:
        """Raise what it was told to."""
        if self.error is not None:
            raise self.error

    def _answer(self, handler: BatchHandler, index: int) -> Outcome:
        sent_ns = monotonic_ns()
        (answer,) = handler([self._bodies[index]])
        return Outcome(index, sent_ns, sent_ns, monotonic_ns(), answer.status, None, answer.body)
