from __future__ import annotations

import pytest

from leanner.serving.source import Source
from serving.toys import toy


def test_another_process_can_make_the_same_tagger() -> None:
    source = toy(call_s=0.5)
    assert Source.from_json(source.to_json()) == source
    assert source.load() == source.load()


@pytest.mark.parametrize("factory", ["json", ":loads", "json:"])
def test_a_factory_is_a_function_of_a_module(factory: str) -> None:
    with pytest.raises(ValueError, match="expected module:function"):
        Source(factory).load()
