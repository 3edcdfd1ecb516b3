from __future__ import annotations

import subprocess
import sys

from types import SimpleNamespace

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.floor import Held
from leanner.measure.floor import held
from leanner.measure.floor import left_behind
from leanner.measure.floor import note
from leanner.measure.floor import without
from leanner.meters.processes import ProcessTree


AMOUNTS = st.none() | st.floats(0, 1e5)


@given(AMOUNTS, AMOUNTS)
def test_what_is_left_behind_is_what_is_more_than_at_first(first: float | None, now: float | None) -> None:
    behind = left_behind(Held(first, first), Held(now, None))

    assert behind.vram_mb is None
    if first is None or now is None:
        assert behind.host_mb is None
    else:
        assert behind.host_mb == max(0.0, now - first)


def test_what_tensors_take_is_told_from_what_is_reserved_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        synchronize=lambda _: None,
        empty_cache=lambda: None,
        memory_reserved=lambda _: 30_000_000,
        memory_allocated=lambda _: 20_000_000,
    )
    torch = SimpleNamespace(cuda=cuda)
    monkeypatch.setattr("leanner.measure.floor.importlib", SimpleNamespace(import_module=lambda _: torch))

    now = held("cuda:0")

    assert (now.vram_mb, now.vram_allocated_mb) == (30.0, 20.0)
    behind = left_behind(Held(None, 10.0, 5.0), now)
    assert (behind.vram_mb, behind.vram_allocated_mb) == (20.0, 15.0)


@given(st.floats(0, 1e5), AMOUNTS)
def test_no_peak_is_below_nothing(peak: float, behind: float | None) -> None:
    own = without(peak, behind)

    assert own == peak - (behind or 0.0) if peak >= (behind or 0.0) else own is None


#: In a process of its own: another test's threads may take memory meanwhile.
HOLD = """
from leanner.measure.floor import held
before = held("cpu")
block = bytearray(b"x" * 80_000_000)
with_block = held("cpu")
del block
after = held("cpu")
print(before.vram_mb, with_block.host_mb - before.host_mb, after.host_mb - before.host_mb)
"""


def test_memory_of_this_process_is_held_until_it_is_freed() -> None:
    result = subprocess.run([sys.executable, "-c", HOLD], capture_output=True, text=True, check=True)

    vram, more, left = result.stdout.split()
    assert vram == "None"
    assert float(more) == pytest.approx(80.0, abs=8.0)
    assert float(left) == pytest.approx(0.0, abs=8.0)


def test_where_the_kernel_does_not_tell_it_is_unknown() -> None:
    class Closed(ProcessTree):
        def pss_b(self, pids: frozenset[int]) -> int:
            raise PermissionError(13, f"no look at {len(pids)} processes")

    assert held("cpu", Closed()) == Held(None, None)


def test_f33_what_earlier_cases_left_is_said() -> None:
    assert note(Held(10.0, None)) is None
    assert note(Held(None, None)) is None
    text = note(Held(130.4, 512.0))
    assert text is not None
    assert text.startswith("earlier cases left 130 MB of host memory and 512 MB of VRAM behind")
