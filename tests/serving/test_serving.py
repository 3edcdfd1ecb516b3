from __future__ import annotations

import json

import pytest

from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import MOSEC
from leanner.serving.serving import TORCHSERVE
from leanner.serving.serving import Serving
from leanner.serving.serving import make_server


def test_it_is_described_ready_for_json() -> None:
    described = Serving(MOSEC, DynamicBatching(8, 2.5)).describe()

    assert json.loads(json.dumps(described)) == {
        "server": "mosec",
        "batching": {"max_batch_size": 8, "max_batch_delay_ms": 2.5, "by_length": False},
    }


def test_an_unknown_server_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of in-process, torchserve, mosec, found 'litserve'"):
        Serving("litserve", ONE_BY_ONE)
    with pytest.raises(ValueError, match="expected one of torchserve, mosec, found 'litserve'"):
        make_server("litserve")


def test_what_serves_in_this_process_is_no_server() -> None:
    assert Serving(IN_PROCESS, ONE_BY_ONE).refusals() == ()
    with pytest.raises(ValueError, match="found 'in-process'"):
        make_server(IN_PROCESS)


@pytest.mark.parametrize("name", [TORCHSERVE, MOSEC])
def test_a_server_has_its_name_whether_or_not_it_is_installed(name: str) -> None:
    server = make_server(name)

    assert server.name == server.describe()["name"] == name
    assert Serving(name, ONE_BY_ONE).refusals() == (f"{name} is not installed: pip install 'leanner[{name}]'",)
