from __future__ import annotations

import json

from dataclasses import fields
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.report.costs import Domain
from leanner.report.costs import Energy
from leanner.report.costs import Time
from leanner.report.record import CaseRecord
from leanner.report.record import F1Drop
from leanner.report.record import Verdict
from report.records import NO_METER
from report.records import energy
from report.records import not_run
from report.records import record


def test_a_record_has_every_field_and_its_schema() -> None:
    flat = record().to_json()

    assert next(iter(flat)) == "schema"
    assert set(flat) == {"schema", *(field.name for field in fields(CaseRecord))}
    assert json.loads(json.dumps(flat, allow_nan=False)) == flat


def test_energy_has_its_domains_beside_its_sums() -> None:
    flat = record(energy=energy(12.0)).to_json()["energy"]

    known = {"j": 12.0, "source": "rapl", "reason": None}
    assert flat["cpu_package"] == {**known, "systematic_pct": None, "random_pct": None, "detail": None}
    assert flat["rounds_j"] == [12.0]
    assert set(flat) == {"cpu_package", *(field.name for field in fields(Energy) if field.name != "domains")}
    assert not_run().to_json()["energy"] is None


def test_unknown_joules_keep_their_reason() -> None:
    flat = record().to_json()["energy"]

    assert flat["total_j"] is None
    assert (flat["cpu_package"]["j"], flat["cpu_package"]["reason"]) == (None, NO_METER)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_a_number_that_is_not_finite_is_refused_with_its_place(value: float) -> None:
    with pytest.raises(ValueError, match=r"expected a finite number at time\.rounds_s\[1\], found"):
        record(time=Time((1.0, value), 1.0, 1.0, 1.0, 0.0, 1, 1)).to_json()
    with pytest.raises(ValueError, match=r"at f1\.by_corpus\.tmvar\.micro"):
        record(f1={"by_corpus": {"tmvar": {"micro": value}}}).to_json()
    with pytest.raises(ValueError, match=r"at energy\.domains\.gpu\.j"):
        record(energy=replace(energy(1.0), domains={"gpu": Domain(value, "rapl", None)})).to_json()


@pytest.mark.parametrize(
    "value",
    [np.float32(1.0), np.int64(1), np.bool_(True), {1, 2}, Path("x"), b"bytes", object()],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_json_form_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(ValueError, match=rf"expected a JSON value at files\.traces, found {type(value).__name__}"):
        record(files={"traces": value}).to_json()


def test_values_are_plain_built_ins() -> None:
    flat = record(
        verdict=Verdict.INCONCLUSIVE, f1_drop=F1Drop(np.float64(0.5), None, None, None), environment={"isa": ("avx2",)}
    ).to_json()

    assert type(flat["verdict"]) is str
    assert flat["verdict"] == "inconclusive"
    assert type(flat["f1_drop"]["points"]) is float
    assert flat["environment"] == {"isa": ["avx2"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_what_json_can_say_comes_back(value: dict[str, object]) -> None:
    flat = record(environment=value).to_json()

    assert json.loads(json.dumps(flat, allow_nan=False))["environment"] == value


def test_sources_are_those_of_known_joules() -> None:
    domains = {
        "cpu_package": Domain(1.0, "rapl", None),
        "dram": Domain(1.0, "rapl", None),
        "gpu": Domain(None, "none", "no GPU"),
    }
    assert replace(energy(2.0), domains=domains).sources == ("rapl",)
    assert energy(None).sources == ()
