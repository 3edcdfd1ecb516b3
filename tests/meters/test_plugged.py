from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import cast

import numpy as np
import pytest

from leanner.meters import EnergyDomain
from leanner.meters import MeterError
from leanner.meters import open_meter
from leanner.meters.plugged import GROUP
from leanner.meters.plugged import PlugIn
from leanner.meters.plugged import find_plug_ins
from leanner.meters.reading import PluggedSource
from meters import fake_sysfs
from meters.rig import Rig


DOC = Path(__file__).parents[2] / "docs" / "meters-of-your-own.md"


def nothing() -> None:
    pass


@dataclass
class Plug:
    """A plug-in meter by script: what it says, and what happens when it is entered and left."""

    energy_j: Any = 7.5
    reason: str | None = None
    name: str = "plug"
    entered: Callable[[], object] = nothing
    left: Callable[[], object] = nothing
    log: list[str] = field(default_factory=list)

    def __enter__(self) -> None:
        self.log.append("enter")
        self.entered()

    def __exit__(self, *error: object) -> bool:
        self.log.append(f"exit {error}")
        self.left()
        return True  # what it would suppress is not its to suppress


LEFT = "exit (None, None, None)"


def rig(*plugs: Plug, **fields: Any) -> Rig:  # noqa: ANN401 - any field of a rig
    def offer(plug: Plug, number: int) -> PlugIn:
        return PlugIn(f"plug-{number}", lambda _: plug)

    return Rig(plug_ins=[offer(plug, number) for number, plug in enumerate(plugs)], **fields)


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def test_its_joules_stand_beside_ours_and_in_no_total(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    machine = rig(Plug(), Plug(200.0, name="at the wall"), powercap=tree)

    reading = machine.run(10, lambda _: tree.spend("intel-rapl:0", 2.0))

    assert reading.plugged == {
        "plug-0": EnergyDomain(7.5, PluggedSource("plugged:plug-0"), None, expected=False, detail="plug"),
        "plug-1": EnergyDomain(200.0, PluggedSource("plugged:plug-1"), None, expected=False, detail="at the wall"),
    }
    assert reading.total_j == pytest.approx(20.0)
    assert set(reading.energy) == {"gpu", "cpu_package", "cpu_core", "dram"}
    assert not any("plug" in note for note in reading.quality)


def test_without_plug_ins_nothing_is_said() -> None:
    assert rig().run(1).plugged == {}


def test_each_window_has_its_own_meter_for_the_device_at_work() -> None:
    asked: list[str] = []

    def make(device: str) -> Plug:
        asked.append(device)
        return Plug(float(len(asked)))

    with Rig(plug_ins=[PlugIn("plug", make)]).meter(device="cuda") as meter:
        joules = []
        for _ in range(2):
            with meter.window() as window:
                pass
            joules.append(window.reading.plugged["plug"].j)

    assert asked == ["cuda", "cuda"]
    assert joules == [1.0, 2.0]


def test_it_is_entered_before_our_window_and_left_behind_it() -> None:
    # Naive: its slow reads are timed, and metered, as the tagger's work.
    machine = rig()
    slow = Plug(entered=lambda: machine.clock.advance(5.0), left=lambda: machine.clock.advance(5.0))
    machine.plug_ins = rig(slow).plug_ins

    reading = machine.run(10)

    assert reading.window_s == pytest.approx(1.0)
    first, last = reading.trace.samples[0], reading.trace.samples[-1]
    assert (last.t_ns - first.t_ns) / 1e9 == pytest.approx(1.0)
    assert slow.log == ["enter", LEFT]


def test_those_entered_last_are_left_first() -> None:
    order: list[str] = []

    def plug(name: str) -> Plug:
        return Plug(entered=lambda: order.append(f"enter {name}"), left=lambda: order.append(f"leave {name}"))

    rig(plug("a"), plug("b")).run(1)

    assert order == ["enter a", "enter b", "leave b", "leave a"]


@pytest.mark.parametrize(
    "broken",
    [Plug(entered=raising(OSError("no route to host"))), Plug(left=raising(OSError("no route to host")))],
    ids=["entered", "left"],
)
def test_what_it_raises_is_the_reason_and_costs_no_window(broken: Plug, tmp_path: Path) -> None:
    # Naive: the case ends in an error, for a plug that is out of reach.
    tree = fake_sysfs.amd(tmp_path)
    machine = rig(broken, Plug(), powercap=tree)

    reading = machine.run(10, lambda _: tree.spend("intel-rapl:0", 2.0))

    assert reading.total_j == pytest.approx(20.0)
    assert reading.plugged["plug-0"] == EnergyDomain.unknown("OSError: no route to host", expected=False)
    assert "plug-in meter plug-0: OSError: no route to host" in reading.quality
    assert reading.plugged["plug-1"].j == pytest.approx(7.5)
    assert not reading.suspect


def test_one_that_cannot_be_made_is_unknown() -> None:
    def make(device: str) -> Plug:
        raise KeyError(device)

    reading = Rig(plug_ins=[PlugIn("plug", make)]).run(1)

    assert reading.plugged["plug"].reason == "KeyError: 'cpu'"


def test_one_that_lacks_what_a_meter_has_is_unknown() -> None:
    class Bare:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    reading = Rig(plug_ins=[PlugIn("plug", cast("Any", lambda _: Bare()))]).run(1)

    assert "AttributeError" in (reading.plugged["plug"].reason or "")


@pytest.mark.parametrize(
    ("j", "reason", "message"),
    [
        (None, "it is away", "it is away"),
        (None, None, "it gave neither joules nor a reason"),
        (None, "", "it gave neither joules nor a reason"),
        (3.0, "it is away", "it gave both joules (3.0) and a reason why it has none: it is away"),
        (0.0, None, "expected joules above 0, or None and a reason, found 0.0"),
        (-1.0, None, "expected joules above 0, or None and a reason, found -1.0"),
        (float("nan"), None, "expected joules above 0, or None and a reason, found nan"),
        (float("inf"), None, "expected joules above 0, or None and a reason, found inf"),
        (True, None, "expected joules above 0, or None and a reason, found True"),
        ("7 J", None, "expected joules above 0, or None and a reason, found '7 J'"),
    ],
)
def test_what_is_not_joules_is_unknown_and_never_0(j: object, reason: str | None, message: str) -> None:
    reading = rig(Plug(j, reason)).run(1)

    assert reading.plugged["plug-0"] == EnergyDomain(None, "none", message, expected=False, detail="plug")
    assert f"plug-in meter plug-0: {message}" in reading.quality


@pytest.mark.parametrize("j", [7, np.float32(7.0), np.float64(7.0), np.int64(7)])
def test_any_kind_of_number_becomes_a_float(j: object) -> None:
    joules = rig(Plug(j)).run(1).plugged["plug-0"].j

    assert type(joules) is float
    assert joules == pytest.approx(7.0)


def test_it_is_left_where_the_window_has_no_reading() -> None:
    plug = Plug(left=raising(OSError("no route to host")))
    with rig(plug).meter() as meter:
        meter.start()
        meter.cancel()
        with pytest.raises(KeyError), meter.window():
            raise KeyError("the tagger")
        meter.start()

    assert plug.log == ["enter", LEFT] * 3


def test_it_is_left_where_the_window_does_not_begin_or_end_well(monkeypatch: pytest.MonkeyPatch) -> None:
    plug = Plug()
    machine = rig(plug)
    patch = monkeypatch.setattr
    with machine.meter() as meter:
        patch(machine.tree, "reset_high_water", raising(ZeroDivisionError()))
        with pytest.raises(ZeroDivisionError):
            meter.start()
        assert plug.log == ["enter", LEFT]
        patch(machine.tree, "reset_high_water", lambda: False)
        meter.start()
        patch(machine.tree, "pids", raising(ZeroDivisionError()))
        with pytest.raises(ZeroDivisionError):
            meter.stop()
        assert plug.log == ["enter", LEFT] * 2
        patch(machine.tree, "pids", frozenset)
        meter.start()
        assert meter.stop().plugged["plug-0"].j == pytest.approx(7.5)


def test_ctrl_c_ends_those_that_were_entered() -> None:
    first = Plug()
    second = Plug(entered=raising(KeyboardInterrupt()))
    with rig(first, second).meter() as meter:
        with pytest.raises(KeyboardInterrupt):
            meter.start()
        assert first.log == ["enter", LEFT]
        second.entered = nothing
        meter.start()
        assert meter.stop().plugged["plug-0"].j == pytest.approx(7.5)


def test_off_opens_none(tmp_path: Path) -> None:
    def look() -> tuple[PlugIn, ...]:
        raise AssertionError("it was looked for")

    with open_meter("off", powercap=tmp_path, plug_ins=look) as meter, meter.window() as window:
        pass

    assert window.reading.plugged == {}


def test_require_is_not_satisfied_by_one() -> None:
    no_meter = "energy is required, but cpu_package has no meter"
    with pytest.raises(MeterError, match=no_meter), rig(Plug()).meter("require"):
        pass


@pytest.mark.parametrize("source", ["plugged:", "plugged", "wall", ""])
def test_a_source_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"expected a source of .* or plugged:NAME"):
        EnergyDomain(1.0, PluggedSource(source))


