"""The run that pages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from check.reports import Run as Measured
from leanner.runs.run import read_run
from leanner.runs.run import with_corpus


if TYPE_CHECKING:
    from leanner.runs.run import Run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """fp32, bf16 and int8 on a made-up GPU, and fp16 that did not run."""
    measured = Measured(tmp_path_factory.mktemp("page"), only=("fp32", "bf16", "int8", "fp16")).written()
    return with_corpus(read_run(measured.path), [measured.corpora], [])
