from __future__ import annotations

from typing import Any

from lxml import etree

from leanner.report.costs import Sparsity
from leanner.report.costs import Time
from leanner.report.paper.figures import front_svgs
from leanner.report.paper.figures import gains_svg
from leanner.report.paper.figures import scores_svg
from leanner.runs.scores import PartScore
from report.records import baseline
from report.records import record


NAME = "<b>$x_1$</b> & %d"


def texts(svg: bytes) -> list[str]:
    root: Any = etree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not root.xpath("//*[local-name()='script' or local-name()='b' or local-name()='image']")
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_front_names_its_cases_and_draws_the_same_twice() -> None:
    records = [baseline(), record(NAME, time=Time((1.0,), 1.0, None, None, None, 1000, 20_000))]
    ((name, svg),) = front_svgs(records).items()

    assert name == "front.svg"
    assert svg == front_svgs(records)[name]
    assert any(NAME in each for each in texts(svg))
    assert {"s per 1,000 sentences", "peak host MB", "F1 loss, pt"} <= set(texts(svg))
    # no case knows its joules
    assert "J per 1,000 sentences" not in texts(svg)


def test_each_device_has_a_front() -> None:
    assert list(front_svgs([baseline(), baseline(device="cuda:0")])) == ["front-cpu.svg", "front-cuda-0.svg"]


def test_a_panel_for_each_part() -> None:
    scores = [PartScore(part, 0.8, (0.7, 0.9), None, 0.1, None, None) for part in ("all", NAME)]
    unknown = PartScore("all", None, None, "no gold spans", None, None, "no gold spans")
    found = texts(scores_svg([(record(NAME), scores), (baseline(), [unknown])]))

    assert found.count(NAME) == 2
    assert {"all", "fp32"} <= set(found)


def test_gains_of_what_is_pruned() -> None:
    pruned = record(NAME, passes=({"name": "magnitude-pruning", "sparsity": 0.5},), sparsity=Sparsity(0.5, 0.5))
    svg = gains_svg([baseline(), pruned])

    assert svg is not None
    assert NAME in texts(svg)
    assert "fp32" not in texts(svg)
    assert gains_svg([baseline()]) is None
