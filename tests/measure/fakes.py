"""A tagger, a stopwatch and a corpus made up for the tests of measuring."""

from __future__ import annotations

import os
import signal

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from types import SimpleNamespace
from typing import TYPE_CHECKING
from typing import Any

import torch

from torch import nn

from leanner.measure.subject import Subject
from leanner.measure.timed import timed_part
from leanner.options import Options
from leanner.passes.protocol import NotRunnable
from leanner.report.record import CorpusInfo
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from leanner.words import word_offsets


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


ALL = frozenset(Label)


def articles(number: int) -> tuple[Document, ...]:
    """Return articles of two sentences and three mentions each."""
    sentences = (
        Sentence("TP53 is lost in mice.", 0, (Span(0, 4, Label.GENE), Span(16, 20, Label.SPECIES))),
        Sentence("It causes cancer.", 22, (Span(10, 16, Label.DISEASE),)),
    )
    return tuple(Document(str(n), "made-up", str(n), ALL, sentences) for n in range(number))


def subject(documents: tuple[Document, ...], name: str = "made-up", round_sentences: int = 0) -> Subject:
    """Return them as a corpus of this name."""
    sentences = [sentence for document in documents for sentence in document.sentences]
    info = CorpusInfo(
        name=name,
        sha256="c" * 64,
        sentences=len(sentences),
        tokens=sum(len(word_offsets(sentence.text)) for sentence in sentences),
        mentions=sum(len(sentence.spans) for sentence in sentences),
        articles=len(documents),
    )
    return Subject(documents, info, (), timed_part(documents, round_sentences, 0))


@dataclass
class FakeTagger:
    """Gives the gold spans, but for every ``forgets``-th; ``on_tag`` is called for every pass over documents."""

    forgets: int = 0
    on_tag: Callable[[], None] = lambda: None
    name: str = "fake"
    runtime: str = "flair"
    labels: frozenset[Label] = ALL
    weights_sha256: str = "a" * 64
    model: nn.Module = field(default_factory=lambda: nn.Linear(4, 3))
    quality: list[str] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield gold spans."""
        self.on_tag()
        number = 0
        for document in documents:
            spans = []
            for sentence in document.sentences:
                kept = []
                for span in sentence.spans:
                    number += 1
                    if not self.forgets or number % self.forgets:
                        kept.append(span)
                spans.append(tuple(kept))
            yield tuple(spans)


@dataclass(frozen=True)
class Forget:
    """A pass after which every ``every``-th mention is missed."""

    every: int
    sparsity: float | None = None
    name: str = "forget"

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {"name": self.name, "every": self.every}

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the tagger with a bad memory."""
        assert isinstance(tagger, FakeTagger)
        tagger.forgets = self.every
        return tagger


@dataclass(frozen=True)
class Refuse:
    """A pass that raises: ``NotRunnable``, or what it is given."""

    error: Exception = field(default_factory=lambda: NotRunnable("this machine lacks what it takes"))
    name: str = "refuse"

    def describe(self) -> dict[str, Any]:
        """Return the name."""
        return {"name": self.name}

    def __call__(self, tagger: Tagger) -> Tagger:
        """Raise."""
        del tagger
        raise self.error


@dataclass(frozen=True)
class Foresee(Refuse):
    """A pass that knows from the unchanged tagger that it cannot run it."""

    def check(self, tagger: Tagger) -> None:
        """Raise."""
        self(tagger)


@dataclass(frozen=True)
class Die:
    """A pass that kills its process, as the kernel does when memory runs out."""

    name: str = "die"

    def describe(self) -> dict[str, Any]:
        """Return the name."""
        return {"name": self.name}

    def __call__(self, tagger: Tagger) -> Tagger:
        """End without a word."""
        os.kill(os.getpid(), signal.SIGKILL)
        return tagger


@dataclass
class FakeStopwatch:
    """Calls what pytest-benchmark calls, in its order; says that each round took ``round_s``."""

    round_s: float = 0.5
    disabled: bool = False
    profiled: bool = False
    calls: list[str] = field(default_factory=list)
    stats: SimpleNamespace | None = None

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
        iterations: int,
    ) -> None:
        """Run the rounds; just one without teardown where benchmarks are disabled, one more where they are profiled."""
        assert (warmup_rounds, iterations) == (0, 1)
        steps = {"setup": setup, "target": target, "teardown": teardown}
        order = ["setup", "target"] if self.disabled else [*steps] * (rounds + self.profiled)
        for name in order:
            self.calls.append(name)
            steps[name]()
        if not self.disabled:
            self.stats = SimpleNamespace(stats=SimpleNamespace(data=[self.round_s] * rounds))


def options(**changes: Any) -> Options:  # noqa: ANN401 - any field
    """Return options for quick cases."""
    values: dict[str, Any] = {
        "tagger": "fake",
        "tagger_labels": None,
        "corpora": (),
        "sentences": None,
        "seed": 0,
        "on_bad_document": "error",
        "energy": "off",
        "watts_per_core": None,
        "interval_s": 0.1,
        "device": "auto",
        "batch_size": 32,
        "round_sentences": 0,
        "seconds": 0.0,
        "precision_pct": 2.0,
        "slo_ms": None,
        "idle_s": 0.0,
        "interleave": False,
        "isolate": False,
        "lock": "off",
        "journal": None,
        "resume": None,
        "record_meters": None,
        "replay_meters": None,
        "compare": None,
        "compare_fail": (),
        "compare_gates": None,
        "compare_store": None,
        "compare_across_machines": False,
        "aa": False,
        "strict": False,
        "everything": False,
    }
    return Options(**values | changes)
