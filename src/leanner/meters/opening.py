"""Finding out what this machine can be metered with."""

from __future__ import annotations

import os

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from typing import get_args

from leanner.meters.cgroup import CgroupSource
from leanner.meters.cgroup import find_cgroup
from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.combine import NOT_CUDA
from leanner.meters.combine import OFF
from leanner.meters.combine import Equipment
from leanner.meters.combine import Mode
from leanner.meters.errors import MeterError
from leanner.meters.errors import UnmeasurableError
from leanner.meters.meter import EnergyMeter
from leanner.meters.nvml import Nvml
from leanner.meters.nvml import open_nvml
from leanner.meters.plan import GpuPlan
from leanner.meters.plan import Plan
from leanner.meters.plugged import PlugIn
from leanner.meters.plugged import find_plug_ins
from leanner.meters.process_sampler import ProcessSampler
from leanner.meters.processes import PROC
from leanner.meters.processes import ProcessTree
from leanner.meters.sockets import count_sockets
from leanner.meters.tdp import cpu_name
from leanner.meters.tdp import watts_of_core
from leanner.meters.zones import POWERCAP
from leanner.meters.zones import ReadText
from leanner.meters.zones import Zones
from leanner.meters.zones import discover
from leanner.meters.zones import read_text


if TYPE_CHECKING:
    from leanner.meters.cuda import CudaHooks
    from leanner.meters.sampling import Sampler
    from leanner.meters.sampling import Source


def open_meter(
    mode: str,
    device: str = "cpu",
    *,
    interval_s: float = 0.1,
    watts_per_core: float | None = None,
    cuda: CudaHooks | None = None,
    powercap: Path = POWERCAP,
    read: ReadText = read_text,
    sockets: Callable[[], int | None] = count_sockets,
    cpu: Callable[[], str | None] = cpu_name,
    nvml: ModuleType | None = None,
    environ: Mapping[str, str] = os.environ,
    tree: ProcessTree | None = None,
    proc: Path = PROC,
    clock: Clock = monotonic_ns,
    sampler: Callable[[Sequence[Source], Plan, Clock], Sampler] = ProcessSampler,
    plug_ins: Callable[[], Sequence[PlugIn]] = find_plug_ins,
) -> EnergyMeter:
    """Open a meter for what runs on ``device``.

    Memory is always measured. Joules, by mode: ``auto`` takes the meters that are here and
    gives reasons for the others; ``require`` fails if the device that does the work (the
    CPU packages, or the GPU) has none; ``estimate`` falls back to CPU time times
    watts per core for packages without a meter; ``off`` measures none. Meters from outside are
    opened in all modes but ``off`` and do not count for ``require``.

    Args:
        mode: One of ``Mode``.
        device: Torch device, ``cpu``, ``cuda`` or ``cuda:N``.
        interval_s: Seconds between samples.
        watts_per_core: Watts of one busy core, for ``estimate``; by default those of the CPU's model, if it is known.
        cuda: Callables of the CUDA device (``cuda_hooks``).
        powercap: Root of powercap.
        read: Reads a file of sysfs.
        sockets: Counts the CPU sockets.
        cpu: Names the CPU.
        nvml: The module ``pynvml``, or one like it.
        environ: For ``CUDA_VISIBLE_DEVICES``.
        tree: Processes that are measured; this one and its descendants by default.
        proc: Where ``/proc`` is.
        clock: Monotonic nanoseconds.
        sampler: Makes the sampler of sources, of what a process of its own would have to read, and a clock.
        plug_ins: Finds the meters from outside.

    Raises:
        MeterError: ``require`` and no meter, ``estimate`` without watts for this CPU, an unknown mode, or two
            meters from outside with one name.
    """
    wanted = _mode(mode)
    if interval_s <= 0.0:
        raise MeterError(f"expected a sampling interval above 0 s, found {interval_s:g}")
    tree = tree or ProcessTree(proc=proc)
    zones, no_rapl, socket_count = (None, OFF, None) if wanted == "off" else _find_zones(powercap, read, sockets)
    opened, no_gpu = (None, OFF) if wanted == "off" else _find_gpu(device, cuda, environ, nvml)
    name = cpu() if wanted == "estimate" and watts_per_core is None else None
    watts, watts_from = watts_of_core(watts_per_core, name)
    cgroup, no_cgroup = _find_cgroup(tree, proc)
    equipment = Equipment(
        mode=wanted,
        device=device,
        zones=zones,
        no_rapl=no_rapl,
        sockets=socket_count,
        gpu=None if opened is None else opened.gpu,
        no_gpu=no_gpu if device.startswith("cuda") else NOT_CUDA,
        watts_per_core=watts if wanted == "estimate" else None,
        synchronized=cuda is not None,
        watts_from=watts_from,
        no_cgroup=no_cgroup,
    )
    try:
        _check(equipment, name)
        plugged = () if wanted == "off" else plug_ins()
    except MeterError:
        if opened is not None:
            opened.close()
        raise
    plan = Plan(
        interval_s=interval_s,
        pid=tree.pid,
        zones=() if zones is None else zones.found,
        gpu=None if opened is None else GpuPlan.of(opened),
        cpu_time=equipment.watts_per_core is not None,
    )
    # The cgroup has its peak from the kernel: nothing to read in between.
    sources = [*([] if cgroup is None else [cgroup]), *plan.sources(tree, opened, clock, read)]
    return EnergyMeter(equipment, sampler(sources, plan, clock), cuda=cuda, nvml=opened, plugged=plugged)


def _mode(name: str) -> Mode:
    modes: tuple[Mode, ...] = get_args(Mode)
    for mode in modes:
        if mode == name:
            return mode
    raise MeterError(f"expected an energy mode of {', '.join(modes)}, found {name!r}")


def _find_zones(
    root: Path, read: ReadText, sockets: Callable[[], int | None]
) -> tuple[Zones | None, str | None, int | None]:
    try:
        zones = discover(root, read)
    except UnmeasurableError as error:
        return None, str(error), None
    return zones, None, sockets()


def _find_gpu(
    device: str, cuda: CudaHooks | None, environ: Mapping[str, str], module: ModuleType | None
) -> tuple[Nvml | None, str | None]:
    if not device.startswith("cuda"):
        return None, NOT_CUDA
    try:
        return open_nvml(device, environ, uuid=None if cuda is None else cuda.uuid, module=module), None
    except UnmeasurableError as error:
        return None, str(error)


def _find_cgroup(tree: ProcessTree, proc: Path) -> tuple[CgroupSource | None, str | None]:
    try:
        return CgroupSource(find_cgroup(tree.pid, proc), tree.with_samplers), None
    except UnmeasurableError as error:
        return None, str(error)


def _check(equipment: Equipment, name: str | None) -> None:
    missing = equipment.missing()
    works = "gpu" if equipment.on_gpu else "cpu_package"
    if equipment.mode == "require" and works in missing:
        raise MeterError(
            f"energy is required, but {works} has no meter: {missing[works]} (mode `auto` goes on without joules)"
        )
    if equipment.mode == "estimate" and "cpu_package" in missing and equipment.watts_per_core is None:
        raise MeterError(
            "an estimate needs the watts of one busy core: state them with --leanner-watts-per-core (TDP over cores is "
            f"a start), since leanner's table does not know {name or 'a CPU without a name'}; "
            f"a measurement is not possible: {missing['cpu_package']}"
        )
    if equipment.watts_per_core is not None and not equipment.watts_per_core > 0.0:
        raise MeterError(f"expected watts per core above 0, found {equipment.watts_per_core:g}")
