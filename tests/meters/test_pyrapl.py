"""pyRAPL 0.2.3.1 beside our arithmetic and a plain reading, on one fake tree: agreed where it is right."""

from __future__ import annotations

import importlib

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import IO
from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.meters.sockets import _quiet
from meters import fake_sysfs
from meters.rig import Rig


if TYPE_CHECKING:
    from meters.fake_sysfs import FakePowercap


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What stands for ``/``."""
    return tmp_path


class PyRapl:
    """The real pyRAPL, whose fixed paths lead into ``root``."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, sockets: int) -> None:
        self._root = root
        self.opened: list[IO[str]] = []
        for cpu in range(sockets):
            topology = self._inside(f"/sys/devices/system/cpu/cpu{cpu}/topology")
            topology.mkdir(parents=True)
            (topology / "physical_package_id").write_text(f"{cpu}\n")
        self._inside("/sys/devices/system/cpu/present").write_text(f"0-{sockets - 1}\n" if sockets > 1 else "0\n")
        with _quiet():
            self._api: Any = importlib.import_module("pyRAPL")
            device_api = importlib.import_module("pyRAPL.device_api")
        monkeypatch.setattr(device_api, "open", self._open, raising=False)
        exists = SimpleNamespace(path=SimpleNamespace(exists=lambda path: self._inside(path).exists()))
        monkeypatch.setattr(device_api, "os", exists)
        monkeypatch.setattr(self._api, "_sensor", self._api.Sensor())

    def _inside(self, path: str) -> Path:
        return self._root / path.removeprefix("/")

    def _open(self, path: str, mode: str = "r") -> IO[str]:
        self.opened.append(self._inside(path).open(mode))
        return self.opened[-1]

    @contextmanager
    def measure(self) -> Iterator[SimpleNamespace]:
        """Measure the block: ``pkg`` and ``dram`` in microjoules by socket, ``None`` where pyRAPL gives none."""
        found = SimpleNamespace(pkg=None, dram=None)
        measurement = self._api.Measurement("block")
        measurement.begin()
        yield found
        measurement.end()
        found.pkg, found.dram = measurement.result.pkg, measurement.result.dram


@contextmanager
def _pyrapl(root: Path, monkeypatch: pytest.MonkeyPatch, sockets: int) -> Iterator[PyRapl]:
    there = PyRapl(root, monkeypatch, sockets)
    try:
        yield there
    finally:
        for file in there.opened:
            file.close()  # pyRAPL leaves them open


def _powercap(root: Path) -> Path:
    return root / "sys" / "class" / "powercap"


def _counters(tree: FakePowercap, *keys: str) -> list[int]:
    return [int(tree.counter(key).read_text()) for key in keys]


def test_it_is_the_version_that_this_is_about() -> None:
    assert version("pyRAPL") == "0.2.3.1"


def test_all_three_agree_where_no_counter_wraps(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = fake_sysfs.intel(_powercap(root))
    packages, drams = ("intel-rapl:0", "intel-rapl:1"), ("intel-rapl:0:1", "intel-rapl:1:1")
    rig = Rig(tree, sockets=2)
    with _pyrapl(root, monkeypatch, 2) as theirs, rig.meter() as meter:
        before = _counters(tree, *packages, *drams)
        with theirs.measure() as found:
            meter.start()
            for key, joules in zip((*packages, *drams), (120.5, 80.25, 9.0, 7.75), strict=True):
                tree.spend(key, joules)
            rig.clock.advance(1.0)
            reading = meter.stop()
        plain = [after - first for after, first in zip(_counters(tree, *packages, *drams), before, strict=True)]

    assert found.pkg == plain[:2] == [120_500_000, 80_250_000]
    assert found.dram == plain[2:] == [9_000_000, 7_750_000]
    assert reading.energy["cpu_package"].j == pytest.approx(sum(plain[:2]) / 1e6)
    assert reading.energy["dram"].j == pytest.approx(sum(plain[2:]) / 1e6)


def test_a_socket_that_wraps_alone_is_none_to_pyrapl(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = fake_sysfs.amd(_powercap(root))
    tree.set("intel-rapl:0", fake_sysfs.AMD_RANGE_UJ - 40_000_000)
    rig = Rig(tree, sockets=1)
    with _pyrapl(root, monkeypatch, 1) as theirs, rig.meter() as meter, theirs.measure() as found:
        meter.start()
        tree.spend("intel-rapl:0", 100.0)
        rig.clock.advance(1.0)
        reading = meter.stop()

    assert found.pkg is None
    assert reading.energy["cpu_package"].j == pytest.approx(100.0)


def test_a_socket_that_wraps_beside_another_is_minus_262_kilojoules_to_pyrapl(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = fake_sysfs.intel(_powercap(root))
    tree.set("intel-rapl:1", fake_sysfs.RANGE_UJ - 40_000_000)
    rig = Rig(tree, sockets=2)
    with _pyrapl(root, monkeypatch, 2) as theirs, rig.meter() as meter, theirs.measure() as found:
        meter.start()
        tree.spend("intel-rapl:0", 100.0)
        tree.spend("intel-rapl:1", 100.0)
        rig.clock.advance(1.0)
        reading = meter.stop()

    assert found.pkg == [100_000_000, 100_000_000 - fake_sysfs.RANGE_UJ]
    assert sum(found.pkg) / 1e6 == pytest.approx(-261_943.3, abs=0.1)
    assert reading.energy["cpu_package"].j == pytest.approx(200.0)
