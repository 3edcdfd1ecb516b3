"""Reports of a session on a made-up machine and a small corpus, to be edited by hand."""

from __future__ import annotations

import json

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Self

import pytest

from pytest_benchmark.stats import Stats

from bench import strict_json
from bench import write_corpus
from check.machine import ENVIRONMENT
from check.machine import MadeUpMachine
from check.machine import MadeUpTagger
from check.machine import Stopwatch
from leanner import configurations
from leanner.check.checking import check
from leanner.configurations import Bound
from leanner.measure.session import Session
from leanner.measure.statistics import half_width_pct
from leanner.measure.statistics import median_interval
from leanner.report.answer import answer
from leanner.report.final import assemble
from leanner.report.final import leanner_part
from leanner.report.final import write_report
from leanner.report.parse import record_from_json
from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.report.selection import Selection
from measure.fakes import Forget
from measure.fakes import Refuse
from measure.fakes import options


if TYPE_CHECKING:
    from leanner.configurations import Configuration
    from leanner.taggers.protocol import Tagger


BOUND = Bound(7.0, 7.0, "a made-up promise")
FAMILIES = tuple(dict.fromkeys(c.family for c in configurations.CONFIGURATIONS))
#: Cases of a run without ``-k``, and those that ``--leanner-all`` adds.
DEFAULT = tuple(c.name for c in configurations.CONFIGURATIONS if c.default)
OTHERS = tuple(c.name for c in configurations.CONFIGURATIONS if not c.default)


@dataclass(frozen=True)
class ForgetMany(Forget):
    """A pass that makes zeros, and says how many it was to make."""

    sparsity: float = 0.5

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {**super().describe(), "sparsity": self.sparsity}

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the tagger with a bad memory and small weights."""
        assert isinstance(tagger, MadeUpTagger)
        tagger.shrink()
        return super().__call__(tagger)


@dataclass(frozen=True)
class Lack(Refuse):
    """A pass that needs what this machine has not, and says so."""

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:
        """Return the one reason."""
        del device, gpu
        return (str(self.error),)


FORGETFUL = {"bf16": ForgetMany(8), "int8": Forget(3)}


def change_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bf16 and int8 forget mentions, with a loss on both sides of its bound and one above it; no other runs."""
    changed = tuple(
        replace(c, passes=(FORGETFUL[c.name],), bound=BOUND)
        if c.name in FORGETFUL
        else c
        if c.name == configurations.BASELINE
        else replace(c, passes=(Lack(),))
        for c in configurations.CONFIGURATIONS
    )
    monkeypatch.setattr(configurations, "CONFIGURATIONS", changed)


def node(name: str) -> str:
    """Return pytest's node id of a case."""
    return f"benchmarks/test_{configurations.named(name).family}.py::test_case[{name}]"


