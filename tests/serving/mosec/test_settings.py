from __future__ import annotations

from pathlib import Path

from leanner.serving.batching import DynamicBatching
from leanner.serving.mosec.settings import Settings
from leanner.serving.mosec.state import State
from serving.toys import toy


def test_what_is_told_is_read(tmp_path: Path) -> None:
    told = Settings(3, toy(call_s=0.5), DynamicBatching(4, 2.5), 8080, 100, 30.0, 1000, 5, 120.0)
    told.write(tmp_path)
    assert Settings.read(tmp_path) == told


def test_a_state_that_was_not_written_is_that_of_nothing(tmp_path: Path) -> None:
    assert State.read(tmp_path) == State(starts=0, ready=False, session=0)
    State(2, ready=True, session=7).write(tmp_path)
    assert State.read(tmp_path) == State(2, ready=True, session=7)
