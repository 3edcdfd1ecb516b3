"""One case: a configuration, measured from preparation to verdict."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from leanner.configurations import Configuration
from leanner.configurations import is_interleaved
from leanner.measure.floor import Held
from leanner.measure.floor import held
from leanner.measure.joules import Metered
from leanner.measure.plan import Plan
from leanner.measure.plan import make_plan
from leanner.measure.prefixes import measure_prefixes
from leanner.measure.rounds import single_stream
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.measure.served.account import Service
from leanner.measure.served.account import serve
from leanner.measure.timing import Rounds
from leanner.measure.timing import Stopwatch
from leanner.passes.protocol import Foresighted
from leanner.scoring.counts import ArticleCounts
from leanner.scoring.counts import count_matches
from leanner.taggers.weights import Weights
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.measure.subject import Subject
    from leanner.meters import Idle
    from leanner.meters import Meter
    from leanner.meters.meter import WindowKind
    from leanner.options import Options
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document
    from leanner.types import Label


LATENCY_SENTENCES = 200


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all cases of a session on one device share.

    Attributes:
        subject: Corpus in memory.
        load: Loads the tagger anew.
        meter: Meters the windows.
        rest: Measures the power at rest, now, in a window of this kind; ``None`` where there is no meter.
        bare: The same before anything was loaded.
        least_window_s: Shortest window that the meter can tell the joules of.
        first: Memory held before the first case.
        environment: For the record.
        device: Torch device.
        options: How to measure.
        say: Told of the progress.
    """

    subject: Subject
    load: Callable[[], Tagger]
    meter: Meter
    rest: Callable[[WindowKind], Idle | None]
    bare: Idle | None
    least_window_s: float
    first: Held
    environment: Mapping[str, Any]
    device: str
    options: Options
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What later cases are held against; ``rounds_s`` is ``None`` if the baseline was not timed."""

    counts: ArticleCounts
    weights: Weights
    predictions: Sequence[Prediction]
    labels: frozenset[Label]
    rounds_s: tuple[float, ...] | None

    @classmethod
    def of(
        cls,
        tagger: Tagger,
        documents: Sequence[Document],
        predictions: Sequence[Prediction],
        rounds_s: tuple[float, ...] | None = None,
    ) -> Baseline:
        """Return what ``tagger`` gave on ``documents`` as a baseline."""
        counts = count_matches(documents, predictions, tagger.labels)
        return cls(counts, weigh(tagger.model), predictions, tagger.labels, rounds_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was seen of a case; the record is made of it.

    Attributes:
        tagger: After its passes, for what it says of itself.
        original: Weights before the passes.
        prepare_s: Seconds that the passes took.
        plan: Warm-up and number of rounds.
        warmup_s: Seconds of all that was tagged before the rounds; first of all the whole corpus.
        rounds: Readings, spans, and the baseline's rounds between them.
        rounds_s: Seconds of each round; none where benchmarks are disabled.
        metered: All windows.
        held_before: Memory held before the tagger was loaded.
        latency_ms: Of single sentences.
        itself: This case as a baseline for others.
        served: The record's ``served``.
    """

    tagger: Tagger
    original: Weights
    prepare_s: float
    plan: Plan
    warmup_s: tuple[float, ...]
    rounds: Rounds
    rounds_s: tuple[float, ...]
    metered: Metered
    held_before: Held
    latency_ms: tuple[float, ...]
    itself: Baseline
    served: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A tagger after its passes, and what was seen of them."""

    tagger: Tagger
    original: Weights
    prepare_s: float
    held_before: Held


def measure_baseline(conditions: Conditions) -> Baseline:
    """Tag the corpus once with the unchanged tagger, untimed."""
    tagger, documents = conditions.load(), conditions.subject.documents
    return Baseline.of(tagger, documents, tag_all(tagger, documents))


def measure_case(configuration: Configuration, conditions: Conditions, stopwatch: Stopwatch) -> Measured:
    """Prepare, warm up, time and meter one configuration.

    Args:
        configuration: What to do to the tagger.
        conditions: Corpus, meter and device.
        stopwatch: Times the rounds; ``stats`` of pytest-benchmark are read from it.

    Raises:
        NotRunnable: This machine or device cannot run a pass, or has not the server.
        ServerError: The server failed.
    """
    prepared = _prepare(configuration, conditions)
    if configuration.served is None:
        return _measure(configuration, conditions, stopwatch, prepared)
    conditions.say("starting the server")
    documents = conditions.subject.documents
    with serve(
        configuration,
        prepared.tagger,
        documents,
        conditions.options,
        conditions.device,
        prepare_s=prepared.prepare_s,
    ) as service:
        prepared = replace(prepared, tagger=service.tagger)
        return _measure(configuration, conditions, stopwatch, prepared, service)


def _prepare(configuration: Configuration, conditions: Conditions) -> _Prepared:
    held_before = held(conditions.device)
    tagger = conditions.load()
    original = weigh(tagger.model)
    conditions.say("preparing")
    for step in configuration.passes:
        if isinstance(step, Foresighted):
            step.check(tagger)
    prepare_s = 0.0
    for step in configuration.passes:
        tagger, seconds = timed(partial(step, tagger))
        prepare_s += seconds
    return _Prepared(tagger, original, prepare_s, held_before)


def _measure(
    configuration: Configuration,
    conditions: Conditions,
    stopwatch: Stopwatch,
    prepared: _Prepared,
    service: Service | None = None,
) -> Measured:
    say, options, subject = conditions.say, conditions.options, conditions.subject
    documents, timed_documents, tagger = subject.documents, subject.timed.documents, prepared.tagger
    rest_before = conditions.rest("idle-before")
    # Where rounds tag all of it, the last of them gives the spans.
    everything: list[Prediction] = []
    first_s: list[float] = []
    if len(timed_documents) < len(documents):
        everything, seconds = timed(partial(tag_all, tagger, documents))
        first_s.append(seconds)
    plan = make_plan(
        partial(_seconds_to_tag, tagger),
        timed_documents,
        seconds=options.seconds,
        precision_pct=options.precision_pct,
        least_window_s=conditions.least_window_s,
    )
    rival = conditions.load() if is_interleaved(configuration.name, interleave=options.interleave) else None
    if rival is not None:
        tag_all(rival, timed_documents)
    say(f"{plan.rounds} rounds of about {plan.round_s:.2g} s")
    rounds = Rounds(tagger, timed_documents, conditions.meter, plan.rounds_per_window, rival)
    if service is not None:
        service.begin_rounds()
    rounds_s = rounds.measure(stopwatch, plan.rounds)
    if service is not None:
        service.end_rounds()
    rest_after = conditions.rest("idle-after")
    prefixes = measure_prefixes(tagger, timed_documents, conditions.meter, conditions.least_window_s)
    say("single sentences")
    singles = single_stream(tagger, documents, sentences=LATENCY_SENTENCES, seed=options.seed)
    return Measured(
        tagger=tagger,
        original=prepared.original,
        prepare_s=prepared.prepare_s,
        plan=plan,
        warmup_s=(*first_s, *plan.warmup_s),
        rounds=rounds,
        rounds_s=rounds_s,
        metered=Metered(rounds.readings, plan.rounds_per_window, conditions.bare, rest_before, rest_after, prefixes),
        held_before=prepared.held_before,
        latency_ms=tuple(singles),
        itself=Baseline.of(tagger, documents, everything or rounds.predictions, rounds_s or None),
        served=None if service is None else service.describe(singles, options, conditions.meter, say=conditions.say),
    )


def _seconds_to_tag(tagger: Tagger, documents: Sequence[Document]) -> float:
    return timed(partial(tag_all, tagger, documents))[1]
