"""NVML as two sources: gauges and the energy counter (module ``pynvml`` of nvidia-ml-py)."""

from __future__ import annotations

import importlib

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from typing import Final

from leanner.meters.device import Gpu
from leanner.meters.device import find_gpu
from leanner.meters.errors import UnmeasurableError
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation


GAUGES: Final = "nvml"
COUNTER: Final = "nvml-counter"

#: Process ids of the tree that is measured.
TreePids = Callable[[], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Nvml:
    """NVML, initialised, with the GPU under test.

    Attributes:
        module: ``pynvml``.
        gpu: The device.
    """

    module: ModuleType
    gpu: Gpu

    def close(self) -> None:
        """Undo the initialisation."""
        self.module.nvmlShutdown()


def open_nvml(
    device: str, environ: Mapping[str, str], *, uuid: str | None = None, module: ModuleType | None = None
) -> Nvml:
    """Initialise NVML and find the GPU behind a torch device.

    Raises:
        UnmeasurableError: There is no NVML, no driver, or no such GPU.
    """
    nvml = module or _import()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise UnmeasurableError(
            f"NVML cannot be started: {error}; it comes with the NVIDIA driver (in a container: --gpus, "
            "with NVIDIA_DRIVER_CAPABILITIES holding `utility`)"
        ) from error
    try:
        return Nvml(nvml, find_gpu(nvml, device, environ, uuid))
    except UnmeasurableError:
        nvml.nvmlShutdown()
        raise


def _import() -> ModuleType:
    try:
        return importlib.import_module("pynvml")
    except ImportError as error:
        raise UnmeasurableError("the module pynvml is missing: `pip install nvidia-ml-py`") from error


class GaugeSource:
    """Power, utilisation, memory of the process tree, temperature, clock events, and who is on the device.

    Channels: ``power_mw``, ``utilization_pct``, ``temperature_c``, ``clock_events``, ``vram_b`` and ``processes``
    of the tree, and ``foreign.PID`` for each process beside it. ``graphics`` and ``mps`` have no values, only
    failures: of the lists of processes that draw, and of clients of CUDA's Multi-Process Service.
    """

    def __init__(self, nvml: Nvml, tree: TreePids) -> None:
        self._nvml = nvml
        self._tree = tree

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return GAUGES

    def sample(self, moment: Moment) -> Observation:  # noqa: ARG002 - edges are read like ticks
        """Read every gauge; one that fails is a gap of its own."""
        nvml, handle = self._nvml.module, self._nvml.gpu.handle
        readers: dict[str, Callable[[], Mapping[str, float]]] = {
            "utilization_pct": lambda: {"utilization_pct": nvml.nvmlDeviceGetUtilizationRates(handle).gpu},
            "temperature_c": lambda: {
                "temperature_c": nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
            },
            "clock_events": lambda: {"clock_events": nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)},
        }
        if (power := self._nvml.gpu.power) is not None:
            readers["power_mw"] = lambda: {"power_mw": power.read_mw()}
        values: dict[str, float] = {}
        failures: dict[str, str] = {}
        for channel, read in readers.items():
            try:
                values.update(read())
            except nvml.NVMLError as error:
                failures[channel] = str(error)
        values.update(self._processes(failures))
        return Observation(values, failures)

    def _processes(self, failures: dict[str, str]) -> dict[str, float]:
        """Return what the lists of processes say together; one that cannot be read is added to ``failures``."""
        held_b: dict[int, int | None] = {}
        for channel, read in self._lists().items():
            try:
                found = read(self._nvml.gpu.handle)
            except self._nvml.module.NVMLError as error:
                if channel != "mps" or error.value != self._nvml.module.NVML_ERROR_NOT_SUPPORTED:
                    failures[channel] = str(error)
                # Before Volta, MPS's server has the context, and stands in the first list.
                continue
            for process in found:
                # One that computes and draws stands in two lists, each with all that it holds.
                known_b, used_b = held_b.get(process.pid, 0), process.usedGpuMemory
                held_b[process.pid] = None if known_b is None or used_b is None else max(known_b, used_b)
        tree = self._tree()
        values: dict[str, float] = {f"foreign.{pid}": 1 for pid in held_b if pid not in tree}
        if "vram_b" in failures:
            return values
        ours = [used_b for pid, used_b in held_b.items() if pid in tree]
        values["processes"] = len(ours)
        known = [used_b for used_b in ours if used_b is not None]
        if len(known) == len(ours):  # where NVML does not give the memory of single processes, it is unknown
            values["vram_b"] = sum(known)
        return values

    def _lists(self) -> Mapping[str, Callable[[object], Sequence[Any]]]:
        nvml = self._nvml.module
        return {
            "vram_b": nvml.nvmlDeviceGetComputeRunningProcesses,
            "graphics": nvml.nvmlDeviceGetGraphicsRunningProcesses,
            "mps": nvml.nvmlDeviceGetMPSComputeRunningProcesses,
        }


class CounterSource:
    """The total-energy counter, in millijoules since the driver was loaded."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return COUNTER

    def sample(self, moment: Moment) -> Observation:  # noqa: ARG002 - edges are read like ticks
        """Read the counter."""
        nvml = self._nvml.module
        try:
            return Observation({"energy_mj": int(nvml.nvmlDeviceGetTotalEnergyConsumption(self._nvml.gpu.handle))})
        except nvml.NVMLError as error:
            return Observation(failures={"energy_mj": str(error)})
