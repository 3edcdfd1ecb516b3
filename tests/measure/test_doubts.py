from __future__ import annotations

from dataclasses import replace

import pytest

from leanner.measure.doubts import is_suspect
from leanner.measure.doubts import notes_of
from leanner.measure.joules import Metered
from leanner.measure.prefixes import Prefix
from leanner.meters import Idle
from leanner.meters import Reading
from measure.readings import reading


QUIET = Idle(3.0, {"cpu_package": 1.0}, {})


def noting(*quality: str) -> Reading:
    """A window that notes this."""
    return replace(reading(), quality=quality)


def rest(*quality: str) -> Idle:
    """Rest that notes this."""
    return replace(QUIET, quality=quality)


def test_what_every_window_of_rounds_notes_is_said_once() -> None:
    metered = Metered([noting("a whole package")] * 3, 1, QUIET, QUIET, QUIET, ())

    assert notes_of(metered) == ["a whole package"]


def test_notes_of_a_kind_are_said_once_with_the_number_of_windows() -> None:
    metered = Metered([noting("paused for 0.3 s"), noting("paused for 0.4 s"), noting()], 1, None, None, None, ())

    assert notes_of(metered) == ["paused for 0.4 s (2 of 3 windows)"]


def test_what_rest_and_prefixes_note_is_said_of_them() -> None:
    # Naive: what was wrong at rest, and so with the net, is known to nobody.
    metered = Metered(
        readings=[noting("a whole package")] * 2,
        per_window=1,
        bare=rest("a whole package"),
        before=rest("a whole package", "processes on the GPU: 17"),
        after=rest("a whole package"),
        prefixes=[Prefix(10, 1, noting("a whole package", f"short window: 0.{n} s")) for n in (1, 2)],
    )

    assert notes_of(metered) == [
        "a whole package",
        "at rest: processes on the GPU: 17 (1 of 3 windows)",
        "prefix: short window: 0.2 s (2 of 2 windows)",
    ]


def test_what_some_rounds_note_is_said_of_rest_too() -> None:
    metered = Metered([noting("processes: 17"), noting()], 1, None, rest("processes: 17"), rest("processes: 17"), ())

    assert notes_of(metered) == ["processes: 17 (1 of 2 windows)", "at rest: processes: 17"]


@pytest.mark.parametrize("which", ["none", "round", "before", "after", "prefix"])
def test_joules_are_in_doubt_where_a_window_that_they_are_made_of_is(which: str) -> None:
    doubtful = replace(QUIET, suspect=True)
    metered = Metered(
        readings=[reading(), replace(reading(), suspect=which == "round")],
        per_window=1,
        bare=doubtful,  # it is shown, and in no other number
        before=doubtful if which == "before" else QUIET,
        after=doubtful if which == "after" else QUIET,
        prefixes=[Prefix(10, 1, replace(reading(), suspect=which == "prefix"))],
    )

    assert is_suspect(metered) is (which != "none")
