"""Cases behind a server, as the check sees those that were not run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import Run
from check.reports import case
from check.reports import found_after
from check.reports import node
from leanner.configurations import named


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
