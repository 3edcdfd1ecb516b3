from __future__ import annotations

from pathlib import Path

import pytest

from leanner.meters import MeterError
from leanner.meters.tdp import TABLE
from leanner.meters.tdp import cpu_name
from leanner.meters.tdp import look_up
from meters.rig import Rig


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("AMD EPYC 7763 64-Core Processor", 280 / 64),
        ("AMD EPYC 7713P 64-Core Processor", 225 / 64),
        ("AMD EPYC 9654 96-Core Processor", 360 / 96),
        ("Intel(R) Xeon(R) Platinum 8480+", 350 / 56),
        ("Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz", 250 / 32),
        ("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", 205 / 24),
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 150 / 20),
        ("Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz", 85 / 10),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 95 / 6),
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", 65 / 6),
    ],
)
def test_a_known_cpu_has_the_watts_of_its_vendor(name: str, watts: float) -> None:
    cpu = look_up(name)

    assert cpu is not None
    assert cpu.watts_per_core == pytest.approx(watts)
    assert cpu.source


@pytest.mark.parametrize(
    "name",
    [
        "AMD EPYC",  # what some hypervisors leave of the name
        "AMD EPYC-Milan Processor",
        "AMD EPYC 7763X 64-Core Processor",
        "Intel(R) Xeon(R) Processor @ 2.60GHz",
        "Intel(R) Xeon(R) Platinum 8480C",
        "Intel(R) Core(TM) i7-8700T CPU @ 2.40GHz",
        "13th Gen Intel(R) Core(TM) i9-13900K",
        "",
    ],
)
def test_another_cpu_is_not_taken_for_a_known_one(name: str) -> None:
    assert look_up(name) is None


def test_rows_have_plausible_figures_and_do_not_overlap() -> None:
    assert all(1.0 < cpu.watts_per_core < 25.0 for cpu in TABLE)
    assert len({(cpu.family, cpu.model) for cpu in TABLE}) == len(TABLE)
    assert all(cpu.source.startswith(("AMD, product", "Intel ARK")) for cpu in TABLE)


def test_the_name_is_that_of_the_kernel(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7543 32-Core Processor\n")

    assert cpu_name(cpuinfo) == "AMD EPYC 7543 32-Core Processor"
    cpuinfo.write_text("processor\t: 0\nCPU implementer\t: 0x41\n")
    assert cpu_name(cpuinfo) is None
    assert cpu_name(tmp_path / "nothing") is None


def _estimate(rig: Rig) -> tuple[float | None, str | None]:
    def step(_: int) -> None:
        rig.tree.used_cpu_s += 0.2

    domain = rig.run(10, step, mode="estimate").energy["cpu_package"]
    assert domain.source == "estimate"
    assert domain.uncertainty is None
    return domain.j, domain.detail


def test_an_estimate_takes_the_table_and_says_so() -> None:
    joules, detail = _estimate(Rig(cpu="AMD EPYC 7543 32-Core Processor"))

    assert joules == pytest.approx(2.0 * 225 / 32)
    assert detail == (
        "2.00 CPU seconds at 7.03125 W per core, from leanner's table, not measured: AMD EPYC 7543 32-Core Processor, "
        "225 W over 32 cores (AMD, product specifications, default TDP)"
    )


def test_stated_watts_win() -> None:
    joules, detail = _estimate(Rig(cpu="AMD EPYC 7543 32-Core Processor", watts_per_core=10.0))

    assert joules == pytest.approx(20.0)
    assert detail == "2.00 CPU seconds at 10 W per core, as stated"


@pytest.mark.parametrize("cpu", ["AMD EPYC", None])
def test_an_unknown_cpu_needs_stated_watts(cpu: str | None) -> None:
    with (
        pytest.raises(MeterError, match=f"--leanner-watts-per-core .* does not know {cpu or 'a CPU without a name'}"),
        Rig(cpu=cpu).meter("estimate"),
    ):
        pass
