"""What engines need, and which taggers they can run; known where torch is not imported."""

from __future__ import annotations

import importlib
import importlib.util

from collections.abc import Iterator
from collections.abc import Mapping
from itertools import combinations
from typing import Final

from leanner.taggers.lean.support import BLOCKS
from leanner.taggers.lean.support import REASONS as LEAN_REASONS


#: The packages that an engine is made with, in order.
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino", "nncf"),
}

#: The files of a model, by the engine that runs it.
FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "onnxruntime": ("model.onnx",),
    "openvino": ("model.xml", "model.bin"),
}

NOT_A_CPU: Final = "the engines' graphs are run on CPUs only"
OTHER_LIBRARY: Final = "a tagger of transformers, of which no graph is made: run it in the lean runtime"


def missing_packages(engine: str) -> str | None:
    """Return what is to be installed for an engine; ``None`` if all of it is there."""
    missing = [name for name in PACKAGES[engine] if importlib.util.find_spec(name) is None]
    return _to_install(engine, missing) if missing else None


def version_of(engine: str) -> str:
    """Return the version of an engine, without what its maker says of the build.

    Raises:
        ImportError: It is not there, or broken.
    """
    found = getattr(importlib.import_module(engine), "__version__", None)
    if found is None:
        raise ImportError(f"expected a version of {engine}, found none: install it anew")
    return str(found).partition("-")[0]


def reasons_against(engine: str) -> tuple[str, ...]:
    """Return every reason for which an engine may not run a tagger."""
    return (NOT_A_CPU, OTHER_LIBRARY, *LEAN_REASONS, BLOCKS, *_every_lack(engine))


def _every_lack(engine: str) -> Iterator[str]:
    names = PACKAGES[engine]
    for number in range(1, len(names) + 1):
        for missing in combinations(names, number):
            yield _to_install(engine, missing)


def _to_install(engine: str, missing: tuple[str, ...] | list[str]) -> str:
    return f"{engine} needs {', '.join(missing)}: pip install 'leanner[engines]'"
