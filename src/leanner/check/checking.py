"""All of it: a report against itself, its files, its corpus and the table of configurations."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.check import completeness
from leanner.check import conditions
from leanner.check import energies
from leanner.check import joules
from leanner.check import journal
from leanner.check import leftovers
from leanner.check import marks
from leanner.check import quality
from leanner.check import scores
from leanner.check import text
from leanner.check import times
from leanner.check import weights
from leanner.check.report import Report
from leanner.check.report import read_report
from leanner.report.problem import Problem
from leanner.report.stored import damaged


if TYPE_CHECKING:
    from leanner.check.text import Text
    from leanner.report.record import CaseRecord


#: Checks of one record and the files that it names. The places of the problems are within the record.
ALONE: Final[tuple[Callable[[Report, CaseRecord, Text | None], list[Problem]], ...]] = (
    lambda report, record, _: damaged(report.path, record.files),
    joules.problems,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a check.

    Attributes:
        problems: All that does not hold, in the order of the report's parts.
        cases: Records that were checked.
        measured: Those with a result.
        corpus: What they were scored on again; ``None`` if it could not be had.
    """

    problems: tuple[Problem, ...]
    cases: int
    measured: int
    corpus: str | None


def check(path: Path, corpora: Sequence[str] = (), environment: Sequence[str] = ()) -> Outcome:
    """Check the report at ``path``.

    Args:
        path: The report.
        corpora: Where its corpus lies, if not where the run found it.
        environment: The locations in LEANNER_CORPORA.

    Raises:
        UnreadableError: It is no report.
        OSError: It cannot be read.
    """
    report, problems = read_report(path)
    if report is None:
        # What is computed again takes a record that is one.
        problems.append(Problem("", "the rest is unchecked while the report is not what its schema says"))
        return Outcome(tuple(problems), 0, 0, None)
    loaded, of_the_corpus = _corpus(report, corpora, environment)
    problems += completeness.problems(report)
    problems += journal.problems(report)
    problems += leftovers.problems(report)
    for nodeid, record in report.cases.items():
        problems += [problem.under(nodeid) for each in ALONE for problem in each(report, record, loaded)]
    problems += times.problems(report)
    problems += energies.problems(report)
    problems += weights.problems(report)
    problems += marks.problems(report)
    problems += quality.problems(report)
    problems += conditions.problems(report)
    problems += of_the_corpus
    if loaded is not None:
        problems += scores.problems(report, loaded)
    corpus = None if loaded is None else f"{loaded.info.name}, {loaded.info.sentences:,} sentences"
    return Outcome(tuple(dict.fromkeys(problems)), len(report.cases), len(report.measured), corpus)


def _corpus(report: Report, corpora: Sequence[str], environment: Sequence[str]) -> tuple[Text | None, list[Problem]]:
    """Return the text that the run was on, or ``None``, and what is wrong with what was found."""
    place = "leanner.options.corpora"
    if not report.measured:
        return None, []
    try:
        loaded = text.load_text(report.options, corpora, environment)
    except (OSError, ValueError) as error:  # a CorpusError is a ValueError
        advice = "pass the corpus of the run as --corpora, or in LEANNER_CORPORA; F1 and its loss are unchecked"
        return None, [Problem(place, f"expected the corpus of the run, found none: {error}; {advice}")]
    problems = list(text.problems(report, loaded))
    if any(problem.place.endswith("corpus.sha256") for problem in problems):
        advice = "pass the corpus of the run as --corpora; F1 and its loss are unchecked"
        return None, [*problems, Problem(place, f"expected the corpus of the run, found another; {advice}")]
    return loaded, problems
