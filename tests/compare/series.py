"""Run real A/A sessions, and print what docs/results/aa.md has of them.

``cd tests && PYTHONPATH=../src:. python -m compare.series FOLDER``: 20 processes, one after the other, of the bundled
tagger; each measures the baseline and its repetition. Sessions whose report lies in FOLDER are not run again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from bench import BENCHMARKS
from bench import REPOSITORY
from leanner.compare.comparing import compare
from leanner.compare.comparison import Session
from leanner.compare.comparison import Stored
from leanner.compare.control import Rate
from leanner.compare.control import pair
from leanner.compare.metrics import BY_NAME
from leanner.compare.outcome import Outcome
from leanner.compare.reading import Reader
from leanner.compare.spread import MIN_SESSIONS
from leanner.compare.thresholds import gates
from leanner.configurations import BASELINE
from leanner.configurations import CONTROL


if TYPE_CHECKING:
    from leanner.compare.comparison import Comparison
    from leanner.report.record import CaseRecord


SESSIONS: Final = 20
GATES: Final = ("time:5%", "p99:5%", "memory:5%+8MB", "weights:1%", "f1:0.3pt")
#: Of every session. Without idle power, which this series has no use for.
ASKED: Final = (
    *("-k", "baseline", "--leanner-aa", "--leanner-tagger=bundled", "--leanner-corpora=bundled"),
    *("--leanner-sentences=100", "--leanner-round-sentences=32", "--leanner-seconds=4", "--leanner-idle=0"),
)


@dataclass(frozen=True)
class Counts:
    """Of comparisons of a metric: those in which it was worse, better, inconclusive, and all."""

    worse: int
    better: int
    inconclusive: int
    number: int

    @classmethod
    def of(cls, comparisons: Sequence[Comparison], metric: str) -> Counts:
        """Count the outcomes of ``metric``."""
        found = [change.outcome for each in comparisons for change in each.changes if change.metric.name == metric]
        worse, better, unsettled = map(found.count, (Outcome.WORSE, Outcome.BETTER, Outcome.INCONCLUSIVE))
        return cls(worse, better, unsettled, len(found))

    def __str__(self) -> str:
        """Return them as a cell of the table; empty where nothing was compared."""
        return f"{self.worse} / {self.better} / {self.inconclusive} of {self.number}" if self.number else ""


def paths(folder: Path, number: int) -> list[Path]:
    """Return where the reports of the sessions lie, or will."""
    return [folder / f"session-{index:02d}.json" for index in range(1, number + 1)]


def measure(path: Path) -> None:
    """Run a session in a process of its own.

    Raises:
        subprocess.CalledProcessError: It failed; what it said stands before.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", str(BENCHMARKS), "-q", "-pno:cacheprovider", *ASKED]
    subprocess.run([*command, f"--benchmark-json={path}"], cwd=REPOSITORY, env=environment, check=True)


def told(sessions: Sequence[Session]) -> Iterator[str]:
    """Yield the lines of what came of the series."""
    alone = [_only(session, BASELINE) for session in sessions]
    given = gates(GATES)

    def compared(before: Sequence[Session], after: Session, stored: Sequence[Session] = ()) -> Comparison:
        return compare(before, [after], given, list, stored=[Stored(session, 1) for session in stored])

    pairs = [compared([old], new) for index, new in enumerate(alone) for old in alone[:index]]
    later = [compared(alone[:index], alone[index], alone[:index]) for index in range(1, len(alone))]
    few, many = later[: MIN_SESSIONS - 1], later[MIN_SESSIONS - 1 :]
    sides = [found for session in sessions if (found := pair(session.report)) is not None]
    controls = [compared([before], after) for before, after in sides]
    yield from _machine(sessions)
    columns = (pairs, few, many, controls)
    headings = (
        "two sessions",
        f"a session against the 1 to {MIN_SESSIONS - 1} before it",
        f"a session against the {MIN_SESSIONS} or more before it",
        f"{BASELINE} against {CONTROL} in one session",
    )
    yield f"| gate | {' | '.join(headings)} |"
    yield "| --- |" + " ---: |" * len(headings)
    for name, threshold in given.general.items():
        counts = [str(Counts.of(each, name)) for each in columns]
        if any(counts):
            yield f"| {name}:{threshold} | {' | '.join(counts)} |"
    red = [Rate(sum(bool(each.failing) for each in column), len(column)) for column in columns]
    yield f"| any: worse | {' | '.join(f'{rate.alarms} of {rate.trials}' for rate in red)} |"
    low, high = (100.0 * end for end in red[-1].interval)
    yield ""
    yield (
        f"Worse / better / inconclusive. Of pairs in one session, which are independent, {red[-1].alarms} of "
        f"{red[-1].trials} alarm, 95 % interval [{low:.1f}, {high:.1f}] %; the other columns compare the same sessions "
        "again and again."
    )
    yield ""
    yield from _spreads(alone)
    yield ""
    yield from _values(sessions)


