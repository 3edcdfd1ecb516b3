"""All contenders in one process, rounds interleaved, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import time

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from typing import Final

import torch

from leanner.measure.environment import describe
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.measure.statistics import median_interval
from leanner.measure.statistics import speedup_of_pairs
from leanner.passes.protocol import NotRunnable
from leanner.peers.ceiling import Ceiling
from leanner.peers.ceiling import float32_products
from leanner.peers.ceiling import int8_products
from leanner.peers.ceiling import shapes_of
from leanner.peers.contenders import Contender
from leanner.peers.contenders import prepared
from leanner.peers.names import ENGINES
from leanner.peers.names import FLAIR
from leanner.peers.operations import Operations
from leanner.peers.operations import Weights
from leanner.peers.operations import executed
from leanner.peers.result import Peers
from leanner.peers.result import Rates
from leanner.peers.result import Row
from leanner.peers.result import Share
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import count_matches
from leanner.taggers.engines.support import PACKAGES
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.support import reason_against_blocks
from leanner.taggers.lean.tagger import LeanTagger


if TYPE_CHECKING:
    from leanner.measure.subject import Subject
    from leanner.peers.ceiling import Shape
    from leanner.report.costs import Speedup
    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: The interval of a ratio is a bootstrap over rounds, of which fewer say nothing.
FEWEST_ROUNDS: Final = 2
#: Before each that multiplies: ONNX Runtime's threads wait busily behind a run, 28 ms of CPU time where this was looked
#: at.
_REST_S: Final = 0.05
#: All products take turns for so long before one is chosen.
_TRIAL_S: Final = 3.0
#: So long the chosen one multiplies before a round, and again behind it.
_BESIDE_S: Final = 0.2


@dataclass(slots=True)
class _Entry:
    """A contender, what it executes in a round, what it is held against, and its rounds.

    Attributes:
        contender: Ready for its rounds.
        operations: For the timed text.
        ceiling: Of its kind of operations; ``None`` where none is measured.
        seconds: Of each round.
        ceilings: Operations a second of the ceiling's product, the mean of before and behind each round; empty
            without one.
    """

    contender: Contender
    operations: Operations
    ceiling: Ceiling | None
    seconds: list[float] = field(default_factory=list)
    ceilings: list[float] = field(default_factory=list)

    @property
    def counted(self) -> float:
        """Operations that the ceiling is of: those in int8 if there are some."""
        return self.operations.int8 or self.operations.floats


def bench_peers(
    subject: Subject,
    load: Callable[[], FlairTagger],
    configurations: Sequence[str],
    *,
    rounds: int,
    engines: Sequence[str] = ENGINES,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Peers:
    """Compare Flair, the other engines and leanner's own configurations on the same text.

    Args:
        subject: The text.
        load: Loads the tagger anew.
        configurations: Leanner's own that take part.
        rounds: Of each.
        engines: Which of ``ENGINES`` take part.
        seed: Of the bootstrap.
        say: Told of the progress.

    Raises:
        TaggerError: The tagger cannot be loaded, has parts that the lean runtime does not have, or no float32.
        ValueError: Too few rounds.
    """
    if rounds < FEWEST_ROUNDS:
        raise ValueError(f"expected {FEWEST_ROUNDS} rounds or more, found {rounds}")
    reference = LeanTagger(load())
    # Operations are counted layer by layer.
    if (reason := reason_against_blocks(reference.parts.encoder)) is not None:
        raise TaggerError(reason)
    weights, shapes = Weights.of(reference.parts), shapes_of(reference.model)
    if not shapes:
        raise TaggerError(
            "expected a tagger with linear layers of float32, found none: all others are held against the tagger as "
            "it was trained, not quantized"
        )
    entries: dict[str, _Entry] = {}
    reasons: dict[str, str] = {}
    names = tuple(dict.fromkeys((FLAIR, *engines, *configurations)))
    contenders: dict[str, Contender] = {}
    for name in names:
        try:
            contenders[name] = prepared(name, load, subject.documents, subject.timed.documents, say)
        except NotRunnable as error:
            reasons[name] = str(error)
    say("finding the fastest products")
    float32, int8 = Ceiling.of(float32_products(shapes), _TRIAL_S), _of_int8(shapes)
    for name, contender in contenders.items():
        operations = executed(contender.tagger, subject.timed.documents, weights)
        entries[name] = _Entry(contender, operations, _ceiling(contender.tagger, operations, int8, float32))
    _race(list(entries.values()), subject.timed.documents, rounds, say)
    rows = [
        _row(entries[name], entries[FLAIR], subject, seed) if name in entries else Row(name, reason=reasons[name])
        for name in names
    ]
    return Peers(
        rows=tuple(_against_engines(rows, seed)),
        tagger=reference.name,
        weights_sha256=reference.weights_sha256,
        corpus=subject.info,
        sentences=subject.timed.sentences,
        int8_ceiling=None if int8 is None else _rates(int8, entries.values()),
        float32_ceiling=_rates(float32, entries.values()),
        environment=describe(Path.cwd(), "cpu"),
        packages=_versions(),
        seed=seed,
    )


def _of_int8(shapes: Sequence[Shape]) -> Ceiling | None:
    products = int8_products(shapes)
    return Ceiling.of(products, _TRIAL_S) if products else None


def _ceiling(tagger: Tagger, operations: Operations, int8: Ceiling | None, float32: Ceiling) -> Ceiling | None:
    if operations.int8:
        return int8
    in_float32 = not tagger.runtime.startswith("lean") or next(tagger.model.parameters()).dtype == torch.float32
    # Of 16-bit floats none is measured.
    return float32 if in_float32 else None


def _race(entries: Sequence[_Entry], documents: Sequence[Document], rounds: int, say: Callable[[str], None]) -> None:
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        # Forwards and backwards in turn: what grows with time hits all alike.
        for entry in entries if number % 2 == 0 else reversed(entries):
            before = _rested_rate(entry.ceiling)
            time.sleep(_REST_S)
            entry.seconds.append(timed(partial(tag_all, entry.contender.tagger, documents))[1])
            behind = _rested_rate(entry.ceiling)
            if before is not None and behind is not None:
                entry.ceilings.append((before + behind) / 2.0)


def _rested_rate(ceiling: Ceiling | None) -> float | None:
    if ceiling is None:
        return None
    time.sleep(_REST_S)
    return ceiling.rate(_BESIDE_S)


def _rates(ceiling: Ceiling, entries: Iterable[_Entry]) -> Rates:
    beside = [rate for entry in entries if entry.ceiling is ceiling for rate in entry.ceilings]
    return Rates(ceiling.product.name, median(beside) if beside else None, ceiling.most)


def _row(entry: _Entry, flair: _Entry, subject: Subject, seed: int) -> Row:
    contender, own_s = entry.contender, entry.seconds
    rate = entry.counted / median(own_s)
    counts = count_matches(subject.documents, contender.predictions, contender.tagger.labels)
    reference = count_matches(subject.documents, flair.contender.predictions, flair.contender.tagger.labels)
    return Row(
        name=contender.name,
        runtime=contender.tagger.runtime,
        setting=contender.setting,
        tried=contender.tried,
        prepare_s=contender.prepare_s,
        rounds_s=tuple(own_s),
        sentences_per_s=subject.timed.sentences / median(own_s),
        f1=counts.total().f1,
        f1_drop=f1_loss(reference, counts, seed=seed),
        speedup=_speedup(flair.seconds, own_s, FLAIR, seed),
        int8_operations=entry.operations.int8,
        float_operations=entry.operations.floats,
        operations_per_s=rate,
        ceilings_per_s=tuple(entry.ceilings),
        ceiling_share=_share(entry),
        most_share=None if entry.ceiling is None else rate / entry.ceiling.most,
        quality=tuple(contender.tagger.quality),
    )


def _share(entry: _Entry) -> Share | None:
    if not entry.ceilings:
        return None
    shares = [entry.counted / seconds / rate for seconds, rate in zip(entry.seconds, entry.ceilings, strict=True)]
    low, high = median_interval(shares) or (None, None)
    return Share(median(shares), low, high)


def _against_engines(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return the rows, each held against the fastest engine, if one took part."""
    engines = [row for row in rows if row.name in ENGINES and row.rounds_s]
    if not engines:
        return list(rows)
    best = min(engines, key=lambda row: median(row.rounds_s))
    return [
        replace(row, against_engines=_speedup(best.rounds_s, row.rounds_s, best.name, seed)) if row.rounds_s else row
        for row in rows
    ]


def _speedup(before_s: Sequence[float], after_s: Sequence[float], against: str, seed: int) -> Speedup:
    # The seconds stand in the rows already.
    return replace(speedup_of_pairs(before_s, after_s, against=against, seed=seed), against_s=())


def _versions() -> dict[str, str]:
    found = {}
    for name in sorted({name for names in PACKAGES.values() for name in names}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
