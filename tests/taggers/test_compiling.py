from __future__ import annotations

import sysconfig

from pathlib import Path

import pytest
import torch

from torch._inductor import cpp_builder
from torch._inductor.exc import InvalidCxxCompiler
from torch.utils import _triton

from leanner.taggers.compiling import NO_COMPILER
from leanner.taggers.compiling import NO_HEADERS
from leanner.taggers.compiling import NO_TRITON
from leanner.taggers.compiling import OTHER_DEVICE
from leanner.taggers.compiling import reason_against
from leanner.taggers.compiling import reasons_against


CPU = torch.device("cpu")


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with a compiler and headers; the folder of these."""
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", lambda: "g++")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    return tmp_path


def test_on_a_cpu_it_takes_a_compiler_and_headers(complete: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason_against(CPU) is None
    (complete / "Python.h").unlink()
    assert reason_against(CPU) == NO_HEADERS

    def none() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    assert reason_against(CPU) == NO_COMPILER
    assert set(reasons_against("cpu")) == {NO_COMPILER, NO_HEADERS}


def test_on_cuda_it_takes_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_triton, "has_triton", lambda: True)
    assert reason_against(torch.device("cuda:1")) is None
    monkeypatch.setattr(_triton, "has_triton", lambda: False)
    assert reason_against(torch.device("cuda:1")) == NO_TRITON
    assert reasons_against("cuda:1") == (NO_TRITON,)


def test_other_devices_are_refused() -> None:
    assert reason_against(torch.device("meta")) == OTHER_DEVICE
    assert reasons_against("meta") == (OTHER_DEVICE,)
