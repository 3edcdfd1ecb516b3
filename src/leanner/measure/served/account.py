"""What the record says of a served case."""

from __future__ import annotations

import contextlib
import random
import statistics

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import psutil

from leanner.measure.served.rates import look_for_rate
from leanner.measure.served.tagger import Requests
from leanner.measure.served.tagger import ServedTagger
from leanner.measure.served.target import START_S
from leanner.measure.served.target import open_target
from leanner.measure.served.worker import source_of
from leanner.serving.load.interval import Estimate
from leanner.serving.load.interval import lower_rank
from leanner.serving.load.interval import quantile
from leanner.serving.load.interval import upper_rank
from leanner.serving.load.summary import SHARES
from leanner.serving.load.summary import join
from leanner.serving.load.summary import latencies_ms
from leanner.serving.load.summary import server_side
from leanner.serving.wire import document_in
from leanner.serving.wire import read_answer


if TYPE_CHECKING:
    from leanner.configurations import Configuration
    from leanner.measure.served.tagger import Call
    from leanner.meters import Meter
    from leanner.options import Options
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: Sentences that are tagged together to see whether spans depend on what else is in a batch.
REGROUPED: Final = 16


@dataclass(slots=True)
class Service:
    """A served case while it is measured.

    Attributes:
        configuration: With its ``served``.
        tagger: Behind the server.
        tree_mb: Of the server's processes when the rounds had ended; ``None`` where it is this process.
        of_rounds: The calls of the measured rounds.
        of_all: Those over the whole corpus, whose spans F1 is of, and of single sentences.
    """

    configuration: Configuration
    tagger: ServedTagger
    tree_mb: float | None = None
    of_rounds: list[Call] = field(default_factory=list)
    of_all: list[Call] = field(default_factory=list)

    def begin_rounds(self) -> None:
        """Have what was sent before count as no round."""
        self.of_all = self.tagger.take()

    def end_rounds(self) -> None:
        """Have what was sent since count as the rounds."""
        self.of_rounds = self.tagger.take()
        pids = self.tagger.target.pids()
        self.tree_mb = tree_mb(pids) if pids else None

    def describe(
        self, single_ms: Sequence[float], options: Options, meter: Meter, *, say: Callable[[str], None]
    ) -> Mapping[str, Any]:
        """Return the record's ``served``.

        Args:
            single_ms: Of sentences with no other request in flight.
            options: With the bound of the p99, if a rate is to be looked for.
            meter: Of the power at the rates that are tried.
            say: Tells who waits which these are.
        """
        serving = self.configuration.served
        assert serving is not None
        tagger, target = self.tagger, self.tagger.target
        outcomes = [outcome for call in self.of_rounds for outcome in call.outcomes]
        batches = [batch for call in self.of_rounds for batch in call.batches]
        latencies = latencies_ms(outcomes)
        side = server_side(outcomes, range(len(tagger.requests.texts)), batches, serving.batching.max_batch_size)
        return {
            "server": target.server,
            "batching": serving.batching.describe(),
            "load": {"name": "closed-loop", "in_flight": tagger.in_flight},
            "requests": len(outcomes),
            "latency_ms": {name: quantile(latencies, share).to_json() for name, share in SHARES.items()},
            "single_ms": {name: quantile(single_ms, share).to_json() for name, share in SHARES.items()},
            "server_side": side.to_json(),
            "start_s": target.start_s,
            "tree_mb": self.tree_mb,
            "throughput_per_s": median_of_rounds(self._rates_per_s()).to_json(),
            "same_spans": same_spans(tagger, self.of_all[:1])
            | {"differ_in_other_batches": other_batches(tagger, self.of_all[:1], options.seed)},
            "slo": (
                None
                if options.slo_ms is None
                else look_for_rate(tagger, statistics.median(self._rates_per_s()), single_ms, options, meter, say=say)
            ),
        }

    def _rates_per_s(self) -> list[float]:
        """Return the requests a second of each round."""
        return [
            len(call.outcomes)
            * 1e9
            / max(1, max(o.ended_ns for o in call.outcomes) - min(o.sent_ns or o.ended_ns for o in call.outcomes))
            for call in self.of_rounds
        ]


