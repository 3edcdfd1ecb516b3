"""A module like ``pynvml`` whose devices do what a script says."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from types import ModuleType
from types import SimpleNamespace
from typing import Any
from typing import Final


INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
NOT_FOUND: Final = 6
DRIVER_NOT_LOADED: Final = 9
LIBRARY_NOT_FOUND: Final = 12
GPU_IS_LOST: Final = 15

_TEXT: Final = {
    INVALID_ARGUMENT: "Invalid Argument",
    NOT_SUPPORTED: "Not Supported",
    NO_PERMISSION: "Insufficient Permissions",
    NOT_FOUND: "Not Found",
    DRIVER_NOT_LOADED: "Driver Not Loaded",
    LIBRARY_NOT_FOUND: "NVML Shared Library Not Found",
    GPU_IS_LOST: "GPU is lost",
}


class NVMLError(Exception):
    """As in ``pynvml``: carries the code, prints the text."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return _TEXT[self.value]


@dataclass
class FakeGpu:
    """What one device answers; an attribute that is an ``NVMLError`` is raised instead.

    ``instant_mw`` is by scope (0 GPU, 1 module); a scope that is missing is not supported. ``slices`` are the UUIDs of
    its MIG devices. ``lost`` is what asking for its handle raises.
    """

    uuid: str = "GPU-aaaa1111-0000-0000-0000-000000000000"
    model: str = "NVIDIA H200"
    energy_mj: int | NVMLError = 5_000_000
    usage_mw: int | NVMLError = 100_000
    instant_mw: dict[int, int] = field(default_factory=lambda: {0: 100_000})
    utilization_pct: int | NVMLError = 50
    temperature_c: int | NVMLError = 40
    clock_events: int | NVMLError = 0
    mig: bool | NVMLError = False
    architecture: int | NVMLError = 9
    processes: Sequence[tuple[int, int | None]] | NVMLError = ()
    graphics: Sequence[tuple[int, int | None]] | NVMLError = ()
    mps: Sequence[tuple[int, int | None]] | NVMLError = ()
    slices: Sequence[str] = ()
    lost: NVMLError | None = None


@dataclass(frozen=True)
class FakeSlice:
    """A MIG device: a handle of its own, with a UUID of its own."""

    uuid: str
    parent: FakeGpu


class FakeNvml(ModuleType):
    """The part of ``pynvml`` that leanner calls.

    Attributes:
        gpus: The devices, in the order of the PCI bus.
        initialized: Calls of ``nvmlInit`` without their ``nvmlShutdown``.
        broken: What ``nvmlInit`` raises.
    """

    NVML_SUCCESS = 0
    NVML_ERROR_NOT_SUPPORTED = NOT_SUPPORTED
    NVML_DEVICE_MIG_ENABLE = 1
    NVML_DEVICE_ARCH_AMPERE = 7
    NVML_TEMPERATURE_GPU = 0
    NVML_FI_DEV_POWER_INSTANT = 186
    NVML_POWER_SCOPE_GPU = 0
    NVML_POWER_SCOPE_MODULE = 1

    def __init__(self, *gpus: FakeGpu, broken: NVMLError | None = None) -> None:
        super().__init__("pynvml")
        self.NVMLError = NVMLError
        self.gpus = gpus
        self.initialized = 0
        self.broken = broken

    def nvmlInit(self) -> None:  # noqa: N802 - pynvml's name, as all below
        if self.broken is not None:
            raise self.broken
        self.initialized += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        assert self.initialized > 0, "a shutdown without its init"
        self.initialized -= 1

    def _ask(self, answer: Callable[[], Any]) -> Any:  # noqa: ANN401 - as untyped as pynvml
        assert self.initialized > 0, "NVML is used outside of init and shutdown"
        value = answer()
        if isinstance(value, NVMLError):
            raise value
        return value

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return int(self._ask(lambda: len(self.gpus)))

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802
        gpu = self.gpus[index]
        self._ask(lambda: gpu.lost)
        return gpu

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeGpu | FakeSlice:  # noqa: N802
        # The whole UUID, with its prefix; before R470 slices had other names.
        for gpu in self.gpus:
            if uuid == gpu.uuid:
                self._ask(lambda gpu=gpu: gpu.lost)  # type: ignore[misc]
                return gpu
            if uuid in gpu.slices:
                return FakeSlice(uuid, gpu)
        raise NVMLError(NOT_FOUND)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, device: FakeGpu | FakeSlice) -> FakeGpu:  # noqa: N802
        if isinstance(device, FakeGpu):
            raise NVMLError(INVALID_ARGUMENT)
        return device.parent

    def nvmlDeviceGetUUID(self, device: FakeGpu | FakeSlice) -> str:  # noqa: N802
        return device.uuid

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str:  # noqa: N802
        return gpu.model

    def nvmlDeviceGetArchitecture(self, gpu: FakeGpu) -> int:  # noqa: N802
        return int(self._ask(lambda: gpu.architecture))

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> list[int]:  # noqa: N802
        return [int(self._ask(lambda: gpu.mig)), 0]

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: FakeGpu) -> int:  # noqa: N802
        return int(self._ask(lambda: gpu.energy_mj))

    def nvmlDeviceGetPowerUsage(self, gpu: FakeGpu) -> int:  # noqa: N802
        return int(self._ask(lambda: gpu.usage_mw))

    def nvmlDeviceGetFieldValues(self, gpu: FakeGpu, fields: list[tuple[int, int]]) -> list[SimpleNamespace]:  # noqa: N802
        assert [number for number, _ in fields] == [self.NVML_FI_DEV_POWER_INSTANT]
        return [self._field(gpu, scope) for _, scope in fields]

    @staticmethod
    def _field(gpu: FakeGpu, scope: int) -> SimpleNamespace:
        value = SimpleNamespace(uiVal=gpu.instant_mw.get(scope, 0))
        known = scope in gpu.instant_mw
        return SimpleNamespace(nvmlReturn=0 if known else NOT_SUPPORTED, valueType=1, value=value)

    def nvmlDeviceGetUtilizationRates(self, gpu: FakeGpu) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=self._ask(lambda: gpu.utilization_pct), memory=0)

    def nvmlDeviceGetTemperature(self, gpu: FakeGpu, sensor: int) -> int:  # noqa: N802
        assert sensor == self.NVML_TEMPERATURE_GPU
        return int(self._ask(lambda: gpu.temperature_c))

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: FakeGpu) -> int:  # noqa: N802
        return int(self._ask(lambda: gpu.clock_events))

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:  # noqa: N802
        return self._listed(lambda: gpu.processes)

    def nvmlDeviceGetGraphicsRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:  # noqa: N802
        return self._listed(lambda: gpu.graphics)

    def nvmlDeviceGetMPSComputeRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:  # noqa: N802
        return self._listed(lambda: gpu.mps)

    def _listed(self, answer: Callable[[], Any]) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self._ask(answer)]
