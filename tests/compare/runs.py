"""Reports of made-up sessions: times, joules and spans drawn from a seed, by the report's own writers."""

from __future__ import annotations

import json

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from bench import write_corpus
from leanner.check.text import load_text
from leanner.report.costs import Domain
from leanner.report.costs import Energy
from leanner.report.costs import Latency
from leanner.report.costs import Memory
from leanner.report.costs import Time
from leanner.report.final import assemble
from leanner.report.final import leanner_part
from leanner.report.final import write_report
from leanner.report.predictions import spans_sha256
from leanner.report.predictions import store_predictions
from leanner.report.record import TaggerInfo
from leanner.report.record import Verdict
from leanner.report.selection import Selection
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.types import Label
from measure.fakes import options
from report.records import record


if TYPE_CHECKING:
    from leanner.check.text import Text
    from leanner.report.record import CaseRecord
    from leanner.types import Span


ENVIRONMENT = {"cpu": "a CPU", "isa": ["avx2"], "gpu": None, "driver": None, "threads": 2, "torch": "2.13.0"}
NAMES = ("fp32", "bf16", "int8")


@dataclass
class Made:
    """Makes reports.

    Attributes:
        folder: Where they and the corpus lie.
        articles: Of the corpus, three mentions each.
    """

    folder: Path
    articles: int = 400
    _made: int = field(default=0, init=False)

    @cached_property
    def text(self) -> Text:
        """The corpus, with what a record says of it."""
        write_corpus(self.folder / "corpora" / "tmvar3", self.articles)
        return load_text(self._options(), (), ())

    def run(
        self,
        name: str,
        seed: int,
        *,
        slower: Mapping[str, float] | None = None,
        forgets: Mapping[str, int] | None = None,
        names: Sequence[str] = NAMES,
        environment: Mapping[str, Any] | None = None,
        rounds: int = 10,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Path:
        """Write a report, and return where it lies.

        Args:
            name: Of the file, without its suffix.
            seed: Of times and joules: rounds scatter by 2 % and sessions by 1 %.
            slower: What the times of a case are multiplied by.
            forgets: How many mentions a case misses; it always misses one in thirty.
            names: Of the cases.
            environment: What differs from ``ENVIRONMENT``.
            rounds: Of each case.
            changes: Fields of the records of cases.
        """
        path = self.folder / f"{name}.json"
        rng = np.random.default_rng(seed)
        records = {}
        for case in names:
            made = self._record(
                path,
                case,
                rng,
                slower=(slower or {}).get(case, 1.0),
                forgets=(forgets or {}).get(case, 0),
                rounds=rounds,
            )
            made = replace(made, environment={**ENVIRONMENT, "commit": "f" * 40, "dirty": False, **(environment or {})})
            records[f"benchmarks/test_x.py::test_case[{case}]"] = replace(made, **(changes or {}).get(case, {}))
        part = leanner_part(
            records, timed=(), options=self._options(), selection=Selection("", "", (), ("x",), tuple(records))
        )
        output = assemble(machine_info={}, commit_info={}, leanner=part)
        self._made += 1
        output["datetime"] = f"2026-11-{1 + self._made // 24:02d}T{self._made % 24:02d}:00:00+00:00"
        write_report(path, output)
        return path

    def _options(self) -> dict[str, Any]:
        return options(corpora=(str(self.folder / "corpora"),)).to_json()

    def _record(
        self, path: Path, case: str, rng: np.random.Generator, *, slower: float, forgets: int, rounds: int
    ) -> CaseRecord:
        spans = self._spans(forgets)
        documents = self.text.documents
        stored = store_predictions(path, case, documents, spans, tuple(Label), configuration=case, device="cpu")
        offset = rng.normal(0.0, 0.01)
        seconds = slower * np.exp(offset + rng.normal(0.0, 0.02, rounds))
        joules = 50.0 * slower * np.exp(offset + rng.normal(0.0, 0.02, rounds))
        total = float(joules.sum())
        scores = f1_scores(count_matches(documents, spans)).to_dict()
        unknown = {"memory.peak_vram_mb": "the case does not run on a GPU", "energy.net_j": "no idle power"}
        return record(
            case,
            verdict=Verdict.PASS,
            tagger=TaggerInfo("bundled", "a" * 64, 22_000_000),
            corpus=self.text.info,
            f1={name: value for name, value in scores.items() if name != "reasons"},
            energy=Energy(
                domains={"cpu_package": Domain(total, "rapl", None, 5.26, 0.1)},
                rounds_j=tuple(joules.tolist()),
                total_j=total,
                net_j=None,
                per_1000_sentences_j=total / rounds,
                low_j=0.95 * total,
                high_j=1.05 * total,
                systematic_pct=5.26,
                random_pct=0.1,
            ),
            memory=Memory(600.0 * float(np.exp(rng.normal(0.0, 0.005))), None, 45.5),
            time=Time(
                rounds_s=tuple(seconds.tolist()),
                median_s=float(np.median(seconds)),
                sentences_per_s=1.0,
                tokens_per_s=1.0,
                prepare_s=0.1,
                sentences=800,
                tokens=8000,
            ),
            latency_ms=Latency(3.0, 5.0, 9.0 * float(np.exp(rng.normal(0.0, 0.01))), 200),
            files={"predictions": stored.to_json(), "spans_sha256": spans_sha256(spans)},
            unknown=unknown,
        )

    def _spans(self, forgets: int) -> list[tuple[tuple[Span, ...], ...]]:
        """Return the gold spans but for one in thirty, and ``forgets`` more that are spread over the articles."""
        number, mentions = 0, self.articles * 3
        gone = set(range(0, mentions, 30)) | {index * mentions // forgets // 30 * 30 + 1 for index in range(forgets)}
        documents = []
        for document in self.text.documents:
            sentences = []
            for sentence in document.sentences:
                kept = []
                for span in sentence.spans:
                    if number not in gone:
                        kept.append(span)
                    number += 1
                sentences.append(tuple(kept))
            documents.append(tuple(sentences))
        return documents


def edited(path: Path, change: Any, name: str = "edited") -> Path:  # noqa: ANN401 - any function of a report
    """Write a copy of a report that was changed by hand, beside it."""
    report = json.loads(path.read_text())
    change(report)
    copy = path.with_name(f"{name}.json")
    copy.write_text(json.dumps(report))
    return copy
