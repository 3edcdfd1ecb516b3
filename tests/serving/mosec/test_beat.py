from __future__ import annotations

import os

from pathlib import Path

from leanner.serving.mosec.beat import Beat
from leanner.serving.mosec.beat import Seen
from leanner.serving.mosec.beat import forget
from leanner.serving.mosec.beat import look


def test_a_worker_is_seen_with_its_batch(tmp_path: Path) -> None:
    assert look(tmp_path) is None
    beat = Beat.begin(tmp_path)
    idle = Seen(os.getpid(), 0.0)
    assert look(tmp_path) == idle
    with beat.busy():
        first, second = look(tmp_path), look(tmp_path)
        assert first is not None
        assert second is not None
        assert 0 < first.busy_s < second.busy_s < 60
    assert look(tmp_path) == idle
    forget(tmp_path)
    assert look(tmp_path) is None
    forget(tmp_path)
