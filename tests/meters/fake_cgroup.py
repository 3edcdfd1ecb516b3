"""A cgroup v2 with its peak of memory, in plain files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class FakeCgroup:
    """A group ``/run`` with its ``memory.peak``, and the files of ``/proc`` that lead to it."""

    root: Path
    path: str = "/run"
    mounted: str = "/"

    def __post_init__(self) -> None:
        self.proc = self.root / "proc"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "100").mkdir()
        self.folder = self.root / "a mount" / "run"
        self.folder.mkdir(parents=True)
        (self.proc / "100" / "cgroup").write_text(f"4:memory:/old\n0::{self.path}\n")
        point = str(self.folder.parent).replace(" ", "\\040")
        (self.proc / "self" / "mountinfo").write_text(
            "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
            "35 22 0:29 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
            f"36 22 0:30 {self.mounted} {point} rw,nosuid shared:10 - cgroup2 cgroup2 rw\n"
        )
        self.hold(100)
        self.peak(9_000_000_000)

    def hold(self, *pids: int, inner: str = "") -> None:
        folder = self.folder / inner
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))

    def peak(self, value_b: int) -> None:
        # Through the same file, as the kernel does: what has it open must see it.
        (self.folder / "memory.peak").write_text(f"{value_b}\n")
