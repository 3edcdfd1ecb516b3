from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import time

from collections.abc import Callable
from itertools import count
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.meters import EnergyDomain
from leanner.meters.combine import Equipment
from leanner.meters.combine import combine
from leanner.meters.device import Gpu
from leanner.meters.device import PowerField
from leanner.meters.equipment_json import equipment_to_json
from leanner.meters.errors import MeterError
from leanner.meters.errors import TraceFileError
from leanner.meters.plugged import plugged_domain
from leanner.meters.stored import StoredCase
from leanner.meters.stored import StoredWindow
from leanner.meters.stored import read_traces
from leanner.meters.stored import write_traces
from leanner.meters.trace import Health
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace
from leanner.meters.trace_json import trace_to_json
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones
from meters.drawn import DrawnWindow
from meters.drawn import Machine
from meters.drawn import drive
from meters.drawn import windows


PLUGGED = {
    "wall": plugged_domain("wall", 12.5, None, "plug 3"),
    "ups": plugged_domain("ups", None, "it is away"),
}


def equipment(**changes: Any) -> Equipment:  # noqa: ANN401 - any field
    gpu = Gpu(object(), "GPU-1", "H200", counter=True, power=PowerField("instant", "gpu", lambda: 0), shared=None)
    zone = Zone("intel-rapl:0", "cpu_package", 0, Path("/sys/0/energy_uj"), 65_532_610_987, None)
    plain = Equipment("auto", "cuda", Zones((zone,)), None, 1, gpu, None, None, synchronized=True)
    return dataclasses.replace(plain, **changes)


def case(*, rounds: int = 2) -> StoredCase:
    machine = Machine(equipment(), Random(7), failing=0.1)
    starts = [10**9 * number for number in range(1, 1 + rounds)]
    kept = [StoredWindow("round", drive(machine, 5, start), 3, 200, 10**9, PLUGGED) for start in starts]
    return StoredCase("int8", machine.equipment, tuple(kept))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def rewrite(path: Path, content: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in content).encode()))


def by_source(trace: Trace) -> dict[str, list[Sample]]:
    return {name: list(trace.of(name)) for name in {sample.source for sample in trace.samples}}


def without_handles(found: Equipment) -> Equipment:
    if found.gpu is None:
        return found
    power = found.gpu.power and dataclasses.replace(found.gpu.power, read_mw=int)
    return dataclasses.replace(found, gpu=dataclasses.replace(found.gpu, handle=None, power=power))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows(), peak_b=st.none() | st.integers(0, 2**45), sentences=st.none() | st.integers(0, 10**6))
def test_what_is_read_back_gives_the_same_reading(
    tmp_path: Path, window: DrawnWindow, peak_b: int | None, sentences: int | None
) -> None:
    machine, trace = window.equipment, window.trace
    stored = StoredWindow("prefix", trace, 4, sentences, peak_b, PLUGGED)

    write_traces(tmp_path / "a.jsonl.gz", StoredCase("a", machine, (stored,)))
    back = read_traces(tmp_path / "a.jsonl.gz")

    (again,) = back.windows
    assert again.reading(back.equipment) == stored.reading(machine)
    assert combine(back.equipment, again.trace, again.peak_allocated_b) == combine(machine, trace, peak_b)
    assert without_handles(back.equipment) == without_handles(machine)
    assert by_source(again.trace) == by_source(trace)
    assert dataclasses.replace(again.trace, samples=()) == dataclasses.replace(trace, samples=())
    assert dataclasses.replace(again, trace=trace) == stored


def test_a_window_without_samples_and_a_case_without_windows_are_kept(tmp_path: Path) -> None:
    empty = Trace(5, 5, 0.1, (), Health(0, 0.0, None, None))
    path = tmp_path / "cpu.jsonl.gz"

    for kept in ((StoredWindow("idle-bare", empty, 0),), ()):
        stored = StoredCase(None, equipment(gpu=None), kept)
        write_traces(path, stored)
        assert read_traces(path) == stored


