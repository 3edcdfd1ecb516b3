"""The schema against the dataclasses, from which it may not drift, and against reports."""

from __future__ import annotations

import dataclasses
import json
import types

from collections.abc import Iterator
from collections.abc import Mapping
from enum import Enum
from typing import Any
from typing import Union
from typing import get_args
from typing import get_origin
from typing import get_type_hints

import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from jsonschema import Draft202012Validator

from leanner.report.final import assemble
from leanner.report.final import leanner_part
from leanner.report.parse import FLATTENED
from leanner.report.record import CaseRecord
from leanner.report.schema import join
from leanner.report.schema import schema
from leanner.report.schema import validate
from leanner.report.selection import Selection
from report.made_up import dataclass_instances
from report.records import baseline
from report.records import energy
from report.records import not_run
from report.records import record
from report.records import served


_JSON_TYPES = {float: "number", int: "integer", str: "string", bool: "boolean", types.NoneType: "null"}


def classes(kind: Any) -> Iterator[Any]:  # noqa: ANN401 - a type hint
    """Yield the dataclasses that a type hint holds, those in their fields too."""
    for inner in get_args(kind):
        yield from classes(inner)
    if dataclasses.is_dataclass(kind):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from classes(hint)


CLASSES = list(dict.fromkeys(classes(CaseRecord)))


def types_of(node: Mapping[str, Any]) -> set[str]:
    """Return the types that a node of the schema allows."""
    if "$ref" in node:
        return types_of(schema()["$defs"][node["$ref"].rpartition("/")[2]])
    if "const" in node:
        return {"integer"}
    return {node["type"]} if isinstance(node["type"], str) else set(node["type"])


def assert_same(kind: Any, node: Mapping[str, Any], place: str) -> None:  # noqa: ANN401 - a type hint
    """Compare a type hint with its node of the schema."""
    if kind is Any:
        return
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (one,) = [option for option in inner if option is not types.NoneType]
        assert "null" in types_of(node), f"{place} may be None, and the schema has no null"
        assert_type(one, node, place)
    else:
        assert kind is types.NoneType or "null" not in types_of(node), f"{place} is never None, and the schema has null"
        assert_type(kind, node, place)


def assert_type(kind: Any, node: Mapping[str, Any], place: str) -> None:  # noqa: ANN401 - as above
    """Compare a type other than None."""
    origin, inner = get_origin(kind), get_args(kind)
    allowed = types_of(node) - {"null"}
    if kind in _JSON_TYPES:
        assert allowed == {_JSON_TYPES[kind]} - {"null"}, place
    elif origin is tuple and inner[-1] is Ellipsis:
        assert allowed == {"array"}, place
        assert_same(inner[0], node["items"], f"{place}[]")
    elif origin is tuple:
        assert (allowed, node["items"], node["minItems"]) == ({"array"}, False, len(inner)), place
        for index, one in enumerate(inner):
            assert_same(one, node["prefixItems"][index], f"{place}[{index}]")
    elif origin is not None and issubclass(origin, Mapping):
        assert allowed == {"object"}, place
        if inner[1] is not Any:
            assert_same(inner[1], node["additionalProperties"], f"{place}.*")
    elif issubclass(kind, Enum):
        assert node["enum"] == [member.value for member in kind], place
    else:
        reference = node.get("then", node)
        assert reference["$ref"] == f"#/$defs/{kind.__name__}", place
        assert "null" not in types_of(node) or node["if"] == {"type": "object"}, place


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_schema_has_every_field_and_no_other(kind: Any) -> None:  # noqa: ANN401 - a dataclass
    node = schema()["$defs"][kind.__name__]
    hints = get_type_hints(kind)
    beside = hints.pop(FLATTENED.get(kind, ""), None)
    names = {*hints, "schema"} if kind is CaseRecord else {*hints}

    assert node["type"] == "object"
    assert set(node["properties"]) == names
    assert set(node["required"]) == names
    if beside is None:
        assert node["additionalProperties"] is False
    else:
        assert_same(get_args(beside)[1], node["additionalProperties"], kind.__name__)
    for name, hint in hints.items():
        assert_same(hint, node["properties"][name], f"{kind.__name__}.{name}")


def test_a_field_that_is_new_or_changed_would_be_seen() -> None:
    assert len(CLASSES) == 17
    properties = schema()["$defs"]["Time"]["properties"]
    with pytest.raises(AssertionError, match="is never None"):
        assert_same(float, properties["median_s"], "Time.median_s")
    with pytest.raises(AssertionError, match="may be None"):
        assert_same(tuple[float, ...] | None, properties["rounds_s"], "Time.rounds_s")
    with pytest.raises(AssertionError):
        assert_same(int | None, properties["median_s"], "Time.median_s")


