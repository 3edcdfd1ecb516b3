"""A report edited by hand fails, whatever was edited."""

from __future__ import annotations

import re

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from bench import strict_json
from check.reports import DEFAULT
from check.reports import Run
from check.reports import case
from check.reports import found_after
from check.reports import node
from leanner.check import checking
from leanner.check.checking import check
from leanner.report.problem import Problem


if TYPE_CHECKING:
    from pathlib import Path

    from leanner.check.report import Report
    from leanner.check.text import Text
    from leanner.report.record import CaseRecord


Place = tuple[str | int, ...]

pytestmark = pytest.mark.usefixtures("remembered")

#: Numbers that neither the report gives twice nor the files beside it give once, and why.
UNCOVERED: Final = {
    r"time\.(prepare_s|warmup_s)": "measured once; nothing follows from it",
    r"sparsity\.weights": "counted on weights that are not kept",
}


#: Numbers that follow from the traces, or from the spans, whatever the rest of the record is.
COMPUTED: Final = r"energy\.|power\.|gpu|memory\.(peak|cgroup)|sampler\.|f1\.|f1_drop\."


def leaves(value: object, place: Place = ()) -> Iterator[Place]:
    """Yield the places of all numbers; of lists those in the first and the last item."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*place, name))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from leaves(value[index], (*place, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place


def scale(record: dict[str, Any], place: Place, factor: float) -> None:
    """Scale the number at ``place``; a whole one stays whole, and a zero becomes another number."""
    inner: Any = record
    for part in place[:-1]:
        inner = inner[part]
    value = inner[place[-1]]
    if not value:
        inner[place[-1]] = 1 if isinstance(value, int) else abs(factor - 1.0)
    elif isinstance(value, int):
        more = factor > 1
        inner[place[-1]] = max(round(value * factor), value + 1) if more else min(round(value * factor), value - 1)
    else:
        inner[place[-1]] = value * factor


def named(place: Place) -> str:
    return ".".join(map(str, place))


def is_covered(place: Place) -> bool:
    return not any(re.match(pattern, named(place)) for pattern in UNCOVERED)


@pytest.fixture(scope="session")
def places(pair: Run) -> dict[str, list[Place]]:
    """Numbers of each record."""
    report = strict_json(pair.path)
    return {name: list(leaves(case(report, name))) for name in pair.only}


def test_a_report_as_it_was_written_holds(run: Run, part: Run) -> None:
    for made, cases, measured in ((run, len(DEFAULT), 3), (part, 1, 1)):
        outcome = check(made.path)
        assert [str(problem) for problem in outcome.problems] == []
        assert (outcome.cases, outcome.measured) == (cases, measured)
        assert outcome.corpus == "tmvar, 48 sentences"


def test_a_check_of_one_record_is_told_with_its_case(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def joules(report: Report, record: CaseRecord, text: Text | None) -> list[Problem]:
        assert (report.path, text is None) == (run.path, False)
        return [Problem("energy.total_j", "not that of the traces")] if record.configuration == "int8" else []

    monkeypatch.setattr(checking, "ALONE", (*checking.ALONE, joules))

    assert [str(problem) for problem in check(run.path).problems] == [
        f"{node('int8')}: energy.total_j: not that of the traces"
    ]


@pytest.mark.parametrize("without", [{"articles": 19}, {"without_gold": True}], ids=["interval", "F1"])
def test_what_is_unknown_with_a_reason_holds_too(tmp_path: Path, without: dict[str, Any]) -> None:
    path = Run(tmp_path, only=("fp32", "bf16"), **without).write()

    assert [str(problem) for problem in check(path).problems] == []


def test_every_number_that_is_computed_is_found_where_it_stands(pair: Run, places: dict[str, list[Place]]) -> None:
    chosen = [place for place in places["bf16"] if re.match(COMPUTED, named(place))]

    def change(report: dict[str, Any]) -> None:
        for place in chosen:
            scale(case(report), place, 0.999)

    # None follows from another, so that all may be changed at once.
    found = {problem.split(": ")[1] for problem in found_after(pair, change)}
    assert {named(tuple(takewhile(lambda part: isinstance(part, str), place))) for place in chosen} - found == set()
    assert len(chosen) > 80


@pytest.mark.parametrize(
    ("pattern", "factor"),
    [("time|speedup|latency_ms", 0.999), ("(?!time|speedup|latency_ms)", 1.001)],
)
def test_every_number_that_is_covered_is_found_and_no_other(
    pair: Run, places: dict[str, list[Place]], pattern: str, factor: float
) -> None:
    alone = [place for place in places["bf16"] if not re.match(COMPUTED, named(place))]
    chosen = [place for place in alone if re.match(pattern, named(place))]
    assert chosen
    for place in chosen:

        def change(report: dict[str, Any], place: Place = place) -> None:
            scale(case(report), place, factor)

        if found := found_after(pair, change):
            assert is_covered(place), f"{named(place)} is found after all: {found}"
        else:
            assert not is_covered(place), f"{named(place)} was changed, and nothing was found"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(0, 999),
    factor=st.floats(0.1, 0.9999) | st.floats(1.0001, 10.0),
    name=st.sampled_from(["fp32", "bf16"]),
)
def test_any_covered_number_scaled_by_any_factor_is_found(
    pair: Run, places: dict[str, list[Place]], number: int, factor: float, name: str
) -> None:
    covered = [place for place in places[name] if is_covered(place)]
    place = covered[number % len(covered)]

    assert found_after(pair, lambda report: scale(case(report, name), place, factor)), named(place)
