"""All contenders in one process, rounds interleaved, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import time

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
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
from leanner.measure.statistics import speedup_of_pairs
from leanner.passes.protocol import NotRunnable
from leanner.peers.ceiling import float32_ceiling
from leanner.peers.ceiling import int8_ceiling
from leanner.peers.ceiling import shapes_of
from leanner.peers.contenders import Contender
from leanner.peers.contenders import prepared
from leanner.peers.names import ENGINES
from leanner.peers.names import FLAIR
from leanner.peers.operations import Weights
from leanner.peers.operations import executed
from leanner.peers.result import Peers
from leanner.peers.result import Row
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import count_matches
from leanner.taggers.engines.support import PACKAGES
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.support import reason_against_blocks
from leanner.taggers.lean.tagger import LeanTagger


if TYPE_CHECKING:
    from leanner.measure.subject import Subject
    from leanner.report.costs import Speedup
    from leanner.taggers.flair import FlairTagger


#: The interval of a ratio is a bootstrap over rounds, of which fewer say nothing.
FEWEST_ROUNDS: Final = 2
#: Between two contenders: ONNX Runtime's threads wait busily behind a run, 28 ms of CPU time where this was looked at.
_REST_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Seen:
    """Seconds of each round of each contender, and the most operations a second of all rounds."""

    subject: Subject
    seconds: Mapping[str, Sequence[float]]
    int8: float | None
    float32: float


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
        TaggerError: The tagger cannot be loaded, or has parts that the lean runtime does not have.
        ValueError: Too few rounds.
    """
    if rounds < FEWEST_ROUNDS:
        raise ValueError(f"expected {FEWEST_ROUNDS} rounds or more, found {rounds}")
    reference = LeanTagger(load())
    # Operations are counted layer by layer.
    if (reason := reason_against_blocks(reference.parts.encoder)) is not None:
        raise TaggerError(reason)
    weights, shapes = Weights.of(reference.parts), shapes_of(reference.model)
    contenders: dict[str, Contender] = {}
    reasons: dict[str, str] = {}
    names = tuple(dict.fromkeys((FLAIR, *engines, *configurations)))
    for name in names:
        try:
            contenders[name] = prepared(name, load, subject.documents, subject.timed.documents, say)
        except NotRunnable as error:
            reasons[name] = str(error)
    seen = _rounds(contenders, subject, shapes, rounds, say)
    say("counting operations")
    rows = [
        _row(contenders[name], contenders[FLAIR], seen, weights, seed)
        if name in contenders
        else Row(name, reason=reasons[name])
        for name in names
    ]
    return Peers(
        rows=tuple(_against_engines(rows, seed)),
        tagger=reference.name,
        weights_sha256=reference.weights_sha256,
        corpus=subject.info,
        sentences=subject.timed.sentences,
        int8_ceiling=seen.int8,
        float32_ceiling=seen.float32,
        environment=describe(Path.cwd(), "cpu"),
        packages=_versions(),
        seed=seed,
    )


def _rounds(
    contenders: Mapping[str, Contender],
    subject: Subject,
    shapes: Sequence[tuple[int, int]],
    rounds: int,
    say: Callable[[str], None],
) -> _Seen:
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    int8: list[float] = []
    float32: list[float] = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        float32.append(float32_ceiling(shapes))
        if (most := int8_ceiling(shapes)) is not None:
            int8.append(most)
        # Forwards and backwards in turn: what grows with time hits all alike.
        for name in order if number % 2 == 0 else reversed(order):
            time.sleep(_REST_S)
            seconds[name].append(timed(partial(tag_all, contenders[name].tagger, subject.timed.documents))[1])
    return _Seen(subject, seconds, max(int8, default=None), max(float32))


def _row(contender: Contender, flair: Contender, seen: _Seen, weights: Weights, seed: int) -> Row:
    documents, timed_part, own_s = seen.subject.documents, seen.subject.timed, seen.seconds[contender.name]
    counts = count_matches(documents, contender.predictions, contender.tagger.labels)
    reference = count_matches(documents, flair.predictions, flair.tagger.labels)
    operations = executed(contender.tagger, timed_part.documents, weights)
    in_float32 = not contender.tagger.runtime.startswith("lean") or (
        next(contender.tagger.model.parameters()).dtype == torch.float32
    )
    # Of 16-bit floats no ceiling is measured.
    floats = seen.float32 if in_float32 else None
    ceiling, done = (seen.int8, operations.int8) if operations.int8 else (floats, operations.floats)
    rate = done / median(own_s)
    return Row(
        name=contender.name,
        runtime=contender.tagger.runtime,
        setting=contender.setting,
        tried=contender.tried,
        prepare_s=contender.prepare_s,
        rounds_s=tuple(own_s),
        sentences_per_s=timed_part.sentences / median(own_s),
        f1=counts.total().f1,
        f1_drop=f1_loss(reference, counts, seed=seed),
        speedup=_speedup(seen.seconds[FLAIR], own_s, FLAIR, seed),
        int8_operations=operations.int8,
        float_operations=operations.floats,
        operations_per_s=rate,
        ceiling_share=None if ceiling is None else rate / ceiling,
        quality=tuple(contender.tagger.quality),
    )


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
