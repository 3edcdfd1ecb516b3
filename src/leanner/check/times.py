"""Whether times, rates and speed-ups follow from the rounds, and these are pytest-benchmark's own."""

from __future__ import annotations

import statistics

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pytest_benchmark.stats import Stats

from leanner.check.compare import compare
from leanner.configurations import BASELINE
from leanner.configurations import is_interleaved
from leanner.measure.statistics import by_window
from leanner.measure.statistics import half_width_pct
from leanner.measure.statistics import latency as latency_of
from leanner.measure.statistics import median_interval
from leanner.measure.statistics import speedup
from leanner.measure.statistics import speedup_of_pairs
from leanner.report.latencies import read_latencies
from leanner.report.problem import Problem
from leanner.report.stored import locate
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord


#: What every version of pytest-benchmark computes alike; quartiles and outliers have changed.
_STATS: Final = ("min", "max", "mean", "stddev", "median", "rounds", "total", "ops", "iterations")
#: Clocks that cannot be set while a round runs.
_STEADY: Final = ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns")


def problems(report: Report) -> Iterator[Problem]:
    """Yield what does not follow."""
    is_other_version = report.data.get("version") != version("pytest-benchmark")
    for nodeid, record in report.measured.items():
        for found in (_times(record), _speedup(record, report), _latency(record, report)):
            for problem in found:
                yield problem.under(nodeid)
        benchmark = report.benchmarks.get(nodeid)
        if benchmark is not None:
            for problem in _benchmark(benchmark, record, is_other_version=is_other_version):
                yield problem.under(nodeid)
        elif record.time is not None and record.time.rounds_s:
            text = "expected rounds only where pytest-benchmark has a time of the case, found them without"
            yield Problem("time.rounds_s", text).under(nodeid)


def _times(record: CaseRecord) -> Iterator[Problem]:
    time = record.time
    if time is None:
        return
    rounds = time.rounds_s
    median = statistics.median(rounds) if rounds else None
    interval = median_interval(rounds)
    expected = {
        "median_s": (median, "the median of rounds_s"),
        "sentences_per_s": (time.sentences / median if median else None, "the sentences of a round over the median"),
        "tokens_per_s": (time.tokens / median if median else None, "the tokens of a round over the median"),
        "low_s": (interval[0] if interval else None, "the lower end of the median's 95 % interval"),
        "high_s": (interval[1] if interval else None, "the upper end of the median's 95 % interval"),
        "half_width_pct": (half_width_pct(rounds), "half of the interval in percent of the median"),
    }
    for name, (value, why) in expected.items():
        yield from compare(f"time.{name}", value, getattr(time, name), why)


def _benchmark(benchmark: Mapping[str, Any], record: CaseRecord, *, is_other_version: bool) -> Iterator[Problem]:
    stats = benchmark["stats"]
    data = stats.get("data")
    if not isinstance(data, list) or not all(isinstance(each, int | float) for each in data) or not data:
        yield Problem("stats.data", "expected the seconds of the rounds, found none")
        return
    rounds = [] if record.time is None else list(record.time.rounds_s)
    yield from compare("time.rounds_s", data, rounds, "pytest-benchmark's stats.data")
    own: Any = Stats()  # type: ignore[no-untyped-call]  # pytest-benchmark has no types
    own.data = data
    expected = {**own.as_dict(), "iterations": 1}
    for name in _STATS if is_other_version else expected:
        yield from compare(f"stats.{name}", expected[name], stats.get(name), "computed from stats.data")
    timer = (benchmark.get("options") or {}).get("timer")
    if timer not in _STEADY:
        yield Problem("options.timer", f"expected a clock that is never set ({', '.join(_STEADY)}), found {timer}")


def _speedup(record: CaseRecord, report: Report) -> Iterator[Problem]:
    rounds_s = () if record.time is None else record.time.rounds_s
    is_paired = is_interleaved(record.configuration, interleave=bool(report.options.get("interleave")))
    baseline = report.baseline(record.device)
    before_s = () if baseline is None or baseline.time is None else baseline.time.rounds_s
    if not rounds_s or not (is_paired or before_s):
        if record.speedup is not None:
            text = f"expected null, since {BASELINE} and this case are not both timed; found a number"
            yield Problem("speedup", text)
        return
    if record.speedup is None:
        yield Problem("speedup", f"expected the ratio to {BASELINE}, which is timed in this report; found null")
        return
    seed = record.seed if record.seed is not None else 0
    if is_paired:
        windows_s = by_window(rounds_s, 1 if record.energy is None else record.energy.rounds_per_window)
        if len(windows_s) != len(record.speedup.against_s):
            text = f"expected {len(windows_s)} windows of {BASELINE}, one beside each of the case"
            yield Problem("speedup.against_s", f"{text}; found {len(record.speedup.against_s)}")
            return
        expected = speedup_of_pairs(record.speedup.against_s, windows_s, against=BASELINE, seed=seed)
        why = f"from the windows of {BASELINE} between those of this case"
    else:
        expected = speedup(before_s, rounds_s, against=BASELINE, seed=seed)
        why = f"from the rounds of {BASELINE} and this case"
    yield from compare("speedup", asdict(expected), asdict(record.speedup), why)


def _latency(record: CaseRecord, report: Report) -> Iterator[Problem]:
    latency = record.latency_ms
    if latency is None or record.corpus is None:
        return
    entry = stored_files(record.files).get("latencies")
    # reports of earlier versions have none
    if entry is not None or "latencies" in record.files:
        yield from _single(record, None if entry is None else locate(report.path, entry.path))
    if not latency.p50 <= latency.p95 <= latency.p99:
        yield Problem("latency_ms", f"expected p50 ≤ p95 ≤ p99, found {latency.p50}, {latency.p95}, {latency.p99}")
    if not 1 <= latency.sentences <= record.corpus.sentences:
        text = f"expected 1 to {record.corpus.sentences}, the corpus's sentences; found {latency.sentences}"
        yield Problem("latency_ms.sentences", text)


def _single(record: CaseRecord, path: Path | None) -> Iterator[Problem]:
    """Yield percentiles that do not follow from the stored latencies of single sentences."""
    if path is None:
        yield Problem("files.latencies", "expected the latencies that the percentiles follow from, found none")
        return
    try:
        stored = read_latencies(path)
    except (OSError, ValueError) as error:
        yield Problem("files.latencies", f"expected latencies that can be read, found others: {error}")
        return
    case = (record.configuration, record.device)
    if stored.case != case:
        text = f"expected the latencies of {' on '.join(case)}, found those of {' on '.join(stored.case)}"
        yield Problem("files.latencies", text)
    if not stored.latency_ms:
        yield Problem("files.latencies", "expected the latency of each sentence, found none")
        return
    assert record.latency_ms is not None
    why = "from the stored latencies"
    yield from compare("latency_ms", asdict(latency_of(stored.latency_ms)), asdict(record.latency_ms), why)
