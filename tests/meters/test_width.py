from __future__ import annotations

from dataclasses import replace

import pytest

from leanner.meters.reading import EnergyDomain
from leanner.meters.uncertainty import NORMAL_95
from leanner.meters.uncertainty import Uncertainty
from leanner.meters.width import notes


def energy(systematic_j: float, random_j: float, name: str = "gpu") -> dict[str, EnergyDomain]:
    """100 J of one domain whose random part is ± ``random_j``; the others have no meter."""
    uncertainty = Uncertainty(systematic_j, random_j / NORMAL_95)
    known = EnergyDomain(100.0, "nvml-power", uncertainty=uncertainty)
    nothing = EnergyDomain.unknown("no meter")
    return {"cpu_package": nothing, "cpu_core": nothing, "dram": nothing, "gpu": nothing} | {name: known}


@pytest.mark.parametrize("name", ["gpu", "cpu_package"])
def test_what_is_narrow_says_nothing(name: str) -> None:
    assert notes(energy(5.3, 0.9, name), 10.0) == []


@pytest.mark.parametrize("name", ["gpu", "cpu_package"])
def test_too_much_at_random_is_said(name: str) -> None:
    (note,) = notes(energy(2.0, 1.5, name), 10.0)

    assert note.startswith(f"{name}: joules to ±")
    assert "of which ±1.5 % are random, where windows of 10 s promise 6 and 1" in note


def test_too_much_in_all_is_said() -> None:
    (note,) = notes(energy(8.0, 0.1), 12.0)

    assert note.startswith("gpu: joules to ±7.")


def test_short_windows_promise_nothing() -> None:
    assert notes(energy(8.0, 5.0), 9.99) == []


def test_the_sensor_of_dram_is_worse_and_known_to_be() -> None:
    assert notes(energy(20.0, 0.1, "dram"), 10.0) == []


@pytest.mark.parametrize("without", [{"j": 0.0}, {"uncertainty": None}])
def test_what_has_no_width_says_nothing(without: dict[str, object]) -> None:
    wide = energy(8.0, 5.0)
    wide["gpu"] = replace(wide["gpu"], **without)  # type: ignore[arg-type]

    assert notes(wide, 10.0) == []
