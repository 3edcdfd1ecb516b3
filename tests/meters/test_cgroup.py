from __future__ import annotations

import os

from collections.abc import Callable
from pathlib import Path

import pytest

from leanner.meters import Reading
from leanner.meters import cgroup as module
from leanner.meters.cgroup import CgroupSource
from leanner.meters.cgroup import find_cgroup
from leanner.meters.errors import UnmeasurableError
from leanner.meters.trace import Moment
from meters.fake_cgroup import FakeCgroup
from meters.fake_tree import FakeTree
from meters.fake_tree import Memory
from meters.rig import Rig


def _measure(group: FakeCgroup, step: Callable[[int], None], tree: FakeTree | None = None) -> Reading:
    return Rig(proc=group.proc, tree=tree or FakeTree()).run(2, step)


def test_the_peak_is_that_of_the_window(tmp_path: Path) -> None:
    group = FakeCgroup(tmp_path)

    reading = _measure(group, lambda _: group.peak(1_500_000_000))

    assert reading.cgroup_peak_mb == pytest.approx(1500.0)
    assert "cgroup_peak_mb" not in reading.reasons
    assert reading.trace.gaps("cgroup", "peak_b") == []


def test_each_window_makes_it_start_anew(tmp_path: Path) -> None:
    group = FakeCgroup(tmp_path)
    with Rig(proc=group.proc).meter() as meter:
        for peak_b in (3_000_000_000, 2_000_000_000):
            meter.start()
            # A reset, as it looks in a plain file.
            assert (group.folder / "memory.peak").read_text().startswith("0\n")
            group.peak(peak_b)
            assert meter.stop().cgroup_peak_mb == pytest.approx(peak_b / 1e6)


def test_no_descriptor_is_left_behind(tmp_path: Path) -> None:
    source = CgroupSource(find_cgroup(100, FakeCgroup(tmp_path).proc), lambda: frozenset({100}))
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names alone
    for moment in (Moment.START, Moment.START, Moment.TICK, Moment.STOP):
        source.sample(moment)

    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


@pytest.mark.parametrize("inner", ["", "worker", "worker/deep"])
def test_a_cgroup_that_others_live_in_tells_nothing_about_the_run(tmp_path: Path, inner: str) -> None:
    group = FakeCgroup(tmp_path)
    if inner == "worker/deep":
        group.hold(inner="worker")
    group.hold(100, 4711, inner=inner)

    reading = _measure(group, lambda _: group.peak(1_500_000_000))

    assert reading.cgroup_peak_mb is None
    assert "not the run's (4711)" in reading.reasons["cgroup_peak_mb"]
    assert "systemd-run" in reading.reasons["cgroup_peak_mb"]


def test_a_stranger_who_comes_within_the_window_is_noticed(tmp_path: Path) -> None:
    group = FakeCgroup(tmp_path)

    def step(number: int) -> None:
        group.hold(*((100,) if number == 0 else (100, 4711)))

    reading = _measure(group, step)

    assert "not the run's (4711)" in reading.reasons["cgroup_peak_mb"]


def test_children_and_the_sampler_are_no_strangers(tmp_path: Path) -> None:
    class WithSampler(FakeTree):
        def with_samplers(self) -> frozenset[int]:
            return self.pids() | {555}

    group = FakeCgroup(tmp_path)
    group.hold(100, 101, 555)
    tree = WithSampler(memory={100: Memory(1), 101: Memory(1)})

    assert _measure(group, lambda _: group.peak(1_000_000), tree).cgroup_peak_mb == pytest.approx(1.0)


def test_a_peak_that_was_not_reset_is_not_read(tmp_path: Path) -> None:
    group = FakeCgroup(tmp_path)
    group.hold(100, 4711)

    reading = _measure(group, lambda _: group.hold(100))

    assert reading.cgroup_peak_mb is None
    assert "4711" in reading.reasons["cgroup_peak_mb"]


@pytest.mark.parametrize(
    ("path", "mounted", "inner"),
    [("/run", "/", "run"), ("/user.slice/run", "/user.slice", "run"), ("/user.slice", "/user.slice", ".")],
)
def test_a_cgroup_is_found_below_its_mount(tmp_path: Path, path: str, mounted: str, inner: str) -> None:
    group = FakeCgroup(tmp_path, path, mounted)
    (group.folder.parent / "memory.peak").write_text("1\n")

    assert find_cgroup(100, group.proc) == group.folder.parent / inner


def _absent(group: FakeCgroup) -> None:
    (group.folder / "memory.peak").unlink()


def _without_v2(group: FakeCgroup) -> None:
    (group.proc / "100" / "cgroup").write_text("4:memory:/old\n")


def _outside(group: FakeCgroup) -> None:
    (group.proc / "100" / "cgroup").write_text("0::/../../host\n")


def _not_mounted(group: FakeCgroup) -> None:
    (group.proc / "self" / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")


def _elsewhere(group: FakeCgroup) -> None:
    (group.proc / "100" / "cgroup").write_text("0::/runner\n")
    text = (group.proc / "self" / "mountinfo").read_text()
    (group.proc / "self" / "mountinfo").write_text(text.replace("0:30 / ", "0:30 /run "))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_absent, "memory.peak is missing"),
        (_without_v2, "no cgroup v2"),
        (_outside, "outside of what its namespace shows"),
        (_not_mounted, "mounted nowhere"),
        (_elsewhere, "mounted nowhere"),
    ],
)
def test_a_system_that_does_not_tell_gives_a_reason(
    tmp_path: Path, spoil: Callable[[FakeCgroup], None], why: str
) -> None:
    group = FakeCgroup(tmp_path)
    spoil(group)

    reading = _measure(group, lambda _: None)

    assert reading.cgroup_peak_mb is None
    assert why in reading.reasons["cgroup_peak_mb"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(22, "Invalid argument"), r"start anew \(possible since Linux 6.12\): Invalid argument"),
        (OSError(5, "Input/output error"), "start anew: Input/output error"),
        (PermissionError(13, "Permission denied"), "may not be written; give the run one of its own"),
    ],
)
def test_a_kernel_that_cannot_reset_gives_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, why: str
) -> None:
    def refuse(_: Path) -> int:
        raise error

    group = FakeCgroup(tmp_path)
    monkeypatch.setattr(module, "_reset", refuse)

    with pytest.raises(UnmeasurableError, match=why):
        find_cgroup(100, group.proc)
