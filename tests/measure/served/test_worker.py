from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leanner import configurations
from leanner.measure.served.worker import source_of
from leanner.serving.source import Source
from leanner.taggers import by_name
from measure.fakes import FakeTagger
from measure.fakes import Forget
from measure.fakes import options


@pytest.mark.parametrize(
    ("name", "loader", "more"), [("bundled", "load_tagger", {}), ("hf:a/b", "load_hf", {"label_map": "labels.toml"})]
)
def test_a_worker_makes_the_tagger_of_the_configuration(
    name: str, loader: str, more: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def load(name: str, device: str, **given: object) -> FakeTagger:
        asked.append((name, device, given))
        return FakeTagger()

    monkeypatch.setattr(by_name, loader, load)
    fp32 = configurations.CONFIGURATIONS[0]
    forgetful = replace(fp32, name="forgetful", passes=(Forget(2), Forget(3)))
    monkeypatch.setattr(configurations, "CONFIGURATIONS", (fp32, forgetful))
    given = options(tagger=name, tagger_labels="labels.toml", batch_size=8)
    source = Source.from_json(source_of(forgetful, given, "cpu").to_json())
    made = source.load()

    assert isinstance(made, FakeTagger)
    assert made.forgets == 3
    assert asked == [(name, "cpu", {"mini_batch_size": 8, **more})]
