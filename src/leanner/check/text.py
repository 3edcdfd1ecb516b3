"""The corpus of a report, read again."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.check.compare import compare
from leanner.corpora.load import BUNDLED
from leanner.corpora.load import load_corpus
from leanner.measure.subject import LEFT_OUT
from leanner.measure.timed import TimedPart
from leanner.measure.timed import timed_part
from leanner.report.problem import Problem
from leanner.report.record import CorpusInfo


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.types import Document


class OtherCorpusError(ValueError):
    """A corpus is not the one that a report is of."""


@dataclass(frozen=True, slots=True)
class Text:
    """Documents in memory, and what a record says of them; ``left_out`` counts those that were bad."""

    documents: tuple[Document, ...]
    info: CorpusInfo
    timed: TimedPart
    left_out: int = 0


def load_text(options: Mapping[str, Any], corpora: Sequence[str], environment: Sequence[str]) -> Text:
    """Read the corpus that a run was on.

    Args:
        options: Those of the run, with the sample that it drew.
        corpora: Where it lies, if the user says so; as ``--leanner-corpora``.
        environment: Where it lies, as LEANNER_CORPORA says; not looked at for the bundled corpus.

    Raises:
        CorpusError: There is no corpus, or it is not what its format promises.
        OSError: It cannot be read.
        ValueError: It changed while it was read.
    """
    of_the_run = tuple(options["corpora"]) or (BUNDLED,)
    is_bundled = of_the_run == (BUNDLED,)
    # Where the run found it may be another machine's folder: the last to be tried.
    places = tuple(corpora) or (of_the_run if is_bundled else tuple(environment) or of_the_run)
    merged = load_corpus(
        places,
        sentences=options["sentences"],
        seed=options["seed"],
        on_bad_document="skip" if options["on_bad_document"] == "skip" else "error",
    )
    documents = tuple(merged)
    statistics = merged.statistics()
    total = statistics.total
    info = CorpusInfo(
        name=BUNDLED if places == (BUNDLED,) else merged.name,
        sha256=merged.sha256(),
        sentences=total.sentences,
        tokens=total.words,
        mentions=sum(total.mentions.values()),
        articles=total.articles,
    )
    timed = timed_part(documents, options["round_sentences"], options["seed"])
    return Text(documents, info, timed, len(statistics.errors))


def load_own_text(report: Report, corpora: Sequence[str], environment: Sequence[str]) -> Text:
    """Read the corpus of a report, see ``load_text``.

    Raises:
        OtherCorpusError: It is another one.
        CorpusError: See ``load_text``; likewise an OSError and a ValueError.
    """
    loaded = load_text(report.options, corpora, environment)
    if report.corpora != {loaded.info.sha256}:
        found = f"{loaded.info.name}, sha256 {loaded.info.sha256[:8]}…"
        raise OtherCorpusError(f"expected the corpus of the run, found another ({found})")
    return loaded


def problems(report: Report, text: Text) -> Iterator[Problem]:
    """Yield where a record says something else of its corpus than the corpus itself."""
    for nodeid, record in report.cases.items():
        if record.corpus is not None:
            for name in CorpusInfo.__slots__:
                expected, found = getattr(text.info, name), getattr(record.corpus, name)
                for problem in compare(f"corpus.{name}", expected, found, "as the corpus is"):
                    yield problem.under(nodeid)
        if record.f1 is not None and (told := sum(LEFT_OUT in note for note in record.quality)) != text.left_out:
            expected = f"expected {text.left_out} notes of bad documents that were left out, as the corpus has them"
            yield Problem("quality", f"{expected}; found {told}").under(nodeid)
        if record.time is not None:
            for name in ("sentences", "tokens"):
                expected, found = getattr(text.timed, name), getattr(record.time, name)
                for problem in compare(f"time.{name}", expected, found, "as in the part that rounds tag"):
                    yield problem.under(nodeid)
