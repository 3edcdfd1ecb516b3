"""A ``/proc`` as the kernel lays it out, for as much of it as leanner reads."""

from __future__ import annotations

import os
import shutil

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path


@dataclass
class FakeProc:
    """Processes with their memory, command line and children; ``last_id`` is the one that was given last."""

    root: Path
    last_id: int = 0
    _children: dict[int, list[int]] = field(default_factory=dict)

    def add(self, pid: int, parent: int | None = None, *, threads: int = 1, command: str = "python") -> None:
        """Make a process that holds ten pages."""
        folder = self.root / str(pid)
        for thread in range(pid, pid + threads):
            (folder / "task" / str(thread)).mkdir(parents=True)
            (folder / "task" / str(thread) / "children").write_text("")
        (folder / "statm").write_text("100 10 5 1 0 50 0\n")
        (folder / "stat").write_text(f"{pid} (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 100 50 20 10 20 0 1 0\n")
        (folder / "cmdline").write_bytes(command.encode().replace(b" ", b"\0") + b"\0")
        self._children[pid] = []
        if parent is not None:
            self._children[parent].append(pid)
            self._list(parent)
        self.fork_elsewhere(pid)

    def fork_elsewhere(self, pid: int) -> None:
        """Let a process id be given, to whomever."""
        self.last_id = pid
        (self.root / "loadavg").write_text(f"0.50 0.40 0.30 2/345 {pid}\n")

    def end(self, pid: int, *, waited_for: bool = True) -> None:
        """Let a process end; as long as its parent has not waited for it, it holds nothing and keeps its times."""
        (self.root / str(pid) / "statm").write_text("0 0 0 0 0 0 0\n")
        if waited_for:
            shutil.rmtree(self.root / str(pid))
            for parent, children in self._children.items():
                if pid in children:
                    children.remove(pid)
                    self._list(parent)

    def _list(self, parent: int) -> None:
        text = " ".join(map(str, self._children[parent]))
        (self.root / str(parent) / "task" / str(parent) / "children").write_text(text)


#: Bytes of a process that ``FakeProc.add`` makes.
HELD_B = 10 * os.sysconf("SC_PAGE_SIZE")
