from __future__ import annotations

import pytest

from leanner.taggers.libraries import LIBRARIES
from leanner.taggers.libraries import library_of


@pytest.mark.parametrize(
    ("name", "library"),
    [("bundled", "flair"), ("model.pt", "flair"), ("hf:a/b", "transformers"), ("hf:/a folder", "transformers")],
)
def test_a_name_tells_what_runs_its_tagger(name: str, library: str) -> None:
    assert library_of(name) == library
    assert library in LIBRARIES
