"""Runs on a made-up machine, each measured once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from check.reports import Run as Measured
from leanner.runs.run import read_run
from leanner.runs.run import with_corpus


if TYPE_CHECKING:
    from leanner.runs.run import Run


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """fp32, bf16 and int8 on a GPU with everything metered."""
    return Measured(tmp_path_factory.mktemp("measured"), only=("fp32", "bf16", "int8", "fp16")).written()


@pytest.fixture(scope="session")
def run(measured: Measured) -> Run:
    """The same, read, with its corpus."""
    return with_corpus(read_run(measured.path), [measured.corpora], [])
