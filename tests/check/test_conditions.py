"""What a report says twice of the machine, and of how it was asked to run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import case
from check.reports import found_after
from check.reports import node


if TYPE_CHECKING:
    from check.reports import Run


pytestmark = pytest.mark.usefixtures("remembered")

BF16 = node("bf16")


@pytest.mark.parametrize(
    ("part", "said", "name"),
    [
        ("commit_info", {"id": "0" * 40}, "commit"),
        ("machine_info", {"python_version": "3.13.0"}, "python"),
        ("machine_info", {"cpu": {"brand_raw": "Intel Xeon"}}, "cpu"),
        ("machine_info", {"cpu": {"flags": ["avx2", "avx512f", "sse"]}}, "isa"),
    ],
)
def test_pytest_benchmark_saw_another_machine(pair: Run, part: str, said: dict[str, Any], name: str) -> None:
    def change(report: dict[str, Any]) -> None:
        for each in ("fp32", "bf16"):
            case(report, each)["environment"].update(python="3.11.7", cpu="AMD EPYC")
        report["machine_info"]["leanner"].update(python="3.11.7", cpu="AMD EPYC")
        report[part].update(said)

    found = found_after(pair, change)

    assert [text.split(": ")[1] for text in found] == 2 * [f"environment.{name}"]


@pytest.mark.parametrize("commit", ["unversioned", "unknown", None])
def test_a_run_from_outside_a_checkout(pair: Run, commit: str | None) -> None:
    assert found_after(pair, lambda report: report["commit_info"].update(id=commit)) == []


def test_a_process_of_its_own_as_asked(pair: Run) -> None:
    found = found_after(pair, lambda report: case(report)["memory"].update(isolated=True))
    assert found == [f"{BF16}: memory.isolated: expected false, the run's option; found true"]


def test_another_runtime(pair: Run) -> None:
    found = found_after(pair, lambda report: case(report).update(runtime="onnxruntime"))
    assert found == [f'{BF16}: runtime: expected "flair", what the passes need; found "onnxruntime"']


def test_nothing_is_resumed_unasked(pair: Run) -> None:
    found = found_after(pair, lambda report: report["leanner"]["resumed"].append(BF16))
    assert found == [f"leanner.resumed: expected no case, since nothing was resumed; found {BF16}"]
