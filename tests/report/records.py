"""Records made up for the tests of the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leanner.report.costs import Domain
from leanner.report.costs import Energy
from leanner.report.costs import Flops
from leanner.report.costs import Latency
from leanner.report.costs import Memory
from leanner.report.costs import Power
from leanner.report.costs import Speedup
from leanner.report.costs import Time
from leanner.report.record import CaseRecord
from leanner.report.record import CorpusInfo
from leanner.report.record import F1Drop
from leanner.report.record import TaggerInfo
from leanner.report.record import Verdict


NO_METER = "cpu_package: this machine shows no RAPL zone"


def energy(total_j: float | None, source: str = "rapl") -> Energy:
    """Energy of one round over 1,000 sentences."""
    known = total_j is not None
    half_j = 0.05 * total_j if total_j is not None and source != "estimate" else None
    return Energy(
        domains={"cpu_package": Domain(total_j, source if known else "none", None if known else NO_METER)},
        rounds_j=(total_j,),
        total_j=total_j,
        net_j=None,
        per_1000_sentences_j=total_j,
        low_j=None if half_j is None or total_j is None else total_j - half_j,
        high_j=None if half_j is None or total_j is None else total_j + half_j,
        systematic_pct=None,
    )


def record(name: str = "bf16", **changes: Any) -> CaseRecord:  # noqa: ANN401 - any field
    """A case that passed, on a machine without a meter."""
    corpus_f1 = {"micro": 0.8, "GENE": 0.7, "SPECIES": None, "DISEASE": 0.9, "precision": 0.85, "recall": 0.75}
    base = CaseRecord(
        configuration=name,
        family="precision",
        passes=({"name": "precision", "dtype": "bfloat16"},),
        runtime="flair",
        device="cpu",
        verdict=Verdict.PASS,
        reasons=("F1 loss 0.10 points",),
        tagger=TaggerInfo("bundled", "a" * 64, 22_000_000),
        corpus=CorpusInfo("bundled", "c" * 64, 1000, 20_000, 1500, 100),
        environment={"torch": "2.13.0"},
        f1={**corpus_f1, "by_corpus": {"tmvar": corpus_f1}, "macro_over_corpora": 0.8},
        f1_drop=F1Drop(0.1, -0.05, 0.25, 1.0),
        energy=energy(None),
        power=Power(None, None),
        memory=Memory(600.0, None, 45.5),
        time=Time((2.0, 2.5), 2.25, 444.4, 8888.8, 0.1, 1000, 20_000, half_width_pct=1.2),
        latency_ms=Latency(3.1, 5.0, 9.0, 200),
        speedup=Speedup(1.84, 1.7, 1.9, "fp32"),
        flops=Flops(2e7, 1.0),
        unknown={"energy": NO_METER, "memory.peak_vram_mb": "the case does not run on a GPU"},
    )
    return replace(base, **changes)


def baseline(**changes: Any) -> CaseRecord:  # noqa: ANN401 - any field
    """The baseline beside it."""
    values: dict[str, Any] = {
        "family": "baseline",
        "passes": (),
        "f1_drop": F1Drop(0.0, 0.0, 0.0, 0.0),
        "speedup": Speedup(1.0, 0.95, 1.05, "fp32"),
    }
    return record("fp32", **values | changes)


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """A number with its interval, as JSON has it."""
    known = None not in (value, low, high)
    return {"value": value, "low": low, "high": high, "reason": None if known else "12 requests; an interval takes 200"}


def quantiles(value: float, *ends: float | None) -> dict[str, Any]:
    """Milliseconds by share, the p50 being ``value`` and the p99 four times that, with these ends."""
    shares = {"p50": 1.0, "p95": 2.0, "p99.9": 5.0}
    return {name: estimate(value * times) for name, times in shares.items()} | {"p99": estimate(4.0 * value, *ends)}


def served(name: str = "torchserve-bf16-b16", server: str = "torchserve", **changes: Any) -> CaseRecord:  # noqa: ANN401 - any part of it
    """A case that was measured behind a server."""
    of = {
        "server": {"name": server, "version": "0.12.0"},
        "batching": {"max_batch_size": 16, "max_batch_delay_ms": 5.0, "by_length": False},
        "load": {"name": "closed-loop", "in_flight": 32},
        "requests": 1920,
        "latency_ms": quantiles(70.0, 250.25, 301.5),
        "single_ms": quantiles(12.5),
        "server_side": {
            "batches": 125,
            "sizes": {"8": 5, "16": 120},
            "full_share": 0.96,
            "joined": 1920,
            "not_joined": 0,
            "queue_ms": quantiles(33.0),
            "model_ms": quantiles(36.0),
            "return_ms": quantiles(1.0),
        },
        "start_s": 7.25,
        "tree_mb": 812.0,
        "throughput_per_s": estimate(430.0, 420.0, 441.0),
        "same_spans": {"batches": 60, "requests": 1853, "differ": 2, "differ_in_other_batches": 3},
        "slo": None,
    }
    return record(name, family="served", served=of | changes)


def slo(**of_best: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of it
    """Two rates that were tried for a bound of 100 ms, of which 20 requests a second holds."""
    p99_ms = estimate(80.0, 70.0, 90.0)
    best = {"rate_per_s": 20.0, "seed": 0, "requests": 3000, "p99_ms": p99_ms, "holds": True}
    fails = best | {"rate_per_s": 40.0, "seed": 1, "holds": False}
    power = {"power_w": estimate(41.5, 39.0, 44.0)}
    trials = [best | power | of_best, fails | {"power_w": estimate(70.0, 66.0, 74.0)}]
    return {"bound_ms": 100.0, "best": best, "fails_at_per_s": 40.0, "reason": None, "trials": trials}


def not_run(name: str = "fp16", reason: str = "no fp16 kernels on this CPU") -> CaseRecord:
    """A case that this machine cannot run."""
    return CaseRecord(
        configuration=name,
        family="precision",
        passes=({"name": "precision", "dtype": "float16"},),
        runtime="flair",
        device="cpu",
        verdict=Verdict.NOT_RUN,
        reasons=(reason,),
        tagger=None,
        corpus=None,
        environment={},
        unknown={"f1": reason, "energy": reason, "time": reason},
    )
