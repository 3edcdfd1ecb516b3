"""Cases behind a server, as the check sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import Run
from check.reports import case
from check.reports import found_after
from check.reports import node
from leanner import configurations
from leanner.configurations import named
from leanner.serving.batching import DynamicBatching
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import MOSEC
from leanner.serving.serving import Serving
from report.records import served as served_record


if TYPE_CHECKING:
    from leanner.configurations import Configuration


TORCHSERVE = "torchserve-fp32-b16"
HERE = "in-process-fp32-b16"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of fp32, and of two served cases that were not run."""
    return Run(tmp_path_factory.mktemp("served"), only=("fp32", TORCHSERVE, HERE)).written()


def refused(name: str, reason: str) -> Callable[[dict[str, Any]], None]:
    """Return what gives a case this reason."""

    def change(report: dict[str, Any]) -> None:
        record = case(report, name)
        record["reasons"] = [reason]
        record["unknown"] = dict.fromkeys(record["unknown"], reason)

    return change


def refusal(configuration: Configuration) -> str:
    """Return why a machine cannot serve so."""
    assert configuration.served is not None
    (reason,) = configuration.served.refusals()
    return reason


def test_a_server_that_is_not_installed_is_a_reason(served: Run) -> None:
    assert found_after(served, refused(TORCHSERVE, refusal(named(TORCHSERVE)))) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (TORCHSERVE, "mosec is not installed: pip install 'leanner[mosec]'"),
        (TORCHSERVE, "nobody felt like it"),
        (HERE, "torchserve is not installed: pip install 'leanner[torchserve]'"),
    ],
)
def test_what_is_missing_elsewhere_is_none(served: Run, name: str, reason: str) -> None:
    found = found_after(served, refused(name, reason))

    assert len(found) == 1
    assert found[0].startswith(f"{node(name)}: reasons: expected a reason for which a pass of {name} cannot run")
    assert found[0].endswith(f"found {reason!r}")


def how(server: str = IN_PROCESS) -> dict[str, Any]:
    """Return what a record says of how its case was served: batches of 16 that wait for 5 ms."""
    found = served_record(server=server).served
    assert found is not None
    return dict(found)


def test_a_case_that_says_it_was_served_and_is_none_of_those(served: Run) -> None:
    found, *_ = found_after(served, lambda report: case(report, "fp32").update(served=how()))

    assert found.startswith(f"{node('fp32')}: served: expected null, as the table of configurations has it; found {{")


def test_a_case_that_was_not_served_as_the_table_has_it(served: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = Serving(IN_PROCESS, DynamicBatching(8, 5.0))
    changed = tuple(replace(c, served=serving) if c.name == "fp32" else c for c in configurations.CONFIGURATIONS)
    monkeypatch.setattr(configurations, "CONFIGURATIONS", changed)
    (not_served,) = found_after(served, lambda _: None)
    by_another = found_after(served, lambda report: case(report, "fp32").update(served=how(MOSEC)))

    fp32 = node("fp32")
    assert not_served.startswith(f"{fp32}: served: expected {{")
    assert not_served.endswith("found null")
    # Nor is it the baseline of the answer then.
    assert [text for text in by_another if not text.startswith("leanner.answer")] == [
        f'{fp32}: served.server: expected "in-process", as the table of configurations has it; found "mosec"',
        f"{fp32}: served.batching.max_batch_size: expected 8, as the table of configurations has it; found 16",
    ]


def test_a_case_that_was_not_run_was_not_served(served: Run) -> None:
    (found,) = found_after(served, lambda report: case(report, HERE).update(served=how()))

    assert found == f"{node(HERE)}: served: expected null beside the verdict not-run, found a result"
