from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from compare.runs import Made
from leanner.factorial.cells import CellsError
from leanner.factorial.cells import records_of
from leanner.factorial.design import Design
from leanner.factorial.design import Factor
from leanner.report.record import CorpusInfo
from leanner.report.record import Verdict
from leanner.runs.run import read_run


if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


NAMES = ("fp32", "int8", "second-order-50", "int8-second-order-50")
DESIGN = Design((Factor("fp32", "int8"), Factor("dense", "50 %")), NAMES)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path, articles=2)


def found(made: Made, device: str | None = None, **changes: dict[str, Any]) -> str:
    """Return what keeps a run, in which fields of cases differ, from being a factorial."""
    by_name = {name.replace("_", "-"): fields for name, fields in changes.items()}
    run = read_run(made.run("run", 1, names=NAMES, changes=by_name))
    with pytest.raises(CellsError) as refused:
        records_of(run, DESIGN, device)
    return str(refused.value)


def test_records_stand_in_the_order_of_the_design(made: Made) -> None:
    run = read_run(made.run("run", 1, names=(*reversed(NAMES), "bf16")))
    assert tuple(record.configuration for record in records_of(run, DESIGN)) == NAMES


def test_all_missing_cells_are_named(made: Made) -> None:
    run = read_run(made.run("run", 1, names=("fp32", "int8")))
    with pytest.raises(
        CellsError,
        match="all 4 cells with a result, found 2 without: second-order-50 is not in the report; int8-second",
    ):
        records_of(run, DESIGN)


@pytest.mark.parametrize("verdict", [Verdict.NOT_RUN, Verdict.ERROR])
def test_a_cell_without_a_result_is_named_with_its_reason(verdict: Verdict, made: Made) -> None:
    fields = {"verdict": verdict, "reasons": ("the server ended",), "f1": None, "unknown": {"f1": "it ended"}}
    assert f"found 1 without: int8 is {verdict} (the server ended); measure" in found(made, int8=fields)


def test_a_suspect_cell_is_named_with_its_reason(made: Made) -> None:
    fields = {"suspect": True, "quality": ("the GPU was throttled",)}
    assert "found 1 without: second-order-50 is suspect (the GPU was throttled)" in found(made, second_order_50=fields)


def test_a_loss_above_its_bound_is_an_answer_as_any_other(made: Made) -> None:
    run = read_run(made.run("run", 1, names=NAMES, changes={"int8": {"verdict": Verdict.FAIL}}))
    assert records_of(run, DESIGN)[1].verdict is Verdict.FAIL


def test_cells_on_two_devices_take_a_choice(made: Made) -> None:
    assert "expected the cells on one device, found cpu, cuda; pass --device" in found(made, int8={"device": "cuda"})
    refused = found(made, device="cuda", int8={"device": "cuda"})
    assert "expected all 4 cells on cuda with a result, found 3 without: fp32 is not in the report" in refused


def test_cells_that_differ_in_what_is_no_factor_are_refused(made: Made) -> None:
    other = CorpusInfo("other", "d" * 64, 1, 1, 1, 1)
    assert "sha256 of the corpus: " in found(made, int8={"corpus": other})
    time = records_of(read_run(made.run("whole", 1, names=NAMES)), DESIGN)[1].time
    assert time is not None
    refused = found(made, int8={"time": replace(time, sentences=9)})
    assert "found sentences of a round: 800 of fp32, 9 of int8; measure them in one run" in refused
