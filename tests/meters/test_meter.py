from __future__ import annotations

import subprocess
import sys

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from typing import cast

import pytest

from leanner.meters import CudaHooks
from leanner.meters import MeterError
from leanner.meters import cuda_hooks
from leanner.meters import open_meter
from leanner.meters.sampling import EdgeSampler
from leanner.meters.zones import PERMISSION
from meters import fake_sysfs
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.rig import Rig


def test_a_machine_without_meters_gives_reasons(tmp_path: Path) -> None:
    with open_meter("auto", powercap=tmp_path) as meter, meter.window() as window:
        pass
    reading = window.reading

    assert reading.total_j is None
    assert "no RAPL zone" in (reading.total_reason or "")
    assert {domain.j for domain in reading.energy.values()} == {None}
    assert all(domain.reason for domain in reading.energy.values())
    assert reading.peak_host_mb is not None
    assert reading.peak_host_mb > 10.0
    assert reading.power.mean_w is None
    assert "no RAPL zone" in reading.reasons["power"]


def test_every_none_has_its_reason() -> None:
    reading = Rig().run(2, device="cuda", mode="off")

    for name in ("gpu_utilization_pct", "peak_vram_mb", "peak_vram_allocated_mb"):
        assert getattr(reading, name) is None
        assert reading.reasons[name]
    assert reading.reasons["power"] == "metering of energy is switched off"


