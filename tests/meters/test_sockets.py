from __future__ import annotations

import importlib
import logging
import sys

from pathlib import Path
from types import ModuleType

import pytest

from leanner.meters.sockets import count_sockets


def test_pyrapl_counts_them_without_a_word(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyRAPL"]:
        monkeypatch.delitem(sys.modules, name)
    handlers = list(logging.getLogger().handlers)

    found = count_sockets()

    packages = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/physical_package_id")
    assert found == (len({path.read_text() for path in packages}) or None)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
    assert logging.root.manager.disable == logging.NOTSET


@pytest.mark.parametrize("error", [ImportError("no pyRAPL"), OSError("no sysfs")])
def test_where_it_cannot_tell_it_is_unknown(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> ModuleType:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    assert count_sockets() is None
