"""A report that is to be compared: read, and its numbers computed again."""

from __future__ import annotations

import re

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.check import energies
from leanner.check import joules
from leanner.check import journal
from leanner.check import scores
from leanner.check import text
from leanner.check import times
from leanner.check import weights
from leanner.check.report import UnreadableError
from leanner.check.report import read_report
from leanner.compare.comparison import CannotCompareError
from leanner.corpora.environment import VARIABLE
from leanner.report.stored import damaged


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.check.text import Text
    from leanner.report.problem import Problem
    from leanner.types import Document


#: Places where words stand: another version of leanner may word them otherwise.
_WORDS: Final = re.compile(r"(^|[ .])(quality|reasons?|detail|unknown)([.\[]|$)")
#: Problems that an error lists.
_SHOWN: Final = 5


@dataclass(slots=True)
class Reader:
    """Reads reports, and the corpus that they are of, each once.

    Args:
        corpora: Where the corpus lies, as ``leanner check --corpora`` takes it.
        environment: Where it lies, as LEANNER_CORPORA says.

    Attributes:
        marks: What was not checked of the reports so far.
    """

    corpora: Sequence[str] = ()
    environment: Sequence[str] = ()
    marks: list[str] = field(default_factory=list)
    _texts: dict[frozenset[str], Text] = field(default_factory=dict)

    def read(self, path: Path) -> Report:
        """Return the report at ``path``, if it is as its schema says.

        Raises:
            CannotCompareError: It is none, or of another schema.
        """
        try:
            report, problems = read_report(path)
        except UnreadableError as error:
            raise CannotCompareError(str(error)) from error
        except OSError as error:
            raise CannotCompareError(f"{path}: cannot be read: {error.strerror}") from error
        if report is None:
            raise CannotCompareError(f"{path}: {_listed(problems)}")
        if not report.measured:
            raise CannotCompareError(f"{path}: expected a case with a result, found none")
        return report

    def check(self, report: Report) -> None:
        """Compute the numbers of a report again from what is stored beside it.

        What only this version of leanner would say (its table of configurations, its notes) is left out: the report may
        be of another commit.

        Raises:
            CannotCompareError: A number is another.
        """
        problems: list[Problem] = [*journal.problems(report)]
        loaded: Text | None = None
        try:
            loaded = self._text(report)
        except (OSError, ValueError) as error:  # a CorpusError is a ValueError
            advice = f"pass the corpus of the run as --corpora, or in {VARIABLE}"
            self.marks.append(f"{report.path}: F1 is unchecked: {error}; {advice}")
        for nodeid, record in report.cases.items():
            found = [
                *damaged(report.path, record.files),
                *joules.problems(report, record, loaded),
                *weights.megabytes(record),
            ]
            problems += [problem.under(nodeid) for problem in found]
        problems += times.problems(report)
        problems += energies.problems(report)
        if loaded is not None:
            problems += scores.problems(report, loaded)
        problems = [problem for problem in problems if not _WORDS.search(problem.place)]
        if problems:
            raise CannotCompareError(
                f"{report.path}: expected numbers that follow from what is stored beside it, found others: "
                f"{_listed(problems)}; `leanner check` lists them all, --unchecked compares all the same"
            )

    def documents(self, report: Report) -> Sequence[Document]:
        """Return the corpus of a report.

        Raises:
            CorpusError: There is none, or it is not what its format promises.
            OSError: It cannot be read.
            ValueError: It is another one.
        """
        return self._text(report).documents

    def _text(self, report: Report) -> Text:
        if report.corpora not in self._texts:
            self._texts[report.corpora] = text.load_own_text(report, self.corpora, self.environment)
        return self._texts[report.corpora]


def _listed(problems: Sequence[Problem]) -> str:
    listed = "; ".join(map(str, problems[:_SHOWN]))
    return listed if len(problems) <= _SHOWN else f"{listed}; and {len(problems) - _SHOWN} more"
