"""Runs on a made-up machine, each measured once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import Run
from check.reports import change_configurations
from leanner.check import joules
from leanner.check import scores
from leanner.check import times
from leanner.check.joules import figures_of
from leanner.measure.statistics import speedup
from leanner.measure.traces import metered_of
from leanner.meters.stored import read_traces
from leanner.scoring.agreement import second_opinion
from leanner.scoring.bootstrap import f1_loss


if TYPE_CHECKING:
    from leanner.scoring.counts import ArticleCounts


@pytest.fixture(autouse=True)
def changed_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of configurations, with passes that forget."""
    change_configurations(monkeypatch)
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run: every default configuration, most of them not-run."""
    return Run(tmp_path_factory.mktemp("whole")).written()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of fp32 and bf16 alone: quicker to check."""
    return Run(tmp_path_factory.mktemp("pair"), only=("fp32", "bf16")).written()


@pytest.fixture(scope="session")
def part(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """bf16 alone, chosen with ``-k``, against an untimed baseline."""
    return Run(tmp_path_factory.mktemp("part"), only=("bf16",), untimed_baseline=True).written()


@pytest.fixture(scope="session")
def interleaved(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """fp32 and bf16, with rounds of fp32 between those of bf16."""
    asked = {"interleave": True}
    return Run(tmp_path_factory.mktemp("interleaved"), only=("fp32", "bf16"), asked=asked).written()


@pytest.fixture(scope="session")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """bf16 on a CPU whose joules are estimated."""
    asked = {"energy": "estimate", "watts_per_core": 12.0, "device": "cpu"}
    return Run(tmp_path_factory.mktemp("estimated"), only=("bf16",), untimed_baseline=True, asked=asked).written()


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute the same from the same once: where one number of a report is edited, and all else is as it was."""
    for module, function, key in (
        (joules, read_traces, lambda path: (path, path.read_bytes())),
        (joules, metered_of, _same),
        (joules, figures_of, lambda metered, sentences, device: (_same(metered), sentences, device)),
        (scores, second_opinion, lambda documents, spans, labels: (documents, tuple(spans), labels)),
        (scores, f1_loss, lambda before, after, *, seed: (*_counted(before), *_counted(after), seed)),
        (times, speedup, lambda before_s, after_s, **more: (tuple(before_s), tuple(after_s), *more.values())),
    ):
        monkeypatch.setattr(module, function.__name__, _remembering(function, key))


_FOUND: dict[tuple[str, Any], Any] = {}
_ARGUMENTS: list[object] = []


def _remembering(function: Callable[..., Any], key: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **more: Any) -> Any:  # noqa: ANN401 - what the function takes and returns
        place = function.__name__, key(*given, **more)
        if place not in _FOUND:
            _ARGUMENTS.extend(given)  # kept, so that nothing else comes to have their id
            _FOUND[place] = function(*given, **more)
        return _FOUND[place]

    return call


def _same(value: object) -> int:
    return id(value)


def _counted(counts: ArticleCounts) -> tuple[Any, ...]:
    return counts.keys, counts.matches.tobytes(), counts.annotated.tobytes(), counts.labels
