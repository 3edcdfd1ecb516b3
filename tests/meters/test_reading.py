from __future__ import annotations

import pytest

from leanner.meters import EnergyDomain


@pytest.mark.parametrize(
    ("j", "source", "reason"),
    [(1.0, "none", None), (None, "rapl", "why"), (None, "none", None), (1.0, "rapl", "why")],
)
def test_joules_have_a_source_and_none_has_a_reason(j: float | None, source: str, reason: str | None) -> None:
    with pytest.raises(ValueError, match="expected joules with a source"):
        EnergyDomain(j, source, reason)  # type: ignore[arg-type]
