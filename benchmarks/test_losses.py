"""F1 of every configuration on one text, without timing: ``pytest benchmarks -m losses -rP --leanner-corpora DIR``.

What Flair or transformers would run is run by the lean runtime, which takes less time: so all of them can tag all of a
large text. In float32 it has Flair's spans (``test_same_spans.py``); in 16 bits and int8 it rounds at other places, and
the loss is its own. Flair itself takes part as ``fp32``. Each prints a row of a table: F1, the loss with its interval,
that of DISEASE, GENE and SPECIES, and how many sentences have other spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import pytest

from leanner.configurations import BASELINE
from leanner.configurations import CONFIGURATIONS
from leanner.configurations import named
from leanner.measure.rounds import tag_all
from leanner.passes.protocol import NotRunnable
from leanner.passes.runtime import LeanRuntime
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import count_matches
from leanner.taggers.libraries import LIBRARIES
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.measure.session import Session
    from leanner.measure.subject import Subject
    from leanner.scoring.counts import ArticleCounts
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger


pytestmark = pytest.mark.losses

_CASES: Final = [configuration for configuration in CONFIGURATIONS if configuration.served is None]
_KNOWN: Final = {configuration.passes for configuration in _CASES}
#: Without those that are another one in the lean runtime.
NAMES: Final = [
    configuration.name
    for configuration in _CASES
    if configuration.name == BASELINE or (*configuration.passes, LeanRuntime()) not in _KNOWN
]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a tagger says of the text, and how much of it is right."""

    predictions: Sequence[Prediction]
    counts: ArticleCounts


def scored(tagger: Tagger, subject: Subject) -> Scored:
    """Tag the text."""
    predictions = tag_all(tagger, subject.documents)
    return Scored(predictions, count_matches(subject.documents, predictions, tagger.labels))


def in_the_lean_runtime(tagger: Tagger) -> Tagger:
    """Return the lean runtime over a tagger that its library runs; as it is, if something else runs it already.

    Raises:
        NotRunnable: It has parts that the lean runtime does not have.
    """
    return LeanRuntime()(tagger) if tagger.runtime in LIBRARIES else tagger


@pytest.fixture(scope="module")
def reference(leanner_session: Session, merged_corpus: Subject) -> Scored:
    """The tagger in float32, in the lean runtime."""
    try:
        return scored(in_the_lean_runtime(leanner_session.tagger("cpu")), merged_corpus)
    except NotRunnable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration(name: str, tagger: Tagger, merged_corpus: Subject, reference: Scored) -> None:
    """Its loss is not all above its bound."""
    configuration = named(name)
    try:
        for step in configuration.passes:
            tagger = step(tagger)
        found = scored(tagger if name == BASELINE else in_the_lean_runtime(tagger), merged_corpus)
    except NotRunnable as reason:
        pytest.skip(str(reason))
    loss = f1_loss(reference.counts, found.counts)
    pairs = zip(reference.predictions, found.predictions, strict=True)
    others = sum(one != other for document in pairs for one, other in zip(*document, strict=True))
    f1 = found.counts.total().f1
    of_labels = [loss_of(label, reference.counts, found.counts) for label in sorted(Label)]
    row = (name, "-" if f1 is None else f"{f1:.4f}", interval(loss.points, loss.low, loss.high), *of_labels)
    print(f"| {' | '.join(row)} | {others:,} |")  # noqa: T201 - shown with -rP
    if configuration.bound is not None and loss.low is not None:
        assert loss.low <= configuration.bound.on(merged_corpus.info.name)


def loss_of(label: Label, reference: ArticleCounts, found: ArticleCounts) -> str:
    """Return the loss of a label's F1 in points; ``-`` where one of the two is undefined."""
    before, after = reference.total(label).f1, found.total(label).f1
    return "-" if before is None or after is None else f"{100.0 * (before - after):.2f}"


def interval(points: float | None, low: float | None, high: float | None) -> str:
    """Return a loss with its interval, as far as they are known."""
    if points is None:
        return "-"
    return f"{points:.2f}" if low is None or high is None else f"{points:.2f} [{low:.2f}, {high:.2f}]"
