from __future__ import annotations

from pathlib import Path

import pytest

from meters import fake_sysfs
from meters.rig import Rig


def test_joules_by_domain_and_their_total(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)

    def step(_: int) -> None:
        for package in (0, 1):
            tree.spend(f"intel-rapl:{package}", 5.0)
            tree.spend(f"intel-rapl:{package}:0", 3.0)
            tree.spend(f"intel-rapl:{package}:1", 1.0)
        tree.spend("intel-rapl:2", 20.0)

    reading = Rig(tree, sockets=2).run(10, step)

    assert reading.window_s == pytest.approx(1.0)
    assert reading.energy["cpu_package"].j == pytest.approx(100.0)
    assert reading.energy["cpu_package"].source == "rapl"
    assert reading.energy["cpu_package"].detail == "intel-rapl:0, intel-rapl:1"
    assert reading.energy["cpu_core"].j == pytest.approx(60.0)
    assert reading.energy["dram"].j == pytest.approx(20.0)
    assert reading.total_j == pytest.approx(120.0)
    assert reading.power.of == "cpu_package"
    assert reading.power.mean_w == pytest.approx(100.0)
    assert reading.power.peak_w == pytest.approx(100.0)


def test_peak_power_is_the_highest_interval_also_where_it_wraps(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    tree.set("intel-rapl:0", fake_sysfs.AMD_RANGE_UJ - 5_000_000)

    reading = Rig(tree).run(4, lambda n: tree.spend("intel-rapl:0", (2.0, 9.0, 4.0, 1.0)[n]))

    assert reading.power.mean_w == pytest.approx(40.0)
    assert reading.power.peak_w == pytest.approx(90.0)


def test_a_cpu_without_dram_zone_has_a_total_and_says_what_it_lacks(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)

    reading = Rig(tree).run(2, lambda _: tree.spend("intel-rapl:0", 7.0))

    assert reading.total_j == pytest.approx(14.0)
    assert reading.energy["dram"].j is None
    assert reading.energy["dram"].reason == "this CPU has no dram zone"
    assert "total without DRAM: this CPU has no DRAM zone" in reading.quality


def test_a_dram_zone_that_cannot_be_read_makes_the_total_unknown(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    tree.denied.add(tree.counter("intel-rapl:1:1"))

    def step(_: int) -> None:
        tree.spend("intel-rapl:0", 4.0)
        tree.spend("intel-rapl:1", 3.0)

    reading = Rig(tree, sockets=2).run(2, step)

    assert reading.energy["cpu_package"].j == pytest.approx(14.0)
    assert reading.energy["dram"].j is None
    assert reading.total_j is None
    assert reading.total_reason is not None
    assert reading.total_reason.startswith("dram: intel-rapl:1:1: permission denied")


def test_a_socket_without_a_zone_is_missing_joules(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)

    reading = Rig(tree, sockets=2).run(2, lambda _: tree.spend("intel-rapl:0", 7.0))

    assert reading.energy["cpu_package"].j is None
    assert "2 CPU sockets, but package zones of only 1" in (reading.energy["cpu_package"].reason or "")


def test_a_counter_that_does_not_move_is_unknown_not_zero(tmp_path: Path) -> None:
    reading = Rig(fake_sysfs.amd(tmp_path)).run(2)

    assert reading.energy["cpu_package"].j is None
    assert "did not move" in (reading.energy["cpu_package"].reason or "")


@pytest.mark.parametrize(("still", "domain"), [("intel-rapl:1", "cpu_package"), ("intel-rapl:0:1", "dram")])
def test_one_counter_that_stands_still_makes_its_domain_unknown(tmp_path: Path, still: str, domain: str) -> None:
    # Naive: one of two sockets adds 0 J.
    tree = fake_sysfs.intel(tmp_path)

    def step(_: int) -> None:
        for key in {"intel-rapl:0", "intel-rapl:1", "intel-rapl:0:1", "intel-rapl:1:1"} - {still}:
            tree.spend(key, 10.0)

    reading = Rig(tree, sockets=2).run(100, step)

    reason = f"{still}: the counter did not move within the window of 10.000 s"
    assert (reading.energy[domain].j, reading.energy[domain].reason) == (None, reason)
    assert reading.total_reason == f"{domain}: {reason}"
    other = "dram" if domain == "cpu_package" else "cpu_package"
    assert reading.energy[other].j == pytest.approx(2000.0)


def test_a_window_of_few_updates_is_too_short_to_tell_that_a_counter_stands_still(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)

    reading = Rig(tree, sockets=2, interval_s=0.004).run(2, lambda _: tree.spend("intel-rapl:0", 1.0))

    assert reading.energy["cpu_package"].j == pytest.approx(2.0)


@pytest.mark.parametrize("with_dram", [(0,), (1,)])
def test_memory_of_one_of_two_sockets_is_not_all_of_it(tmp_path: Path, with_dram: tuple[int, ...]) -> None:
    tree = fake_sysfs.FakePowercap(tmp_path)
    for number in (0, 1):
        tree.add(f"intel-rapl:{number}", f"package-{number}", energy_uj=(number + 1) * 1_000_000_000)
    for number in with_dram:
        tree.add(f"intel-rapl:{number}:0", "dram")

    def step(_: int) -> None:
        for key in ("intel-rapl:0", "intel-rapl:1", *(f"intel-rapl:{number}:0" for number in with_dram)):
            tree.spend(key, 2.0)

    reading = Rig(tree, sockets=2).run(10, step)

    reason = (
        f"expected DRAM zones of the same packages as the package zones (0, 1), found those of {with_dram[0]}: "
        "the sum would miss joules"
    )
    assert (reading.energy["dram"].j, reading.energy["dram"].reason) == (None, reason)
    assert reading.energy["cpu_package"].j == pytest.approx(40.0)
    assert reading.total_reason == f"dram: {reason}"


def test_a_dram_zone_without_a_name_is_missing(tmp_path: Path) -> None:
    tree = fake_sysfs.intel(tmp_path)
    tree.broken.add(tmp_path / "intel-rapl:1:1" / "name")

    def step(_: int) -> None:
        for key in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:1", "intel-rapl:1:1"):
            tree.spend(key, 2.0)

    reading = Rig(tree, sockets=2).run(10, step)

    assert reading.energy["dram"].j is None
    assert reading.total_j is None
    assert any("intel-rapl:1:1 left out" in note for note in reading.quality)


def test_an_edge_that_fails_once_is_read_again(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    counter = tree.counter("intel-rapl:0")
    rig = Rig(tree)
    with rig.meter() as meter:
        meter.start()
        tree.spend("intel-rapl:0", 3.0)
        rig.clock.advance(0.1)
        honest, failures = tree.read, iter([True])
        tree.broken.add(counter)

        def heal(path: Path) -> str:
            try:
                return honest(path)
            except OSError:
                if next(failures, None):
                    tree.broken.clear()
                raise

        for source in rig._samplers[-1]._sources:
            if source.name == "rapl":
                source._read = heal  # type: ignore[attr-defined]
        reading = meter.stop()

    assert reading.energy["cpu_package"].j == pytest.approx(3.0)
    assert reading.trace.gaps("rapl", "intel-rapl:0") == ["Input/output error"]
