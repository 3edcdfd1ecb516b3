"""Peak memory of the run's control group, where the run has one of its own.

``memory.peak`` of cgroup v2 (Linux, ``Documentation/admin-guide/cgroup-v2.rst``): all that
is charged to the group and its descendants, page cache and the kernel's own included. Since
Linux 6.12 a write through a descriptor makes the peak start anew for whoever reads through
the same descriptor, so that windows can be told apart; before, it is a peak since the group
was made, which says nothing about a window.
"""

from __future__ import annotations

import errno
import os
import re

from collections.abc import Callable
from pathlib import Path
from typing import Final

from leanner.meters.errors import UnmeasurableError
from leanner.meters.processes import PROC
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Trace


SOURCE: Final = "cgroup"

_PEAK: Final = "memory.peak"

_OWN: Final = "give the run one of its own: `systemd-run --user --scope pytest …`"

_MB: Final = 1e6


def find_cgroup(pid: int, proc: Path = PROC) -> Path:
    """Return the folder of the cgroup of process ``pid``, certain that its peak can start anew.

    Raises:
        UnmeasurableError: There is no cgroup v2 here, or it does not tell.
    """
    folder = _mounted(_path(pid, proc), proc)
    peak = folder / _PEAK
    if not peak.exists():
        raise UnmeasurableError(
            f"{peak} is missing: the root cgroup, memory left to cgroup v1 or not controlled, or Linux before 5.19; "
            f"{_OWN}"
        )
    try:
        os.close(_reset(peak))
    except PermissionError as error:
        raise UnmeasurableError(f"{peak} may not be written; {_OWN}") from error
    except OSError as error:
        old = " (possible since Linux 6.12)" if error.errno == errno.EINVAL else ""
        raise UnmeasurableError(f"the kernel does not let {peak} start anew{old}: {error.strerror}") from error
    return folder


class CgroupSource:
    """One channel, ``peak_b``, at the end of a window.

    Args:
        folder: The cgroup.
        ours: Returns the processes of the run, sampler included.
    """

    def __init__(self, folder: Path, ours: Callable[[], frozenset[int]]) -> None:
        self._folder = folder
        self._ours = ours
        self._descriptor: int | None = None
        self._failure = ""

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return SOURCE

    def sample(self, moment: Moment) -> Observation:
        """Let the peak start anew at the begin, and read it at the end."""
        if moment is Moment.TICK:
            return Observation()
        try:
            self._require_own()
            if moment is Moment.START:
                self._close()
                self._descriptor = _reset(self._folder / _PEAK)
                return Observation()
            return Observation({"peak_b": self._read()})
        except (OSError, ValueError, UnmeasurableError) as error:
            self._failure = str(error)
            return Observation(failures={"peak_b": str(error)})
        finally:
            if moment is Moment.STOP:
                self._close()

    def _require_own(self) -> None:
        """Check that nobody else's memory is counted."""
        ours = self._ours()
        # The peak counts descendants in.
        lists = [self._folder / "cgroup.procs", *self._folder.glob("*/**/cgroup.procs")]
        members = {int(pid) for path in lists for pid in path.read_text(encoding="ascii").split()}
        if strangers := members - ours:
            some = ", ".join(map(str, sorted(strangers)[:5])) + (", …" if len(strangers) > 5 else "")
            raise UnmeasurableError(f"{self._folder} also holds processes that are not the run's ({some}); {_OWN}")

    def _read(self) -> int:
        if self._descriptor is None:
            raise UnmeasurableError(self._failure)
        return int(os.pread(self._descriptor, 64, 0))

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def cgroup_peak(trace: Trace) -> tuple[float | None, str]:
    """Return the peak of the run's cgroup in MB = 10^6 bytes, or ``None`` and why."""
    points = trace.series(SOURCE, "peak_b")
    if points:
        return points[-1][1] / _MB, ""
    gaps = trace.gaps(SOURCE, "peak_b")
    return None, gaps[-1] if gaps else "the run's cgroup was not asked"


def _reset(peak: Path) -> int:
    """Make the peak start anew; returns the descriptor through which that is seen."""
    descriptor = os.open(peak, os.O_RDWR)
    try:
        os.write(descriptor, b"0\n")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _path(pid: int, proc: Path) -> str:
    """Return the path of a process's cgroup as its namespace sees it (cgroups(7))."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnmeasurableError(f"the cgroup of process {pid} cannot be read: {error.strerror}") from error
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    if path is None:
        raise UnmeasurableError("this system has no cgroup v2")
    if ".." in path.split("/"):
        raise UnmeasurableError(f"the run's cgroup {path} lies outside of what its namespace shows")
    return path


def _mounted(path: str, proc: Path) -> Path:
    """Return where a cgroup is found in the file system (proc(5), ``/proc/pid/mountinfo``)."""
    try:
        lines = (proc / "self" / "mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnmeasurableError(f"the mounts cannot be read: {error.strerror}") from error
    for line in lines:
        mount, _, system = line.partition(" - ")
        root, point = (_unescaped(field) for field in mount.split()[3:5])
        if system.startswith("cgroup2 ") and Path(path).is_relative_to(root):
            return Path(point) / Path(path).relative_to(root)
    raise UnmeasurableError(f"the cgroup {path} is mounted nowhere")


def _unescaped(field: str) -> str:
    # Blanks and backslashes stand there in octal.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