def _machine(sessions: Sequence[Session]) -> Iterator[str]:
    record = _case(sessions[0], BASELINE)
    environment, corpus, time = record.environment, record.corpus, record.time
    assert corpus is not None
    assert time is not None
    versions = ", ".join(f"{name} {environment[name]}" for name in ("torch", "flair", "python"))
    yield f"{environment['cpu']} ({', '.join(environment['isa'])}), {environment['threads']} threads, {versions}."
    yield (
        f"Rounds of {time.sentences} sentences of the {corpus.sentences} of the bundled corpus that were drawn; "
        f"{len(sessions)} sessions, {sessions[0].report.data['datetime'][:10]}."
    )
    yield ""


def _spreads(sessions: Sequence[Session]) -> Iterator[str]:
    yield "| number | from session to session, % | of it largest over smallest, % | from round to round, % |"
    yield "| --- | ---: | ---: | ---: |"
    records = [_case(session, BASELINE) for session in sessions]
    for name in ("time", "p99", "host"):
        values = [BY_NAME[name].value(record) for record in records]
        logs = np.log([value for value in values if value is not None])
        spans = [np.log(record.time.rounds_s) for record in records if record.time is not None]
        within = float(np.sqrt(np.mean([np.var(each, ddof=1) for each in spans])))
        rounds = f"{100.0 * within:.2f}" if name == "time" else ""
        yield f"| {name} | {100.0 * np.std(logs, ddof=1):.2f} | {100.0 * np.expm1(np.ptp(logs)):.2f} | {rounds} |"


def _values(sessions: Sequence[Session]) -> Iterator[str]:
    yield f"| session | rounds | {BASELINE}, s | {CONTROL}, s | between each other, % | p99, ms | peak, MB |"
    yield "|" + " ---: |" * 7
    for number, session in enumerate(sessions, 1):
        first, again = _case(session, BASELINE), _case(session, CONTROL)
        assert first.time is not None
        assert again.speedup is not None
        seconds = [BY_NAME["time"].value(record) for record in (first, again)]
        ratio = 100.0 / again.speedup.value - 100.0
        values = [BY_NAME[name].value(first) for name in ("p99", "host")]
        cells = (f"{seconds[0]:.4f}", f"{seconds[1]:.4f}", f"{ratio:+.2f}", f"{values[0]:.2f}", f"{values[1]:.1f}")
        yield f"| {number} | {len(first.time.rounds_s)} | {' | '.join(cells)} |"


def _case(session: Session, name: str) -> CaseRecord:
    return session.cases[name, "cpu"]


def _only(session: Session, name: str) -> Session:
    """Return the session with one case: peaks of the other are of two taggers."""
    cases = {nodeid: record for nodeid, record in session.report.cases.items() if record.configuration == name}
    return Session(session.name, replace(session.report, cases=cases))


def main() -> None:
    """Run what is missing, and print what is there."""
    parser = argparse.ArgumentParser(prog="python -m compare.series", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the reports lie")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help=f"(default: {SESSIONS})")
    parser.add_argument("--at-most", type=int, metavar="NUMBER", help="run so many of them now (default: all)")
    args = parser.parse_args()
    folder: Path = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = paths(folder, args.sessions)
    for path in [path for path in wanted if not path.exists()][: args.at_most]:
        measure(path)
    reader = Reader()
    there = [Session(path.stem, reader.read(path)) for path in wanted if path.exists()]
    if len(there) < len(wanted):
        sys.stderr.write(f"{len(there)} of {len(wanted)} sessions: run it again for the others\n")
        return
    for line in told(there):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
