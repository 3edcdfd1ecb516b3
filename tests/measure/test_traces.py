from __future__ import annotations

import math

from dataclasses import replace

import pytest

from leanner.measure.joules import Metered
from leanner.measure.prefixes import Prefix
from leanner.measure.traces import as_measured
from leanner.measure.traces import as_stored
from leanner.measure.traces import metered_of
from leanner.meters import RecordingMeter
from leanner.meters import measure_idle
from leanner.meters.stored import StoredCase
from leanner.meters.stored import StoredWindow
from leanner.meters.thin import LEAST
from meters.fake_sysfs import QuickPowercap
from meters.rig import Rig


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Metered, StoredCase]:
    """A case of long windows, as it was measured and as it was recorded; its power wanders."""
    tree = QuickPowercap(tmp_path_factory.mktemp("powercap"))
    tree.add("intel-rapl:0", "package-0")
    rig = Rig(tree, interval_s=0.01)

    def wait(seconds: float) -> None:
        rig.pass_time(
            round(seconds / rig.interval_s), lambda n: tree.spend("intel-rapl:0", 0.3 + 0.1 * math.sin(n / 30))
        )

    with rig.meter() as inner, RecordingMeter(inner) as meter:
        meter.begin_case("bf16")
        rest = {}
        for kind in ("idle-bare", "idle-before", "idle-after"):
            rest[kind] = measure_idle(meter, 3.0, wait, kind=kind)
        readings = []
        for _ in range(3):
            with meter.window("round", rounds=2, sentences=50) as window:
                wait(2.0)
            readings.append(window.reading)
        with meter.window("prefix", rounds=4, sentences=25) as window:
            wait(2.0)
        parts = [Prefix(25, 4, window.reading)]
        metered = Metered(readings, 2, rest["idle-bare"], rest["idle-before"], rest["idle-after"], parts)
        return metered, meter.recorded


def test_what_was_recorded_gives_what_was_measured(measured: tuple[Metered, StoredCase]) -> None:
    metered, recorded = measured

    assert metered_of(recorded) == metered
    assert as_stored(metered, recorded) == metered


def test_what_was_thinned_gives_what_is_stored(measured: tuple[Metered, StoredCase]) -> None:
    metered, recorded = measured
    stored = recorded.thinned(LEAST)
    assert all(window.thinned_from is not None for window in stored.windows)

    again = as_stored(metered, stored)

    assert again == metered_of(stored)
    assert again.before != metered.before
    assert again.before is not None
    assert metered.before is not None
    assert again.before.watts["cpu_package"] == pytest.approx(metered.before.watts["cpu_package"])


def test_what_is_said_of_a_reading_stays_when_it_is_thinned(measured: tuple[Metered, StoredCase]) -> None:
    # Naive: a replay of other work is suspect, until its trace is thinned.
    metered, recorded = measured
    doubtful = [
        replace(reading, suspect=True, replayed="a file", quality=(*reading.quality, "other work"))
        for reading in metered.readings
    ]

    assert metered.after is not None
    rest = replace(metered.after, suspect=True, quality=(*metered.after.quality, "another process"))

    again = as_stored(replace(metered, readings=doubtful, after=rest), recorded.thinned(LEAST))

    assert again.after is not None
    assert (again.after.suspect, again.after.quality) == (True, rest.quality)
    assert again.before is not None
    assert not again.before.suspect
    assert all(reading.suspect for reading in again.readings)
    assert {reading.replayed for reading in again.readings} == {"a file"}
    assert all("other work" in reading.quality for reading in again.readings)


def test_windows_of_rounds_behind_the_measured_ones_are_left_out(measured: tuple[Metered, StoredCase]) -> None:
    _, recorded = measured

    assert as_measured(recorded, 3) == recorded
    kinds = [window.kind for window in as_measured(recorded, 2).windows]
    assert kinds == ["idle-bare", "idle-before", "idle-after", "round", "round", "prefix"]
    assert as_measured(recorded, 2).windows[3:5] == recorded.windows[3:5]


def test_rest_that_was_not_measured_stays_unknown(measured: tuple[Metered, StoredCase]) -> None:
    metered, recorded = measured
    alone = replace(recorded, windows=tuple(window for window in recorded.windows if "idle" not in window.kind))

    again = metered_of(alone)

    assert (again.bare, again.before, again.after) == (None, None, None)
    without = replace(metered, bare=None, before=None, after=None)
    assert as_stored(without, alone.thinned(LEAST)).before is None


@pytest.mark.parametrize(("rounds", "found"), [((), "none"), ((2, 3), r"\[2, 3\]")])
def test_windows_of_rounds_hold_as_many_each(
    measured: tuple[Metered, StoredCase], rounds: tuple[int, ...], found: str
) -> None:
    trace = measured[1].windows[3].trace
    windows = tuple(StoredWindow("round", trace, number) for number in rounds)

    with pytest.raises(ValueError, match=f"expected windows of equally many rounds, found {found}"):
        metered_of(replace(measured[1], windows=windows))
