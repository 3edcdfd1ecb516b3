from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.report.served import NO_END
from leanner.report.served import Told
from leanner.report.served import served
from leanner.report.served import served_columns
from report import records
from report.records import energy
from report.records import not_run
from report.records import quantiles
from report.records import record


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


def told(case: CaseRecord) -> dict[str, Told]:
    """Return the cells of the only served case by their headings."""
    ((found, cells),) = served([record(), case, not_run()])
    assert found is case
    return dict(zip([column.heading for column in served_columns([case])], cells, strict=True))


def test_headings_are_unique_and_have_a_meaning() -> None:
    columns = served_columns([records.served(slo=records.slo())])
    assert len({column.heading for column in columns}) == len(columns)
    assert all(column.meaning for column in columns)


def test_what_is_known_has_no_reason() -> None:
    cells = told(replace(records.served(slo=records.slo()), energy=energy(12.0)))

    for cell in cells.values():
        assert cell.text is not None
        assert cell.sort is not None
        assert cell.reason is None


@pytest.mark.parametrize(
    ("ends", "text", "reason"),
    [
        ((250.0, 301.0), "280.0 [250.0, 301.0]", None),
        ((250.0, None), "280.0 [250.0, ?]", NO_END),
        ((None, 301.0), "280.0 [?, 301.0]", NO_END),
        ((None, None), "280.0", "12 requests; an interval takes 200"),
    ],
)
def test_the_p99_is_shown_with_the_ends_that_are_known(
    ends: tuple[float | None, float | None], text: str, reason: str | None
) -> None:
    cell = told(records.served(latency_ms=quantiles(70.0, *ends)))["p99 ms [95 %]"]

    assert cell == Told(text, 280.0, reason)


def test_a_latency_without_end_is_unknown_with_its_reason() -> None:
    failed = {"value": None, "low": 3.0, "high": None, "reason": "more than 0.01 of the requests failed"}
    cell = told(records.served(latency_ms={**quantiles(70.0), "p99": failed}))["p99 ms [95 %]"]

    assert cell == Told(None, None, "more than 0.01 of the requests failed")


def test_what_serves_in_this_process_was_not_started_and_has_no_memory_of_its_own() -> None:
    cells = told(records.served(start_s=None, tree_mb=None))

    for heading in ("start s", "server MB"):
        assert cells[heading] == Told(None, None, "it is served in this process, and no other was started")


def test_memory_that_the_kernel_does_not_tell_is_unknown() -> None:
    cell = told(records.served(tree_mb=None))["server MB"]

    assert cell == Told(None, None, "the kernel does not tell what memory the server's processes share")


def test_zero_is_a_number() -> None:
    same = {"batches": 3, "requests": 40, "differ": 0}
    cells = told(records.served(same_spans=same, start_s=0.0))

    assert cells["other spans"] == Told("0 of 40", 0)
    assert cells["regrouped"] == Told(None, None, "the report is older than this number")
    assert cells["start s"] == Told("0.0", 0.0)


def test_joules_are_those_of_the_record() -> None:
    assert told(records.served())["J/1k sent"] == Told(None, None, records.NO_METER)
    for source, text in (("rapl", "12.0"), ("estimate", "~12.0")):
        case = replace(records.served(), energy=energy(12.0, source))
        assert told(case)["J/1k sent"] == Told(text, 12.0)


def test_grouping_by_length_is_said() -> None:
    batching = {"max_batch_size": 16, "max_batch_delay_ms": 2.5, "by_length": True}
    cells = told(records.served(batching=batching))

    assert cells["batch"] == Told("16 by length", 16)
    assert cells["delay ms"].text == "2.5"


def test_the_highest_rate_has_its_bound_and_its_watts() -> None:
    cells = told(records.served(slo=records.slo()))

    assert cells["SLO req/s"] == Told("20.0 (100 ms)", 20.0)
    assert cells["SLO W"] == Told("41.5", 41.5)


def test_watts_that_are_estimated_are_marked() -> None:
    case = replace(records.served(slo=records.slo()), energy=energy(12.0, "estimate"))

    assert told(case)["SLO W"] == Told("~41.5", 41.5)


def test_a_rate_that_was_not_found_is_unknown() -> None:
    slo: dict[str, Any] = {"bound_ms": 5.0, "best": None, "fails_at_per_s": None, "reason": "too slow", "trials": []}
    cells = told(records.served(slo=slo))

    assert cells["SLO req/s"] == cells["SLO W"] == Told(None, None, "too slow")


def test_a_rate_that_was_looked_for_in_another_case_is_unknown_with_its_reason() -> None:
    both = [records.served("torchserve-bf16-b1"), records.served(slo=records.slo())]
    (_, without), (_, with_bound) = served(both)
    place = [column.heading for column in served_columns(both)].index("SLO req/s")

    assert without[place] == Told(None, None, "no bound of the p99 was given (--leanner-slo-ms)")
    assert with_bound[place].text == "20.0 (100 ms)"


def test_without_a_bound_nothing_is_said_of_rates() -> None:
    assert not [heading for heading in told(records.served()) if "SLO" in heading]


def test_watts_at_a_rate_that_no_meter_tells_are_unknown() -> None:
    slo = records.slo(power_w={"value": None, "low": None, "high": None, "reason": "no RAPL"})

    assert told(records.served(slo=slo))["SLO W"] == Told(None, None, "no RAPL")


def test_memory_of_an_older_report_is_found_under_its_old_name() -> None:
    case = records.served()
    assert case.served is not None
    old = {name: value for name, value in case.served.items() if name != "tree_mb"} | {"peak_mb": 640.0}

    assert told(replace(case, served=old))["server MB"] == Told("640", 640.0)
