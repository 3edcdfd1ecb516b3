"""A process tree whose memory and CPU time are set by tests."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from leanner.meters.processes import ProcessTree


@dataclass
class Memory:
    """Bytes of one process."""

    rss_b: int
    shared_b: int = 0


@dataclass
class FakeTree(ProcessTree):
    """Processes by id; ``pss_readable`` and ``high_water`` as the kernel allows."""

    pid: int = 100
    memory: dict[int, Memory] = field(default_factory=lambda: {100: Memory(500_000_000)})
    used_cpu_s: float = 1.0
    pss_readable: bool = True
    high_water: int | None = None
    pss_looks: int = 0

    def pids(self) -> frozenset[int]:
        return frozenset(self.memory)

    def with_ended(self) -> frozenset[int]:
        return self.pids()

    def with_samplers(self) -> frozenset[int]:
        return self.pids()

    def rss_b(self, pids: frozenset[int]) -> int:
        return sum(self.memory[pid].rss_b for pid in pids)

    def pss_b(self, pids: frozenset[int]) -> int:
        self.pss_looks += 1
        if not self.pss_readable:
            raise PermissionError(13, "Permission denied")
        return sum(self.memory[pid].rss_b - self.memory[pid].shared_b for pid in pids)

    def cpu_s(self, pids: frozenset[int]) -> float:  # noqa: ARG002 - one sum for all
        return self.used_cpu_s

    def reset_high_water(self) -> bool:
        return self.high_water is not None

    def high_water_b(self) -> int | None:
        return self.high_water
