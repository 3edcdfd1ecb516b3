from __future__ import annotations

import importlib.util

import pytest

from leanner.taggers.engines import support


def test_a_package_that_is_missing_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"onnx", "openvino"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    lack = support.missing_packages("onnxruntime")
    assert lack == "onnxruntime needs onnxscript, onnxruntime: pip install 'leanner[engines]'"
    assert lack in support.reasons_against("onnxruntime")
    assert support.missing_packages("openvino") == "openvino needs nncf: pip install 'leanner[engines]'"
    there.update(name for names in support.PACKAGES.values() for name in names)
    assert support.missing_packages("onnxruntime") is None


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_every_reason_is_there_once(engine: str) -> None:
    reasons = support.reasons_against(engine)
    assert len(set(reasons)) == len(reasons)
    lacks = [reason for reason in reasons if "pip install" in reason]
    assert len(lacks) == 2 ** len(support.PACKAGES[engine]) - 1
