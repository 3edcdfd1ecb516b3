from __future__ import annotations

import json

from dataclasses import replace
from typing import Any

import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings

from leanner.report.parse import ParseError
from leanner.report.parse import record_from_json
from leanner.report.record import CaseRecord
from report.made_up import dataclass_instances
from report.records import energy
from report.records import not_run
from report.records import record


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(dataclass_instances(CaseRecord))
def test_it_is_the_inverse_of_to_json(made_up: CaseRecord) -> None:
    flat = json.loads(json.dumps(made_up.to_json(), allow_nan=False))

    assert record_from_json(flat) == made_up
    assert record_from_json(flat).to_json() == flat


@pytest.mark.parametrize("known", [record(), record(energy=energy(12.0)), not_run()])
def test_records_as_they_are_come_back(known: CaseRecord) -> None:
    back = record_from_json(known.to_json())

    assert back == known
    assert type(back.verdict) is type(known.verdict)
    assert type(back.passes) is tuple


def put(place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return a record's JSON with ``value`` at ``place``."""
    flat: Any = record(energy=energy(12.0)).to_json()
    inner = flat
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    return dict(flat)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("energy", "rounds_j"), [1.0, 2.0, "x"], 'energy.rounds_j[2]: expected a number or null, found "x"'),
        (("energy", "rounds_j"), None, "energy.rounds_j: expected a list, found null"),
        (("energy", "cpu_package", "j"), True, "energy.cpu_package.j: expected a number or null, found true"),
        (("energy", "cpu_package", "source"), None, "energy.cpu_package.source: expected a text, found null"),
        (("energy", "total"), 3, "energy.total: expected one of the fields rounds_j, total_j, "),
        (("energy", "wall"), {}, "energy.wall.j: expected this field, found none"),
        (("energy", "marginal"), [], "energy.marginal: expected an object or null, found []"),
        (("time", "rounds_s"), [1.0, None], "time.rounds_s[1]: expected a number, found null"),
        (("time", "rounds_s"), [1.0, float("nan")], "time.rounds_s[1]: expected a number, found NaN"),
        (("time", "median_s"), float("inf"), "time.median_s: expected a number or null, found Infinity"),
        (("time", "seconds"), 1.0, "time.seconds: expected one of the fields rounds_s, "),
        (("latency_ms", "sentences"), 1.5, "latency_ms.sentences: expected a whole number, found 1.5"),
        (("suspect",), 1, "suspect: expected true or false, found 1"),
        (("verdict",), "good", "verdict: expected one of pass, fail, inconclusive, recorded, not-run, error, found"),
        (("verdict",), ["pass"], "verdict: expected one of pass, "),
        (("served",), 3, "served: expected an object or null, found 3"),
        (("passes",), [1], "passes[0]: expected an object, found 1"),
        (("f1", "by_corpus"), {"tmvar": {"micro": float("nan")}}, "f1.by_corpus.tmvar.micro: expected a JSON value, "),
        (("unknown", "f1"), None, "unknown.f1: expected a text, found null"),
        (("bogus",), "x" * 200, "bogus: expected one of the fields configuration, family, "),
        (("schema",), 2, "schema: expected at most 1, found 2: a newer leanner wrote it; update leanner"),
        (("schema",), "1", 'schema: expected a whole number from 1 to 1, found "1"'),
        (("schema",), 0, "schema: expected a whole number from 1 to 1, found 0"),
        (("schema",), True, "schema: expected a whole number from 1 to 1, found true"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_an_error_names_the_place(place: tuple[str | int, ...], value: object, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        record_from_json(put(place, value))

    assert str(caught.value).startswith(message)
    with pytest.raises(ParseError) as caught:
        record_from_json(put(place, value), "cases[3]")
    assert str(caught.value).startswith(f"cases[3].{message}")


@pytest.mark.parametrize("data", [None, [], "record", 3])
def test_what_is_no_object_is_no_record(data: object) -> None:
    with pytest.raises(ParseError, match=r"^record: expected an object, found "):
        record_from_json(data)


def test_a_missing_field_is_named_unless_it_has_a_default() -> None:
    flat = record().to_json()
    del flat["verdict"]
    with pytest.raises(ParseError, match=r"^verdict: expected this field, found none"):
        record_from_json(flat)

    older = record().to_json()
    del older["schema"]
    with pytest.raises(ParseError, match=r"^schema: expected the schema's version"):
        record_from_json(older)

    older = record().to_json()
    for name in ("gpu", "sampler", "quality"):
        del older[name]
    assert record_from_json(older) == replace(record(), gpu=None, sampler=None, quality=())


def test_whole_numbers_stay_whole_where_any_number_will_do() -> None:
    flat = put(("time", "rounds_s"), [2, 2.5])

    assert json.dumps(record_from_json(flat).to_json()) == json.dumps(flat)
