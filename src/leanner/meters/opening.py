"""Finding out what this machine can be metered with."""

from __future__ import annotations

import os

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from typing import get_args

from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.combine import NOT_CUDA
from leanner.meters.combine import OFF
from leanner.meters.combine import Equipment
from leanner.meters.combine import Mode
from leanner.meters.errors import MeterError
from leanner.meters.errors import UnmeasurableError
from leanner.meters.estimate import CpuTimeSource
from leanner.meters.memory import MemorySource
from leanner.meters.meter import EnergyMeter
from leanner.meters.nvml import CounterSource
from leanner.meters.nvml import GaugeSource
from leanner.meters.nvml import Nvml
from leanner.meters.nvml import open_nvml
from leanner.meters.processes import ProcessTree
from leanner.meters.rapl import RaplSource
from leanner.meters.sampler import SamplerFactory
from leanner.meters.sampler import Source
from leanner.meters.sampler import ThreadSampler
from leanner.meters.sockets import count_sockets
from leanner.meters.zones import POWERCAP
from leanner.meters.zones import ReadText
from leanner.meters.zones import Zones
from leanner.meters.zones import discover
from leanner.meters.zones import read_text


if TYPE_CHECKING:
    from leanner.meters.cuda import CudaHooks


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
    nvml: ModuleType | None = None,
    environ: Mapping[str, str] = os.environ,
    tree: ProcessTree | None = None,
    clock: Clock = monotonic_ns,
    sampler: SamplerFactory = ThreadSampler,
) -> EnergyMeter:
    """Open a meter for what runs on ``device``.

    Memory is always measured. Joules, by mode: ``auto`` takes the meters that are here and
    gives reasons for the others; ``require`` fails if the device that does the work (the
    CPU packages, or the GPU) has none; ``estimate`` falls back to CPU time times
    ``watts_per_core`` for packages without a meter; ``off`` measures none.

    Args:
        mode: One of ``Mode``.
        device: Torch device, ``cpu``, ``cuda`` or ``cuda:N``.
        interval_s: Seconds between samples.
        watts_per_core: Watts of one busy core, for ``estimate``.
        cuda: Callables of the CUDA device (``cuda_hooks``).
        powercap: Root of powercap.
        read: Reads a file of sysfs.
        sockets: Counts the CPU sockets.
        nvml: The module ``pynvml``, or one like it.
        environ: For ``CUDA_VISIBLE_DEVICES``.
        tree: Processes that are measured; this one and its descendants by default.
        clock: Monotonic nanoseconds.
        sampler: Makes the sampler of a window.

    Raises:
        MeterError: ``require`` and no meter, ``estimate`` without watts, or an unknown mode.
    """
    wanted = _mode(mode)
    if interval_s <= 0.0:
        raise MeterError(f"expected a sampling interval above 0 s, found {interval_s:g}")
    tree = tree or ProcessTree()
    zones, no_rapl, socket_count = (None, OFF, None) if wanted == "off" else _find_zones(powercap, read, sockets)
    opened, no_gpu = (None, OFF) if wanted == "off" else _find_gpu(device, cuda, environ, nvml)
    equipment = Equipment(
        mode=wanted,
        device=device,
        zones=zones,
        no_rapl=no_rapl,
        sockets=socket_count,
        gpu=None if opened is None else opened.gpu,
        no_gpu=no_gpu if device.startswith("cuda") else NOT_CUDA,
        watts_per_core=watts_per_core if wanted == "estimate" else None,
        synchronized=cuda is not None,
    )
    try:
        _check(equipment)
    except MeterError:
        if opened is not None:
            opened.close()
        raise
    # The nearer to the window's edge, the later in this list: counters last.
    sources: list[Source] = [MemorySource(tree, clock)]
    if opened is not None:
        sources.append(GaugeSource(opened, tree.pids))
    if equipment.watts_per_core is not None:
        sources.append(CpuTimeSource(lambda: tree.cpu_s(tree.pids())))
    if zones is not None:
        sources.append(RaplSource(zones, read))
    if opened is not None and opened.gpu.counter:
        sources.append(CounterSource(opened))
    return EnergyMeter(equipment, sources, interval_s=interval_s, clock=clock, sampler=sampler, cuda=cuda, nvml=opened)


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


def _check(equipment: Equipment) -> None:
    missing = equipment.missing()
    works = "gpu" if equipment.on_gpu else "cpu_package"
    if equipment.mode == "require" and works in missing:
        raise MeterError(
            f"energy is required, but {works} has no meter: {missing[works]} (mode `auto` goes on without joules)"
        )
    if equipment.mode == "estimate" and "cpu_package" in missing and equipment.watts_per_core is None:
        raise MeterError(
            "an estimate needs the watts of one busy core: state them with --leanner-watts-per-core "
            f"(TDP over cores is a start); a measurement is not possible: {missing['cpu_package']}"
        )
    if equipment.watts_per_core is not None and not equipment.watts_per_core > 0.0:
        raise MeterError(f"expected watts per core above 0, found {equipment.watts_per_core:g}")
