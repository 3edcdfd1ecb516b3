from __future__ import annotations

from pathlib import Path

import pytest

from leanner.meters.errors import UnmeasurableError
from leanner.meters.zones import Zones
from leanner.meters.zones import discover
from meters import fake_sysfs
from meters.fake_sysfs import FakePowercap


def _keys(zones: Zones, domain: str) -> list[str]:
    return [zone.key for zone in zones.of(domain)]


def test_two_packages_with_core_and_dram(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)

    zones = discover(tree.root, tree.read)

    assert _keys(zones, "cpu_package") == ["intel-rapl:0", "intel-rapl:1"]
    assert _keys(zones, "cpu_core") == ["intel-rapl:0:0", "intel-rapl:1:0"]
    assert _keys(zones, "dram") == ["intel-rapl:0:1", "intel-rapl:1:1"]
    assert [zone.package for zone in zones.of("dram")] == [0, 1]
    assert {zone.range_uj for zone in zones.of("dram")} == {fake_sysfs.DRAM_RANGE_UJ}


def test_amd_has_a_package_and_no_dram(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)

    zones = discover(tree.root, tree.read)

    assert _keys(zones, "cpu_package") == ["intel-rapl:0"]
    assert _keys(zones, "dram") == []


def test_a_control_type_without_the_flat_links(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    for link in [path for path in tmp_path.iterdir() if path.is_symlink()]:
        link.unlink()

    zones = discover(tree.root, tree.read)

    assert _keys(zones, "cpu_package") == ["intel-rapl:0", "intel-rapl:1"]
    assert _keys(zones, "dram") == ["intel-rapl:0:1", "intel-rapl:1:1"]


def test_a_package_seen_through_mmio_alone_counts(tmp_path: Path) -> None:
    tree = FakePowercap(tmp_path)
    tree.add("intel-rapl-mmio:0", "package-0")

    assert _keys(discover(tree.root, tree.read), "cpu_package") == ["intel-rapl-mmio:0"]


def test_two_packages_of_the_same_name_with_their_own_counters_both_count(tmp_path: Path) -> None:
    # Kernels before 5.3 named every die of a package alike.
    tree = FakePowercap(tmp_path)
    tree.add("intel-rapl:0", "package-0", energy_uj=11_000_000_000)
    tree.add("intel-rapl:1", "package-0", energy_uj=29_000_000_000)

    assert _keys(discover(tree.root, tree.read), "cpu_package") == ["intel-rapl:0", "intel-rapl:1"]


def test_a_zone_without_a_name_is_left_out_and_said(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    tree.broken.add(tmp_path / "intel-rapl:1:1" / "name")

    zones = discover(tree.root, tree.read)

    assert _keys(zones, "dram") == ["intel-rapl:0:1"]
    assert zones.notes == ("RAPL zone intel-rapl:1:1 left out: its name cannot be read (Input/output error)",)


def test_a_folder_in_place_of_the_counter_is_a_reason(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    counter = tree.root / "intel-rapl" / "intel-rapl:0" / "energy_uj"
    counter.unlink()
    counter.mkdir()

    (zone,) = discover(tree.root).of("cpu_package")

    assert zone.reason == "intel-rapl:0: Is a directory"


def test_other_power_zones_are_not_taken_for_rapl(tmp_path: Path) -> None:
    FakePowercap(tmp_path).add("dtpm:0", "package-0")

    with pytest.raises(UnmeasurableError, match="no RAPL zone"):
        discover(tmp_path)