def test_off_measures_memory_alone(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    nvml = FakeNvml(FakeGpu())

    reading = Rig(tree, nvml).run(2, mode="off", device="cuda")

    assert tree.reads == {}
    assert nvml.initialized == 0
    assert {d.reason for d in reading.energy.values()} == {"metering of energy is switched off"}
    assert reading.peak_host_mb == pytest.approx(500.0)


def test_require_names_the_meter_and_the_remedy(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    tree.denied.add(tree.counter("intel-rapl:0"))

    with pytest.raises(MeterError) as caught, Rig(tree).meter("require"):
        pass

    assert str(caught.value).startswith("energy is required, but cpu_package has no meter: intel-rapl:0: permission")
    assert PERMISSION in str(caught.value)


def test_require_is_content_with_the_meter_of_the_device_at_work(tmp_path: Path) -> None:
    with Rig(nvml=FakeNvml(FakeGpu())).meter("require", "cuda"):
        pass
    with Rig(fake_sysfs.amd(tmp_path)).meter("require", "cpu"):
        pass
    with (
        pytest.raises(MeterError, match="gpu has no meter"),
        Rig(fake_sysfs.amd(tmp_path / "b")).meter("require", "cuda"),
    ):
        pass


def test_a_refused_meter_leaves_nvml_as_it_was() -> None:
    nvml = FakeNvml(FakeGpu(mig=True))
    with pytest.raises(MeterError, match="MIG slice"), Rig(nvml=nvml).meter("require", "cuda"):
        pass

    assert nvml.initialized == 0


def test_an_estimate_is_marked_and_made_of_cpu_time_and_watts() -> None:
    rig = Rig(watts_per_core=12.0)

    def step(_: int) -> None:
        rig.tree.used_cpu_s += 0.2

    reading = rig.run(10, step, mode="estimate")

    domain = reading.energy["cpu_package"]
    assert domain.source == "estimate"
    assert domain.j == pytest.approx(24.0)
    assert reading.total_j == pytest.approx(24.0)
    assert reading.power.mean_w is None
    assert any("estimate" in note for note in reading.quality)


@pytest.mark.parametrize("at_the_end_s", [4.0, 6.0])
def test_cpu_time_that_falls_has_left_the_tree_and_says_so(at_the_end_s: float) -> None:
    # Naive: too few joules, or "no CPU time". A process whose parent has ended belongs to another tree from then on.
    rig = Rig(watts_per_core=10.0)

    def step(number: int) -> None:
        rig.tree.used_cpu_s = 5.0 + 0.1 * number if number < 15 else at_the_end_s

    rig.tree.used_cpu_s = 5.0
    domain = rig.run(20, step, mode="estimate").energy["cpu_package"]

    assert domain.j is None
    assert f"fell from 6.40 to {at_the_end_s:.2f} s" in (domain.reason or "")


def test_cpu_time_that_a_tick_has_missed_is_not_lost() -> None:
    # The sampler walks the tree less often than it ticks.
    rig = Rig(watts_per_core=10.0)

    def step(number: int) -> None:
        rig.tree.used_cpu_s = 5.0 if number == 10 else 6.0 + 0.1 * number

    rig.tree.used_cpu_s = 6.0

    assert rig.run(20, step, mode="estimate").energy["cpu_package"].j == pytest.approx(19.0)


def test_an_estimate_without_watts_is_refused() -> None:
    with pytest.raises(MeterError, match="--leanner-watts-per-core"), Rig().meter("estimate"):
        pass
    with pytest.raises(MeterError, match="above 0"), Rig(watts_per_core=-1.0).meter("estimate"):
        pass


def test_where_a_meter_is_there_nothing_is_estimated(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    reading = Rig(tree, watts_per_core=12.0).run(2, lambda _: tree.spend("intel-rapl:0", 1.0), mode="estimate")

    assert reading.energy["cpu_package"].source == "rapl"


def test_a_window_whose_meter_fails_is_unknown_and_not_estimated(tmp_path: Path) -> None:
    # Naive: an estimate for this window, and joules of a meter for its neighbours.
    tree = fake_sysfs.amd(tmp_path)
    rig = Rig(tree, watts_per_core=12.0)

    def step(_: int) -> None:
        rig.tree.used_cpu_s += 0.1
        tree.spend("intel-rapl:0", 10.0)

    with rig.meter("estimate") as meter:
        meter.start()
        rig.pass_time(10, step)
        tree.broken.add(tree.counter("intel-rapl:0"))
        failed = meter.stop()
        tree.broken.clear()
        meter.start()
        rig.pass_time(10, step)
        next_one = meter.stop()

    assert (failed.energy["cpu_package"].reason or "").endswith("reads failed: Input/output error")
    assert failed.total_j is None
    assert not any("estimate" in note for note in failed.quality)
    assert next_one.energy["cpu_package"].j == pytest.approx(100.0)
    assert next_one.energy["cpu_package"].source == "rapl"


def test_a_meter_that_may_not_be_read_is_estimated(tmp_path: Path) -> None:
    tree = fake_sysfs.amd(tmp_path)
    tree.denied.add(tree.counter("intel-rapl:0"))
    rig = Rig(tree, watts_per_core=12.0)

    def step(_: int) -> None:
        rig.tree.used_cpu_s += 0.1

    assert rig.run(10, step, mode="estimate").energy["cpu_package"].source == "estimate"


def test_watts_alone_do_not_make_an_estimate() -> None:
    assert Rig(watts_per_core=12.0).run(2, mode="auto").energy["cpu_package"].j is None


def test_estimated_and_measured_joules_are_not_added() -> None:
    gpu = FakeGpu()
    rig = Rig(nvml=FakeNvml(gpu), watts_per_core=12.0)

    def step(_: int) -> None:
        rig.tree.used_cpu_s += 0.1
        assert isinstance(gpu.energy_mj, int)
        gpu.energy_mj += 10_000

    reading = rig.run(20, step, mode="estimate", device="cuda")

    assert reading.energy["gpu"].j == pytest.approx(200.0)
    assert reading.energy["cpu_package"].j == pytest.approx(24.0)
    assert reading.total_j is None
    assert "not added" in (reading.total_reason or "")


def test_unknown_modes_and_intervals_are_refused() -> None:
    with pytest.raises(MeterError, match="auto, require, estimate, off, found 'always'"):
        open_meter("always")
    with pytest.raises(MeterError, match="above 0 s"):
        open_meter("off", interval_s=0.0)


def test_windows_neither_nest_nor_end_twice() -> None:
    with Rig().meter() as meter:
        with pytest.raises(MeterError, match="found none"):
            meter.stop()
        meter.start()
        with pytest.raises(MeterError, match="found one"):
            meter.start()
        meter.stop()
    with pytest.raises(MeterError, match="closed"):
        meter.start()


def test_a_window_that_has_not_ended_has_no_reading() -> None:
    with Rig().meter() as meter, meter.window() as window, pytest.raises(MeterError, match="has ended"):
        window.reading  # noqa: B018 - reading it is the point


def test_a_block_that_raises_leaves_the_meter_usable() -> None:
    with Rig().meter() as meter:
        with pytest.raises(KeyError, match="the tagger"), meter.window():
            raise KeyError("the tagger")
        with meter.window() as window:
            pass
    assert window.reading.peak_host_mb == pytest.approx(500.0)


def _hooks(log: list[str]) -> CudaHooks:
    return CudaHooks(
        synchronize=lambda: log.append("synchronize"),
        uuid=None,
        reset_peak=lambda: log.append("reset"),
        peak_allocated_b=lambda: 1_500_000_000,
    )


def test_the_allocators_peak_is_that_of_the_window() -> None:
    log: list[str] = []
    reading = Rig(nvml=FakeNvml(FakeGpu()), cuda=_hooks(log)).run(1, device="cuda")

    assert log == ["synchronize", "reset", "synchronize"]
    assert reading.peak_vram_allocated_mb == pytest.approx(1500.0)


def test_a_device_that_fails_at_the_end_does_not_leave_the_window_open() -> None:
    calls = iter([None, RuntimeError("CUDA error")])

    def synchronize() -> None:
        error = next(calls)
        if error is not None:
            raise error

    hooks = CudaHooks(synchronize, None, lambda: None, lambda: 0)
    with Rig(cuda=hooks).meter(device="cuda") as meter:
        meter.start()
        with pytest.raises(RuntimeError, match="CUDA error"):
            meter.stop()
        with pytest.raises(MeterError, match="found none"):
            meter.stop()


def test_hooks_ask_torch_for_the_device() -> None:
    log: list[tuple[str, str]] = []
    cuda = SimpleNamespace(
        get_device_properties=lambda device: SimpleNamespace(uuid=f"uuid of {device}"),
        synchronize=lambda device: log.append(("synchronize", device)),
        reset_peak_memory_stats=lambda device: log.append(("reset", device)),
        max_memory_allocated={"cuda:1": 7}.__getitem__,
    )
    torch = cast("Any", SimpleNamespace(cuda=cuda, _C=SimpleNamespace()))

    assert cuda_hooks(torch, "cpu") is None
    hooks = cuda_hooks(torch, "cuda:1")
    assert hooks is not None
    hooks.synchronize()
    hooks.reset_peak()
    assert hooks.peak_allocated_b() == 7
    assert hooks.uuid == "uuid of cuda:1"
    assert log == [("synchronize", "cuda:1"), ("reset", "cuda:1")]


def test_a_sampler_that_cannot_be_closed_leaves_nvml_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("it hangs")

    nvml = FakeNvml(FakeGpu())
    rig = Rig(nvml=nvml)
    meter = rig.open(device="cuda")
    monkeypatch.setattr(EdgeSampler, "close", lambda _: fail())

    with pytest.raises(OSError, match="it hangs"):
        meter.close()

    assert nvml.initialized == 0


def test_a_device_without_a_context_is_not_waited_for() -> None:
    # Naive: waiting creates the context, and power at rest is no longer that of a bare device.
    waited: list[str] = []
    contexts = {1: False}
    torch = cast(
        "Any",
        SimpleNamespace(
            cuda=SimpleNamespace(get_device_properties=lambda _: SimpleNamespace(), synchronize=waited.append),
            device=lambda name: SimpleNamespace(index=int(name.removeprefix("cuda:"))),
            _C=SimpleNamespace(_cuda_hasPrimaryContext=contexts.__getitem__),
        ),
    )
    hooks = cuda_hooks(torch, "cuda:1")
    assert hooks is not None

    hooks.synchronize()
    assert waited == []

    contexts[1] = True
    hooks.synchronize()
    assert waited == ["cuda:1"]


def test_importing_and_opening_takes_no_torch_and_no_pyrapl_where_there_is_no_rapl(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from leanner.meters import open_meter\n"
        f"open_meter('auto', powercap=pathlib.Path({str(tmp_path)!r})).close()\n"
        "print(sorted({'torch', 'flair', 'pyRAPL', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