@contextlib.contextmanager
def serve(
    configuration: Configuration,
    local: Tagger,
    documents: Sequence[Document],
    options: Options,
    device: str,
    *,
    prepare_s: float = 0.0,
) -> Iterator[Service]:
    """Serve a configuration, and stop at the end.

    Args:
        configuration: With its ``served``.
        local: Its tagger here, passes applied.
        documents: All that will be asked for.
        options: How the worker loads the tagger.
        device: Torch device.
        prepare_s: Seconds that the passes took here: the server gets ten times as long for them.

    Raises:
        NotRunnable: The server is not installed.
        ServerError: It did not become ready.
    """
    assert configuration.served is not None
    requests = Requests.of(documents)
    source = source_of(configuration, options, device)
    with open_target(
        configuration.served, source, local, requests.bodies, start_s=START_S + 10.0 * prepare_s
    ) as target:
        yield Service(configuration, ServedTagger(local, target, requests))


def median_of_rounds(rates_per_s: Sequence[float]) -> Estimate:
    """Return the median of the rounds' rates and two of them that hold the true one, by order statistics."""
    number = len(rates_per_s)
    if not number:
        return Estimate(None, None, None, "no round was measured")
    low, high = lower_rank(number, 0.5), upper_rank(number, 0.5)
    median = statistics.median(rates_per_s)
    if low == 0:
        return Estimate(median, None, None, f"{number} rounds have no interval of a median")
    ordered = sorted(rates_per_s)
    return Estimate(median, ordered[low - 1], ordered[high - 1])


def other_batches(tagger: ServedTagger, calls: Sequence[Call], seed: int) -> int:
    """Tag the texts of ``calls`` here in batches drawn anew, and return how many answers have other spans.

    What a tagger says of a sentence may depend on what else is in its batch: where its activations have one scale for
    all of them, for instance.
    """
    answers = [(o.index, o.body) for call in calls for o in call.outcomes if o.body is not None]
    random.Random(seed).shuffle(answers)  # noqa: S311 - no secret
    differ = 0
    for begin in range(0, len(answers), REGROUPED):
        group = answers[begin : begin + REGROUPED]
        here = tagger.local.tag([document_in([tagger.requests.texts[number]]) for number, _ in group])
        differ += sum(read_answer(body) != found for (_, body), found in zip(group, here, strict=True))
    return differ


def same_spans(tagger: ServedTagger, calls: Sequence[Call]) -> dict[str, int]:
    """Tag the logged batches of ``calls`` here, as they were, and return how many answers have other spans."""
    texts = tagger.requests.texts
    batches = requests = differ = 0
    for call in calls:
        answers: dict[int, dict[int, bytes]] = defaultdict(dict)
        for outcome, batch in join(call.outcomes, range(len(texts)), call.batches):
            if outcome.body is not None:
                answers[batch.began_ns][outcome.index] = outcome.body
        for batch in call.batches:
            numbers = [number for number in batch.ids if isinstance(number, int)]
            here = tagger.local.tag([document_in([texts[number]]) for number in numbers])
            batches += 1
            for number, prediction in zip(numbers, here, strict=True):
                if (body := answers[batch.began_ns].get(number)) is not None:
                    requests += 1
                    differ += read_answer(body) != prediction
    return {"batches": batches, "requests": requests, "differ": differ}


def tree_mb(pids: frozenset[int]) -> float | None:
    """Return the megabytes of processes, shared pages counted once; ``None`` where the kernel does not tell."""
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
        except (psutil.AccessDenied, AttributeError):
            return None
    return total / 1e6 if Path("/proc").exists() else None