def report(*records: CaseRecord, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part
    """Return a report of these records, without a time beside them."""
    leanner = leanner_part(
        {each.configuration: each for each in records},
        timed=(),
        options={
            "tagger": "bundled",
            "corpora": [],
            "sentences": None,
            "round_sentences": 0,
            "seed": 0,
            "on_bad_document": "error",
            "energy": "auto",
            "device": "auto",
            "everything": False,
            "seconds": 20.0,
        },
        selection=Selection("", "", (), ("precision",), tuple(each.configuration for each in records)),
    )
    content = {**assemble(machine_info={}, commit_info={}, leanner=leanner), **changes}
    made: dict[str, Any] = json.loads(json.dumps(content))
    return made


def of(made: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the record of bf16 in a report."""
    return made["leanner"]["without_time"]["bf16"]


def test_records_as_they_are_validate() -> None:
    assert validate(report(baseline(), record(), record("int8", energy=energy(12.0)), served(), not_run())) == []


MADE_UP = report(record())


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(dataclass_instances(CaseRecord))
def test_what_a_record_can_be_has_the_schemas_names_and_types(made_up: CaseRecord) -> None:
    MADE_UP["leanner"]["without_time"] = {"bf16": made_up.to_json()}

    for problem in validate(MADE_UP):
        # Made-up numbers break bounds, a text is no digest, and scores, files, passes and what served are anything.
        inner = problem.place.removeprefix("leanner.without_time.bf16.")
        about_bounds = any(
            words in problem.text for words in ("at least", "more than", "at most", "does not match", "non-empty")
        )
        assert about_bounds or inner.startswith(("f1", "files", "passes", "served")), str(problem)


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (("time", "median_s"), "2.25", 'expected a number or null, found "2.25"'),
        (("time", "rounds_s"), [2.0, None], "expected a number, found null"),
        (("time", "rounds_s"), [2.0, 0], "expected more than 0, found 0"),
        (("time", "mean_s"), 2.0, "expected no such field; it is unknown here"),
        (("energy", "wall"), 2.0, "expected an object, found 2.0"),
        (("energy", "cpu_package", "j"), -1, "expected at least 0, found -1"),
        (("gpu_utilization_pct",), 101, "expected at most 100, found 101"),
        (("verdict",), "good", 'expected pass or fail or inconclusive or recorded or not-run or error, found "good"'),
        (("schema",), 2, "expected 1, found 2"),
        (("suspect",), None, "expected true or false, found null"),
        (("f1", "micro"), 1.5, "expected at most 1, found 1.5"),
        (("f1", "macro"), 0.5, "expected no such field; it is unknown here"),
        (("f1", "by_corpus", "tmvar", "micro"), float("nan"), "expected a finite number or null, found nan"),
        (("memory", "peak_host_mb"), float("inf"), "expected a finite number or null, found inf"),
        (("tagger", "weights_sha256"), "abc", "'abc' does not match '^[0-9a-f]{64}$'"),
        (("served", "batching", "max_batch_size"), 0, "expected at least 1, found 0"),
        (("served", "server_side", "full_share"), 1.5, "expected at most 1, found 1.5"),
        (("served", "server_side", "queue_ms", "p50"), 3.0, "expected an object, found 3.0"),
        (("served", "latency_ms", "p99", "value"), "8", 'expected a number or null, found "8"'),
    ],
)
def test_a_problem_names_its_place(place: tuple[str, ...], value: object, text: str) -> None:
    made = report(served("bf16"))
    inner = of(made)
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value

    found = validate(made)

    where = "leanner.without_time.bf16." + ".".join(place)
    assert [str(problem) for problem in found if problem.place.startswith(where)][:1] == [
        f"{where}{'[1]' if place[-1] == 'rounds_s' else ''}: {text}"
    ]


@pytest.mark.parametrize("name", ["leanner", "benchmarks", "machine_info", "datetime"])
def test_a_missing_part_is_named(name: str) -> None:
    made = report(record())
    del made[name]

    assert [str(problem) for problem in validate(made)] == [f"{name}: expected this field, found none"]


def test_every_missing_field_of_a_record_is_named() -> None:
    for name in record().to_json():
        made = report(record())
        del of(made)[name]
        found = [str(problem) for problem in validate(made)]
        assert found == [f"leanner.without_time.bf16.{name}: expected this field, found none"]


def test_what_is_pytest_benchmarks_own_is_left_to_it() -> None:
    bench = {"name": "a", "fullname": "b::a", "extra_info": {"mine": [1]}, "stats": {"min": 1}, "options": {}, "new": 1}

    assert validate(report(record(), benchmarks=[bench], something={"else": 1})) == []
    missing = {problem.place for problem in validate(report(record(), benchmarks=[{"name": "a"}]))}
    assert missing == {"benchmarks[0].extra_info", "benchmarks[0].fullname", "benchmarks[0].stats"}


def test_a_record_beside_a_time_is_looked_at_too() -> None:
    wrong = record().to_json()
    wrong["time"]["median_s"] = "x"
    bench = {"name": "a", "fullname": "b::a", "extra_info": {"leanner": wrong}, "stats": {}}

    found = validate(report(record(), benchmarks=[bench]))

    assert [problem.place for problem in found] == ["benchmarks[0].extra_info.leanner.time.median_s"]


@pytest.mark.parametrize(("parts", "place"), [((), ""), (("a", 3, "b"), "a[3].b"), ((0, 1), "[0][1]")])
def test_a_place_is_a_path(parts: tuple[str | int, ...], place: str) -> None:
    assert join(parts) == place