def test_the_same_content_has_the_same_bytes_and_their_digest_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Naive: gzip puts the time of day into its header.
    hours = count(1_000_000, 3600)
    monkeypatch.setattr(time, "time", lambda: next(hours))
    digests = [write_traces(tmp_path / name, case()) for name in ("a.jsonl.gz", "b.jsonl.gz")]

    content = (tmp_path / "a.jsonl.gz").read_bytes()
    assert content == (tmp_path / "b.jsonl.gz").read_bytes()
    assert digests == [hashlib.sha256(content).hexdigest()] * 2


@settings(max_examples=300)
@given(peak_b=st.integers(0, 2**50))
def test_the_allocators_bytes_are_found_again_in_a_reading(peak_b: int) -> None:
    trace = Trace(5, 5, 0.1, (), Health(0, 0.0, None, None))

    assert StoredWindow.of(combine(equipment(), trace, peak_b)).peak_allocated_b == peak_b


def test_a_window_is_made_of_its_reading() -> None:
    window = case().windows[0]

    assert StoredWindow.of(window.reading(equipment()), "round", rounds=3, sentences=200) == window


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written_and_leaves_the_old_file(tmp_path: Path, number: float) -> None:
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    before = path.read_bytes()
    trace = dataclasses.replace(case().windows[0].trace, interval_s=number)

    with pytest.raises(ValueError, match=r"a\.jsonl\.gz:2: expected finite numbers"):
        write_traces(path, StoredCase("a", equipment(), (StoredWindow("round", trace),)))

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_breaks_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Naive: open(path, "w") empties the file before anything is in it.
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_traces(path, case(rounds=1))

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    content = path.read_bytes()

    for length in [*range(40), *range(40, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(TraceFileError, match=r"a\.jsonl\.gz:?.*(record|again)"):
            read_traces(path)


@pytest.mark.parametrize(
    "content",
    [
        b"not compressed\n",
        gzip.compress(b"words\n", mtime=0),
        gzip.compress(b'{"a": 1}\n', mtime=0),
        gzip.compress(b"[1]\n", mtime=0),
        gzip.compress(b'{"leanner-traces": NaN}\n', mtime=0),
        gzip.compress(b'{"leanner-traces": 1e999}\n', mtime=0),
        gzip.compress(b"\xff\n", mtime=0),
        gzip.compress(b'{"leanner-traces": 2}', mtime=0),
    ],
)
def test_a_foreign_file_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(content)

    with pytest.raises(TraceFileError, match=r"a\.jsonl\.gz:1: expected .*record"):
        read_traces(path)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_where_it_stands(tmp_path: Path, number: str) -> None:
    # Naive: Python reads all three, and a joule that is NaN is within every bound.
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace('"interval_s":0.1', f'"interval_s":{number}').encode()))

    with pytest.raises(TraceFileError, match=rf"a\.jsonl\.gz:2: expected .*{number}"):
        read_traces(path)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    header, *rest = lines(path)
    rewrite(path, [{**header, "leanner-traces": 1}, *rest])

    with pytest.raises(TraceFileError, match=r":1: expected traces of layout 2, found layout 1; .*version"):
        read_traces(path)


def test_a_missing_window_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    rewrite(path, lines(path)[:-1])

    with pytest.raises(TraceFileError, match=r"gz:2: expected 2 windows, as line 1 says, found 1; "):
        read_traces(path)


