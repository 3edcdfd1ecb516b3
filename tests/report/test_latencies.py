from __future__ import annotations

import gzip
import json

from typing import TYPE_CHECKING

import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.report.latencies import LatenciesError
from leanner.report.latencies import read_latencies
from leanner.report.latencies import store_latencies
from leanner.report.stored import damaged
from leanner.report.stored import locate


if TYPE_CHECKING:
    from pathlib import Path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0.0, 1e9), max_size=20))
def test_what_is_stored_is_read_to_the_last_bit(tmp_path: Path, latency_ms: list[float]) -> None:
    report = tmp_path / "bench.json"
    stored = store_latencies(report, "bf16.cpu", latency_ms, configuration="bf16", device="cpu")
    again = store_latencies(report, "bf16.cpu", latency_ms, configuration="bf16", device="cpu")

    assert again == stored
    assert damaged(report, {"latencies": stored.to_json()}) == []
    found = read_latencies(locate(report, stored.path))
    assert (found.case, found.latency_ms) == (("bf16", "cpu"), tuple(latency_ms))


def test_what_is_not_finite_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        store_latencies(tmp_path / "bench.json", "x", [float("nan")], configuration="x", device="cpu")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing", "expected a file of latencies"),
        (gzip.compress(b"{}")[:-4], "expected a file of latencies"),
        (gzip.compress(b'{"layout": 1}'), "expected this field, found none"),
        (
            gzip.compress(json.dumps({"layout": 2, "configuration": "x", "device": "y", "latency_ms": []}).encode()),
            "expected layout 1, found 2",
        ),
    ],
    ids=["gzip", "torn", "field", "layout"],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(content)

    with pytest.raises(LatenciesError, match=said):
        read_latencies(path)
