"""What tests of compiling passes share: TorchDynamo without TorchInductor, in seconds instead of a minute."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from torch._dynamo.utils import counters


@pytest.fixture
def without_inductor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have ``torch.compile`` trace, with all its guards, and run what it traced by torch."""
    compiling: Callable[..., Any] = torch.compile

    def traced(function: Any, *, dynamic: bool, fullgraph: bool, options: dict[str, Any]) -> Any:  # noqa: ANN401, ARG001
        return compiling(function, dynamic=dynamic, fullgraph=fullgraph, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def graphs() -> int:
    """Return how many graphs TorchDynamo has made in this process."""
    return int(counters["stats"]["unique_graphs"])
