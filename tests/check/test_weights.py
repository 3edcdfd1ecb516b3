"""Weights that weigh something else than their tagger's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import case
from check.reports import found_after
from check.reports import node
from leanner.check import weights
from leanner.check.report import read_report
from leanner.report.costs import Sparsity
from leanner.report.record import TaggerInfo


if TYPE_CHECKING:
    from check.reports import Run
    from leanner.report.record import CaseRecord


FP32, BF16 = node("fp32"), node("bf16")
PRUNING = {"name": "magnitude-pruning", "scope": "global"}


@pytest.mark.usefixtures("remembered")
@pytest.mark.parametrize("by_dtype", [{"float32": 0.001}, {"float16": 0.001, "float32": 0.001}])
def test_the_baseline_has_the_bytes_of_its_parameters(pair: Run, by_dtype: dict[str, float]) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report, "fp32")["memory"].update(
            weights_mb=sum(by_dtype.values()), weights_by_dtype_mb=by_dtype, weights_parameters=None
        )

    (problem,) = found_after(pair, change)

    assert problem.startswith(f"{FP32}: memory.weights_by_dtype_mb: expected the bytes of ")


def found(run: Run, tagger: str = "fake", **records: CaseRecord) -> list[str]:
    """Return what is found in a report of these records."""
    report, _ = read_report(run.path)
    assert report is not None
    given = replace(report, cases=dict(records), options={**report.options, "tagger": tagger})
    return [str(problem) for problem in weights.problems(given)]


@pytest.mark.parametrize("name", ["bf16", "lean-runtime"])
def test_a_pass_that_adds_no_numbers_leaves_those_of_the_tagger(pair: Run, name: str) -> None:
    record = pair.records[BF16]
    assert record.memory is not None
    fewer = replace(record.memory, weights_mb=0.001, weights_by_dtype_mb={"float32": 0.001}, weights_parameters=None)
    (problem,) = found(pair, a=replace(record, passes=({"name": name},), memory=fewer, flops=None, sparsity=None))

    assert problem.startswith("a: memory.weights_by_dtype_mb: expected the bytes of ")


@pytest.mark.parametrize("name", ["ffn-pruning", "head-pruning", "layer-pruning"])
@pytest.mark.parametrize(("less", "number"), [(0, 1), (1, 0), (-1, 1)])
def test_a_pass_that_removes_numbers_leaves_fewer(pair: Run, name: str, less: int, number: int) -> None:
    record = pair.records[BF16]
    assert record.memory is not None
    assert record.tagger is not None
    size_mb = 4 * (record.tagger.parameters - less) / 1e6
    memory = replace(
        record.memory, weights_mb=size_mb, weights_by_dtype_mb={"float32": size_mb}, weights_parameters=None
    )
    problems = found(pair, a=replace(record, passes=({"name": name},), memory=memory, flops=None, sparsity=None))

    assert len(problems) == number
    assert all("expected the bytes of fewer numbers than the" in text for text in problems)


def pruned(record: CaseRecord, asked: float, there: float, tagger: TaggerInfo | None = None) -> CaseRecord:
    """Return a record of a pruned case."""
    step = {**PRUNING, "sparsity": asked}
    return replace(
        record, passes=(step,), sparsity=Sparsity(asked, there), tagger=tagger or record.tagger, memory=None, flops=None
    )


@pytest.mark.parametrize(("there", "number"), [(0.3, 0), (0.3002, 0), (0.9, 1), (0.0, 1), (0.25, 1)])
def test_as_many_zeros_as_asked_for(pair: Run, there: float, number: int) -> None:
    record = pair.records[BF16]
    problems = found(pair, a=pruned(record, 0.1, 0.1), b=pruned(record, 0.3, there))

    assert len(problems) == number
    assert all(text.startswith("b: sparsity.weights: expected 0.3 of the weights to be zero") for text in problems)


@pytest.mark.parametrize(("there", "number"), [(0.5, 0), (0.55, 0), (0.57, 1), (0.48, 1)])
def test_rounding_to_int8_adds_zeros(pair: Run, there: float, number: int) -> None:
    record = pruned(pair.records[BF16], 0.5, there)
    quantized = replace(record, passes=({"name": "int8-dynamic"}, *record.passes))
    problems = found(pair, a=pruned(pair.records[BF16], 0.1, 0.1), b=quantized)

    assert [text.split(":")[0] for text in problems if "sparsity.weights" in text] == ["b"] * number


def test_zeros_that_were_there_before(pair: Run) -> None:
    record = pair.records[BF16]

    assert found(pair, a=pruned(record, 0.1, 0.5), b=pruned(record, 0.3, 0.5), c=pruned(record, 0.9, 0.9)) == []


def test_the_bundled_tagger_has_none(pair: Run) -> None:
    about = weights.packaged()
    bundled = TaggerInfo("bundled", about["weights_sha256"], about["parameters"])
    record = pair.records[BF16]

    assert found(pair, "bundled", a=pruned(record, 0.1, 0.1, bundled)) == []
    (problem,) = found(pair, "bundled", a=pruned(record, 0.1, 0.5, bundled))
    assert problem.startswith("a: sparsity.weights: ")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_bundled_tagger_weighs_what_it_weighs(pair: Run, dtype: str) -> None:
    about = weights.packaged()
    record = pair.records[FP32]
    assert record.memory is not None
    size_mb = about["parameters"] * (4 if dtype == "float32" else 2) / 1e6
    memory = replace(record.memory, weights_mb=size_mb, weights_by_dtype_mb={dtype: size_mb}, weights_parameters=None)
    bundled = TaggerInfo("bundled", about["weights_sha256"], about["parameters"])
    given = replace(record, tagger=bundled, memory=memory, flops=None)

    assert bool(found(pair, "bundled", a=given)) is (dtype == "float16")
    fewer = replace(given, tagger=replace(bundled, parameters=1))
    assert any("tagger.parameters" in text for text in found(pair, "bundled", a=fewer))