def _set(*keys: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(line: dict[str, Any]) -> None:
        for key in keys[:-1]:
            line = line[key]
        if to is None:
            del line[keys[-1]]
        else:
            line[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (1, _set("equipment", to=None), "a member 'equipment'"),
        (1, _set("equipment", "mode", to="always"), "'mode' to be one of auto, require"),
        (1, _set("equipment", "synchronized", to=1), "'synchronized' to be true or false"),
        (1, _set("equipment", "zones", "found", to=[{}]), "zone 1: expected a member 'key'"),
        (1, _set("equipment", "gpu", "power", to="instant"), "expected a JSON object, found 'instant'"),
        (1, _set("windows", to=-1), "'windows' to be 0 or more"),
        (2, _set("kind", to="lap"), "'kind' to be one of idle-bare"),
        (2, _set("rounds", to=True), "'rounds' to be an integer, found True"),
        (2, _set("sentences", to="many"), "'sentences' to be an integer, found 'many'"),
        (2, _set("window_ns", to=-1), "'window_ns' to be 0 or more"),
        (2, _set("interval_s", to="0.1"), "'interval_s' to be a number"),
        (2, _set("plugged", "ups", "reason", to=None), "a member 'reason'"),
        (2, _set("plugged", "ups", "j", to=4), r"joules, or null and a reason, found \(4, 'it is away'\)"),
        (2, _set("sources", "rapl", "moments", to="(..)"), "'moments' of length"),
        (2, _set("sources", "rapl", "moments", to="(.....x"), "'moments' to be of"),
        (2, _set("sources", "rapl", "t_ns", to=[5, 4, 3, 2, 1, 0, 0]), "in the order of time, found 4"),
        (2, _set("sources", "rapl", "t_ns", to="now"), "'t_ns' to be a list"),
        (2, _set("sources", "rapl", "values", "intel-rapl:0", to=[1]), "7 values of 'intel-rapl:0'"),
        (2, _set("sources", "rapl", "values", "intel-rapl:0", to=["1"] * 7), "a number or null in 'intel-rapl:0'"),
        (2, _set("sources", "rapl", "failures", "x", to=[[7, "error"]]), "a row below 7 and a text in 'x'"),
    ],
)
def test_a_change_that_is_no_trace_any_more_is_told_by_line(
    tmp_path: Path, number: int, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, case())
    content = lines(path)
    change(content[number - 1])
    rewrite(path, content)

    with pytest.raises(TraceFileError, match=rf"a\.jsonl\.gz:{number}: .*{message}.*record it again"):
        read_traces(path)


def _names(kind: type, *, but: tuple[str, ...] = ()) -> set[str]:
    return {member.name for member in dataclasses.fields(kind)} - set(but)


def test_no_field_is_forgotten() -> None:
    # Naive: a field that somebody adds is lost on the way to the file.
    there: Any = equipment_to_json(equipment())
    trace: Any = trace_to_json(case().windows[0].trace)

    assert set(there) == _names(Equipment)
    assert set(there["zones"]) == _names(Zones)
    assert set(there["zones"]["found"][0]) == _names(Zone)
    assert set(there["gpu"]) == _names(Gpu, but=("handle",))
    assert set(there["gpu"]["power"]) == _names(PowerField, but=("read_mw",))
    assert set(trace) == _names(Trace, but=("end_ns", "samples")) | {"window_ns", "sources"}
    assert set(trace["health"]) == _names(Health)
    assert _names(Sample) == {"source", "moment", "t_ns", "values", "failures"}
    assert _names(EnergyDomain) >= {"j", "reason", "detail"}


def test_a_gpu_from_a_file_cannot_be_read(tmp_path: Path) -> None:
    write_traces(tmp_path / "a.jsonl.gz", case())
    gpu = read_traces(tmp_path / "a.jsonl.gz").equipment.gpu
    assert gpu is not None
    assert gpu.power is not None

    with pytest.raises(MeterError, match="found one from a recording"):
        gpu.power.read_mw()


def test_times_and_values_are_compact(tmp_path: Path) -> None:
    # A round of 20 s with every source: some bytes a sample.
    machine = Machine(equipment(), Random(1), failing=0.0)
    trace = drive(machine, 200)
    path = tmp_path / "a.jsonl.gz"
    write_traces(path, StoredCase("a", machine.equipment, (StoredWindow("round", trace),)))

    (window,) = lines(path)[1:]
    assert all(earlier <= later for earlier, later in pairwise(window["sources"]["rapl"]["t_ns"]))
    assert window["sources"]["rapl"]["t_ns"][0] < 0
    assert path.stat().st_size < 25 * len(trace.samples)
