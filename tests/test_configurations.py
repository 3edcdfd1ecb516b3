from __future__ import annotations

import ast
import json
import math
import re

from pathlib import Path

import pytest

from leanner.configurations import BASELINE
from leanner.configurations import CONFIGURATIONS
from leanner.configurations import CONTROL
from leanner.configurations import Bound
from leanner.configurations import Configuration
from leanner.configurations import family
from leanner.configurations import is_interleaved
from leanner.configurations import known
from leanner.configurations import named
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import MOSEC
from leanner.serving.serving import TORCHSERVE


BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
#: The family that runs with ``-m served`` alone.
SERVED = "served"
EACH = pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c.name)


def families_of_benchmarks() -> dict[str, str]:
    """Return the family that each file of ``benchmarks/`` runs, read without importing it."""
    found = {}
    for path in BENCHMARKS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "family" and isinstance(node.value, ast.Constant):
                found[path.stem.removeprefix("test_")] = str(node.value.value)
    return found


def test_names_are_unique_and_fit_into_an_id() -> None:
    names = [configuration.name for configuration in CONFIGURATIONS]

    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_every_family_has_its_file_and_every_file_its_family() -> None:
    files = families_of_benchmarks()

    assert all(name == found for name, found in files.items())
    assert set(files) == {configuration.family for configuration in CONFIGURATIONS}


def test_every_configuration_is_in_its_family() -> None:
    everything = [c for name in families_of_benchmarks() for c in family(name, everything=True)]

    assert sorted(c.name for c in everything) == sorted(c.name for c in CONFIGURATIONS)
    assert family("no such family", everything=True) == ()


def test_the_default_run_has_at_most_twelve_cases_and_all_of_the_main_job() -> None:
    default = [c.name for name in families_of_benchmarks() if name != SERVED for c in family(name)]

    assert len(default) <= 12
    assert len(default) < len(CONFIGURATIONS)
    assert {BASELINE, "bf16", "fp16", "int8", "magnitude-50", "second-order-50", "lean-int8-static"} <= set(default)


def test_the_control_runs_when_it_is_asked_for() -> None:
    def names(**given: bool) -> list[str]:
        return [c.name for c in family("baseline", **given)]

    assert names() == names(everything=True) == [BASELINE]
    assert names(control=True) == [BASELINE, CONTROL]
    assert named(CONTROL).passes == named(BASELINE).passes == ()
    assert [c.name for c in known()[:2]] == [BASELINE, CONTROL]
    assert len(known()) == len(CONFIGURATIONS) + 1


def test_rounds_of_the_baseline_always_lie_between_those_of_the_control() -> None:
    found = [[is_interleaved(name, interleave=on) for on in (False, True)] for name in (BASELINE, CONTROL, "bf16")]

    assert found == [[False, False], [True, True], [False, True]]


@EACH
def test_a_bound_has_its_reason_and_so_has_its_absence(configuration: Configuration) -> None:
    bound = configuration.bound
    if bound is None:
        assert configuration.unbounded
        return
    assert bound.reason
    assert 0.0 <= bound.real <= bound.bundled
    assert math.isfinite(bound.bundled)


@EACH
def test_passes_are_described_as_json_with_their_name(configuration: Configuration) -> None:
    for step in configuration.passes:
        described = json.loads(json.dumps(step.describe(), allow_nan=False))
        assert described["name"] == step.name


def test_the_bounds_of_the_main_job() -> None:
    bounds = {name: named(name).bound for name in ("bf16", "fp16", "int8")}
    found = {name: bound and (bound.real, bound.bundled) for name, bound in bounds.items()}

    assert found == {"bf16": (0.2, 1.0), "fp16": (0.2, 1.0), "int8": (1.0, 2.0)}


def test_only_the_baseline_changes_nothing() -> None:
    assert [c.name for c in CONFIGURATIONS if not c.passes and c.served is None] == [BASELINE]


def test_each_server_serves_the_baseline_and_the_leanest_by_default_one_by_one_and_in_batches() -> None:
    found: dict[str, list[str]] = {}
    for configuration in family(SERVED):
        assert configuration.served is not None
        name = configuration.name.removeprefix(f"{configuration.served.server}-")
        found.setdefault(configuration.served.server, []).append(name)
    leanest = "lean-int8-static-prefix-ffn-ls-50"

    expected = ["fp32-b1", "fp32-b16", f"{leanest}-b1", f"{leanest}-b16"]
    assert found == {TORCHSERVE: expected, MOSEC: expected, IN_PROCESS: expected}


def test_what_is_served_is_what_its_name_says() -> None:
    served = [c for c in CONFIGURATIONS if c.served is not None]

    assert {c.family for c in served} == {SERVED}
    for configuration in served:
        serving = configuration.served
        assert serving is not None
        name, size, how = re.fullmatch(rf"{serving.server}-(.+)-b(\d+)(-by-length)?", configuration.name).groups()  # type: ignore[union-attr] # it matches
        assert configuration.passes == named(name).passes
        assert configuration.bound is not None or configuration.unbounded
        assert serving.batching.max_batch_size == int(size)
        assert serving.batching.max_batch_delay_ms == (0.0 if size == "1" else 5.0)
        assert serving.batching.by_length == (how is not None)


def test_the_bundled_corpus_alone_has_its_own_bound() -> None:
    bound = Bound(0.2, 1.0, "made up")

    assert bound.on("bundled") == 1.0
    assert bound.on("tmvar") == bound.on("bundled+mine") == 0.2


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    assert named("int8").name == "int8"
    with pytest.raises(KeyError, match=r"expected one of fp32, .*int8.*, found 'int7'"):
        named("int7")