def install(site: Path, package: str, entry_points: dict[str, str], module: str = "") -> None:
    """Lay out what pip leaves of a package with one module."""
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    offered = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{offered}")
    if module:
        (site / f"{package.replace('-', '_')}.py").write_text(module)


def test_one_that_cannot_be_imported_says_so_in_every_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "leanner-gone", {"gone": "leanner_gone:Meter"})
    monkeypatch.syspath_prepend(tmp_path)
    (plug_in,) = [found for found in find_plug_ins() if found.name == "gone"]

    with Rig(plug_ins=[plug_in]).meter() as meter:
        for _ in range(2):
            with meter.window() as window:
                pass
            reason = window.reading.plugged["gone"].reason
            assert reason == (
                "MeterError: leanner_gone:Meter cannot be imported: ModuleNotFoundError: No module named 'leanner_gone'"
            )


def test_two_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "plug-of-a", {"plug": "a:Meter"})
    install(tmp_path, "plug-of-b", {"plug": "b:Meter"})
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MeterError, match=r"one meter called 'plug'.*a:Meter \(of plug-of-a\).*\(of plug-of-b\); unin"):
        open_meter("auto", powercap=tmp_path)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)


def run(site: Path, code: str, **environ: str) -> str:
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The documented package, installed."""
    (module,), (project,) = blocks("python"), blocks("toml")
    described = tomllib.loads(project)["project"]
    install(tmp_path / "site", described["name"], described["entry-points"][GROUP], module)
    return tmp_path / "site"


def test_the_documented_meter_measures_once_it_is_installed(site: Path, tmp_path: Path) -> None:
    total = tmp_path / "total.txt"
    total.write_text("100.0\n")
    code = (
        "import json, os, pathlib\n"
        "from leanner.meters import open_meter\n"
        "plug = pathlib.Path(os.environ['WALL_PLUG_FILE'])\n"
        "readings = []\n"
        "with open_meter('auto', powercap=plug.parent) as meter:\n"
        "    for after in ('100.5', '100.5', 'off'):\n"
        "        with meter.window() as window:\n"
        "            plug.write_text(after)\n"
        "        readings.append(window.reading)\n"
        "told = [[(n, d.j, d.source, d.reason, d.detail) for n, d in r.plugged.items()] for r in readings]\n"
        "print(json.dumps(told))\n"
        "print(json.dumps([r.total_j for r in readings]))\n"
    )
    plugged, totals = map(json.loads, run(site, code, WALL_PLUG_FILE=str(total)).splitlines())

    detail = "wall plug: the whole machine, whatever runs on cpu, from total.txt"
    nothing_new = "the plug reported nothing new within the window"
    garbled = "ValueError: could not convert string to float: 'off'"
    assert plugged == [
        [["wall-plug", pytest.approx(1800.0), "plugged:wall-plug", None, detail]],
        [["wall-plug", None, "none", nothing_new, detail]],
        [["wall-plug", None, "none", garbled, None]],
    ]
    assert totals == [None, None, None]


def test_it_is_imported_when_a_meter_opens_and_not_before(site: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, leanner.meters\n"
        "def there(): return 'leanner_wall_plug' in sys.modules\n"
        "seen = [there()]\n"
        f"leanner.meters.open_meter('off', powercap=pathlib.Path({str(tmp_path)!r})).close()\n"
        "seen.append(there())\n"
        f"leanner.meters.open_meter('auto', powercap=pathlib.Path({str(tmp_path)!r})).close()\n"
        "print([*seen, there()])\n"
    )

    assert run(site, code) == "[False, False, True]\n"