@dataclass
class Run:
    """A run of fp32, bf16 and int8, with every other configuration not-run.

    Attributes:
        folder: Where everything is written.
        only: Names of the configurations that are chosen with ``-k``; all without.
        untimed_baseline: Whether fp32 is not among the cases, and was tagged once.
        articles: In the corpus.
        without_gold: Whether the corpus has no mention, so that no F1 is defined.
        asked: Options of the run, beside those that all have.
        profiled: Whether pytest-benchmark runs a round more, as with ``--benchmark-cprofile``.
    """

    folder: Path
    only: tuple[str, ...] = ()
    untimed_baseline: bool = False
    articles: int = 24
    without_gold: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)
    profiled: bool = False
    records: dict[str, CaseRecord] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> Path:
        """The report."""
        return self.folder / "report.json"

    @property
    def corpora(self) -> str:
        """The folder of the corpus."""
        return str(self.folder / "corpora")

    def written(self) -> Self:
        """Write the report, and return the run."""
        self.write()
        return self

    def write(self) -> Path:
        """Measure on a made-up machine, and write the report as a run does."""
        corpus = write_corpus(self.folder / "corpora" / "tmvar3", self.articles) / "tmVar3Corpus.txt"
        if self.without_gold:
            corpus.write_text(
                "".join(line for line in corpus.read_text().splitlines(keepends=True) if "\t" not in line)
            )
        given = {"energy": "auto", "device": "cuda", "seed": 7, "idle_s": 3.0, "precision_pct": 1e6, **self.asked}
        asked = options(corpora=(self.corpora,), **given)
        machine = MadeUpMachine(self.folder / "machine", asked)
        with pytest.MonkeyPatch.context() as patch:
            change_configurations(patch)
            machine.stand_in(patch)
            session = Session(asked, self.folder, lambda _: None, self.path)
            try:
                timed = self._measure(session, machine)
            finally:
                session.close()
            self._write(session, timed)
        return self.path

    def _chosen(self) -> list[Configuration]:
        wanted = {configurations.CONTROL} if self.asked.get("aa") else set()
        return [
            c
            for c in configurations.known()
            if (c.name in self.only if self.only else c.default or c.name in wanted)
            and not (self.untimed_baseline and c.name == "fp32")
        ]

    def _measure(self, session: Session, machine: MadeUpMachine) -> dict[str, dict[str, Any]]:
        """Return pytest-benchmark's entries of the cases that it timed."""
        timed: dict[str, dict[str, Any]] = {}
        device = session.options.device
        for configuration in self._chosen():
            nodeid = node(configuration.name)
            stopwatch = Stopwatch(machine, nodeid, (configuration.name, device), self.profiled)
            record = session.measure(configuration, device, nodeid, stopwatch)
            if record.verdict is not Verdict.NOT_RUN:
                timed[nodeid] = {**stopwatch.stats.as_dict(), "extra_info": {"leanner": record.to_json()}}
        return timed

    def _write(self, session: Session, timed: Mapping[str, Mapping[str, Any]]) -> None:
        self.records = session.records
        leanner = leanner_part(
            session.records,
            timed=timed,
            options=session.options.to_json(),
            selection=Selection(" or ".join(self.only), "", (), FAMILIES, tuple(node(c.name) for c in self._chosen())),
        )
        machine = {name: value for name, value in ENVIRONMENT.items() if name not in ("commit", "dirty")}
        output = assemble(
            machine_info={"node": "here", "leanner": machine},
            commit_info={"id": "unversioned"},
            benchmarks=list(timed.values()),
            leanner=leanner,
        )
        write_report(self.path, output)


def case(report: dict[str, Any], name: str = "bf16") -> dict[str, Any]:
    """Return the record of a case in a report."""
    timed = [bench["extra_info"]["leanner"] for bench in report["benchmarks"]]
    found: dict[str, Any] = next(
        record for record in (*timed, *report["leanner"]["without_time"].values()) if record["configuration"] == name
    )
    return found


def bench(report: dict[str, Any], name: str = "bf16") -> dict[str, Any]:
    """Return pytest-benchmark's entry of a case."""
    found: dict[str, Any] = next(each for each in report["benchmarks"] if each["fullname"] == node(name))
    return found


def scale_times(report: dict[str, Any], factor: float, name: str = "bf16") -> None:
    """Scale the rounds of a case, and all that follows from them in its record and in pytest-benchmark's entry."""
    record, entry = case(report, name), bench(report, name)
    rounds_s = [factor * seconds for seconds in record["time"]["rounds_s"]]
    stats: Any = Stats()  # type: ignore[no-untyped-call]  # pytest-benchmark has no types
    stats.data = rounds_s
    entry["stats"].update(stats.as_dict(), data=rounds_s)
    low, high = median_interval(rounds_s) or (None, None)
    record["time"].update(
        rounds_s=rounds_s,
        median_s=stats.median,
        sentences_per_s=record["time"]["sentences"] / stats.median,
        tokens_per_s=record["time"]["tokens"] / stats.median,
        low_s=low,
        high_s=high,
        half_width_pct=half_width_pct(rounds_s),
    )


def scale_speedup(report: dict[str, Any], factor: float, name: str = "bf16") -> None:
    """Scale a speed-up with its interval, and say so in the answer."""
    speedup = case(report, name)["speedup"]
    for end in ("value", "low", "high"):
        speedup[end] *= factor
    answer_anew(report)


def answer_anew(report: dict[str, Any]) -> None:
    """Let the answer be that of the records."""
    records = [record_from_json(each["extra_info"]["leanner"]) for each in report["benchmarks"]]
    records += map(record_from_json, report["leanner"]["without_time"].values())
    report["leanner"]["answer"] = answer(records)


def found_after(run: Run, change: Callable[[dict[str, Any]], object], corpora: tuple[str, ...] = ()) -> list[str]:
    """Edit a copy of the report by hand, beside the files of the report, and return what the check finds."""
    report = strict_json(run.path)
    change(report)
    edited = run.folder / "edited.json"
    edited.write_text(json.dumps(report))
    return [str(problem) for problem in check(edited, corpora).problems]
