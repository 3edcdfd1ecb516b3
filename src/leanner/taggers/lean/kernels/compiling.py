"""From C to a library that this process can call: compiled once for a machine, and kept."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tempfile

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from typing import TypeVar

import pooch

from leanner.atomic import write_atomically


_Kernels = TypeVar("_Kernels")

SOURCE: Final = Path(__file__).with_name("kernels.c")

#: Not ``-ffast-math``: a library linked with it changes how the whole process rounds small numbers.
FLAGS: Final = (
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fPIC",
    "-fopenmp",
)

_COMPILERS: Final = ("cc", "gcc")
_LIMIT_S: Final = 120.0


class KernelError(RuntimeError):
    """There are no kernels on this machine; the message says why."""


def compiled(source: Path, folder: Path, flags: Sequence[str] = FLAGS) -> Path:
    """Return the library of ``source``, compiled for this CPU and against the OpenMP that this process has loaded.

    It is kept in ``folder`` under a name made of everything that it depends on.

    Raises:
        KernelError: There is no compiler, it failed, or no OpenMP of GCC is loaded.
    """
    compiler = _compiler()
    openmp = loaded_openmp()
    version = _run([compiler, "--version"])
    headers = sorted(source.parent.glob("*.h"))
    texts = (path.read_text(encoding="utf-8") for path in (source, *headers))
    parts = (*texts, *flags, version, openmp, _cpu())
    library = folder / f"kernels-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}.so"
    if library.exists():
        return library
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            made = Path(own)
            _run([compiler, *flags, "-c", str(source), "-o", str(made / "kernels.o")])
            # A second OpenMP would have threads of its own, which wait busily beside torch's.
            _run([compiler, "-shared", str(made / "kernels.o"), openmp, "-lm", "-o", str(made / "kernels.so")])
            # Whole or not there: a library that is cut off can end the process that loads it.
            write_atomically(library, (made / "kernels.so").read_bytes())
    except OSError as error:
        raise KernelError(f"{error.filename}: {error.strerror}") from error
    return library


def load(source: Path, kernels: Callable[[Path], _Kernels], folder: Path | None) -> _Kernels:
    """Return what calls the library of ``source``, which is compiled if it is not there yet: that takes seconds.

    Args:
        source: In C.
        kernels: Takes the path of a library.
        folder: Where libraries are kept; the user's cache if ``None``.

    Raises:
        KernelError: It cannot be had here.
    """
    folder = Path(pooch.os_cache("leanner")) / "kernels" if folder is None else folder
    library = compiled(source, folder)
    try:
        return kernels(library)
    except (OSError, AttributeError):
        # Something else has come to lie there.
        library.unlink(missing_ok=True)
    try:
        return kernels(compiled(source, folder))
    except (OSError, AttributeError) as error:
        raise KernelError(f"the library cannot be loaded: {error}") from error


def loaded_openmp() -> str:
    """Return the path of the GNU OpenMP that torch has loaded.

    Raises:
        KernelError: It has another one, or this is no Linux.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists():
        raise KernelError(f"expected Linux, found {platform.system()}")
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise KernelError("expected torch as a package, found none")
    return openmp_of(Path(spec.origin).parent, maps.read_text(encoding="utf-8", errors="replace"))


def openmp_of(torch: Path, maps: str) -> str:
    """Return the path of torch's OpenMP among what a process has loaded: other packages bring their own.

    Args:
        torch: Its folder.
        maps: As ``/proc/self/maps`` has them.

    Raises:
        KernelError: It has none of GNU, or which one is its is not to be told.
    """
    found: dict[str, None] = dict.fromkeys(re.findall(r" (/.*/libgomp[^/\n]*\.so[^/\n]*)$", maps, re.MULTILINE))
    folders = (torch, torch.with_name("torch.libs"))
    its: list[str] = [path for path in found if any(folder in Path(path).parents for folder in folders)]
    if len(its) == 1:
        return its[0]
    if not its and len(found) == 1:
        return next(iter(found))
    raise KernelError(f"expected one GNU OpenMP (libgomp) of torch, found {', '.join(its or found) or 'none'}")


def _compiler() -> str:
    named = os.environ.get("CC")
    for name in (named,) if named else _COMPILERS:
        if name and (path := shutil.which(name)):
            return path
    raise KernelError(f"expected a C compiler ({named or ' or '.join(_COMPILERS)}), found none")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise KernelError(f"{command[0]} took longer than {_LIMIT_S:.0f} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [""]
        # The first error of a compiler is what the others follow from.
        why = next((line for line in said if "error" in line), said[-1])
        raise KernelError(f"{' '.join(command[:2])} ended with {done.returncode}: {why[-300:]}")
    return done.stdout


def _cpu() -> str:
    """Return what ``-march=native`` looks at."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    lines = re.findall(r"^(?:model name|flags|Features|CPU part)\s*:\s*(.*)$", text, re.MULTILINE)
    return "|".join([platform.machine(), *dict.fromkeys(lines)])
