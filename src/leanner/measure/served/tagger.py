"""A tagger behind a server, as a tagger: each sentence is a request of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Final

from leanner.serving.batch_log import read_batches
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.server import ServerError
from leanner.serving.wire import read_answer
from leanner.serving.wire import write_request
from leanner.taggers.protocol import Noting


if TYPE_CHECKING:
    import torch

    from leanner.measure.served.target import Target
    from leanner.serving.batch_log import Batch
    from leanner.serving.load.outcome import Outcome
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document
    from leanner.types import Span


#: Requests in flight: two batches of 16, so that one gathers while the other is tagged.
IN_FLIGHT: Final = 32

#: Seconds that all requests of one call may take together, for each of them; and at least.
_LIMIT_S: Final = 5.0
_LEAST_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of ``tag`` sent, and in which batches it was tagged."""

    outcomes: Sequence[Outcome]
    batches: Sequence[Batch]


@dataclass(slots=True)
class Requests:
    """The sentences that can be asked for, each text once.

    Attributes:
        texts: By the number that is the request's id.
        bodies: The same as requests.
    """

    texts: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Requests:
        """Return those of all sentences of ``documents``."""
        requests = cls()
        for document in documents:
            for sentence in document.sentences:
                if sentence.text not in requests._numbers:
                    number = len(requests.texts)
                    requests._numbers[sentence.text] = number
                    requests.texts.append(sentence.text)
                    requests.bodies.append(write_request([sentence.text], number))
        return requests

    def numbers(self, documents: Iterable[Document]) -> list[int]:
        """Return the number of each sentence of ``documents``, in order."""
        return [self._numbers[sentence.text] for document in documents for sentence in document.sentences]


class ServedTagger:
    """Sends each sentence to a server and takes the spans of its answer.

    Args:
        local: The same tagger here: what it says of itself is said of the served one.
        target: Where requests go.
        requests: All sentences that can be asked for.
        in_flight: Requests that are not answered yet, at most.

    Attributes:
        calls: What each call of ``tag`` saw, since they were last taken.
    """

    def __init__(self, local: Tagger, target: Target, requests: Requests, in_flight: int = IN_FLIGHT) -> None:
        self.local: Final = local
        self.target: Final = target
        self.requests: Final = requests
        self.in_flight: Final = in_flight
        self.name = local.name
        self.runtime = local.runtime
        self.labels = local.labels
        self.weights_sha256 = local.weights_sha256
        self.model = local.model
        self.quality = local.quality
        self.calls: list[Call] = []
        self._read = 0

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.local.device

    def notes_on(self, documents: Iterable[Document]) -> tuple[str, ...]:
        """Return what the tagger says of its results on ``documents``."""
        return self.local.notes_on(documents) if isinstance(self.local, Noting) else ()

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order; a sentence has no neighbours.

        Raises:
            ServerError: A request was not answered with spans.
        """
        asked = list(documents)
        numbers = self.requests.numbers(asked)
        if numbers:
            # Spans are wanted of all: where a server hangs, the first that waited too long are enough to know.
            scenario = ClosedLoop(min(self.in_flight, len(numbers)), until_failure=True)
            limit_s = max(_LEAST_LIMIT_S, _LIMIT_S * len(numbers))
            outcomes = self.target.drive(scenario, numbers, limit_s=limit_s).outcomes
            batches, self._read = read_batches(self.target.batch_log, self._read)
            self.calls.append(Call(outcomes, batches))
            answers = iter(self._spans(outcomes))
        for document in asked:
            yield tuple(next(answers) for _ in document.sentences)

    def take(self) -> list[Call]:
        """Return the calls since the last time, and forget them."""
        calls, self.calls = self.calls, []
        return calls

    def _spans(self, outcomes: Sequence[Outcome]) -> list[tuple[Span, ...]]:
        failures = Counter(outcome.failure for outcome in outcomes if outcome.failure is not None)
        if failures:
            self.target.check()
            kinds = ", ".join(f"{number} {kind}" for kind, number in failures.most_common())
            raise ServerError(
                f"expected {self.target.server['name']} to answer {len(outcomes)} requests, found failures: {kinds}"
            )
        found = []
        for outcome in outcomes:
            assert outcome.body is not None
            (spans,) = read_answer(outcome.body)
            found.append(spans)
        return found
