from __future__ import annotations

import json

from pathlib import Path

import pytest

from leanner.meters.nvml import Nvml
from leanner.meters.nvml import open_nvml
from leanner.meters.plan import GpuPlan
from leanner.meters.plan import Plan
from leanner.meters.zones import discover
from meters import fake_sysfs
from meters.fake_clock import FakeClock
from meters.fake_nvml import NOT_SUPPORTED
from meters.fake_nvml import FakeGpu
from meters.fake_nvml import FakeNvml
from meters.fake_nvml import NVMLError
from meters.fake_tree import FakeTree


def _opened(gpu: FakeGpu) -> Nvml:
    return open_nvml("cuda", {}, module=FakeNvml(gpu))


@pytest.mark.parametrize("gpu", [None, FakeGpu(), FakeGpu(instant_mw={}, usage_mw=NVMLError(NOT_SUPPORTED))])
def test_a_plan_survives_json(tmp_path: Path, gpu: FakeGpu | None) -> None:
    tree = fake_sysfs.intel(tmp_path)
    tree.denied.add(tree.counter("intel-rapl:1"))
    plan = Plan(
        interval_s=0.1,
        pid=100,
        zones=discover(tree.root, tree.read).found,
        gpu=None if gpu is None else GpuPlan.of(_opened(gpu)),
        cpu_time=True,
    )

    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_counters_come_last(tmp_path: Path) -> None:
    nvml = _opened(FakeGpu())
    plan = Plan(0.1, 100, discover(fake_sysfs.amd(tmp_path).root).found, GpuPlan.of(nvml), cpu_time=True)
    names = [source.name for source in plan.sources(FakeTree(), nvml, FakeClock())]

    assert names == ["memory", "nvml", "cpu-time", "rapl", "nvml-counter"]


def test_what_is_not_planned_is_not_read() -> None:
    nvml = _opened(FakeGpu(energy_mj=NVMLError(NOT_SUPPORTED)))

    assert [source.name for source in Plan(0.1, 100).sources(FakeTree(), None, FakeClock())] == ["memory"]
    assert [source.name for source in Plan(0.1, 100).sources(FakeTree(), nvml, FakeClock())] == ["memory", "nvml"]
