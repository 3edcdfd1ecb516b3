from __future__ import annotations

import io

from dataclasses import replace

import pytest

from rich.console import Console

from factorial.made import cells
from factorial.made import timed
from leanner.factorial.analysis import Analysis
from leanner.factorial.design import Design
from leanner.factorial.design import Factor
from leanner.factorial.responses import Effect
from leanner.factorial.responses import Response
from leanner.factorial.responses import Scale
from leanner.factorial.responses import of_time
from leanner.factorial.text import markdown
from leanner.factorial.text import table
from leanner.factorial.text import words


DESIGN = Design((Factor("fp32", "int8"), Factor("dense", "50 %")), ("fp32", "int8", "half", "both"))
F1 = Response(
    "f1",
    "pt",
    Scale.POINTS,
    (80.0, 79.0, 78.0, 77.0),
    78.5,
    (Effect((0,), -1.0, -1.5, 0.2), Effect((1,), -2.0, None, None), Effect((0, 1), -1e-15, -1e-15, 1e-15)),
    "articles",
    None,
)


def analysis_of(*seconds: float, design: Design = DESIGN) -> Analysis:
    records = tuple(cells(design, time=[timed([each] * 10) for each in seconds]))
    return Analysis(design, records, 1, (F1, of_time(design, records)), ("a remark",))


def shown(analysis: Analysis) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table(analysis))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_got_slower_is_said_the_other_way_round() -> None:
    """int8 takes twice the time, four times where half of the weights are zeros."""
    int8, half, both = words(analysis_of(1.0, 2.0, 1.0, 4.0))

    assert int8 == (
        "int8 in place of fp32: a round is 2.83 [2.83, 2.83] times as slow, F1 changes by -1.00 [-1.50, +0.20] pt"
    )
    assert half == "50 % in place of dense: a round is 1.41 [1.41, 1.41] times as slow, F1 changes by -2.00 pt"
    assert both == (
        "int8, with 50 % against dense: the speed-up is 0.50 [0.50, 0.50] times as large, "
        "the change of F1 differs by +0.00 [+0.00, +0.00] pt"
    )


def test_what_is_unknown_is_a_dash_with_a_note() -> None:
    analysis = analysis_of(1.0, 2.0, 1.0, 4.0)
    energy = Response("energy", "J", Scale.RATIO, (None,) * 4, None, (), None, "no meter")
    analysis = replace(analysis, responses=(F1, energy))

    lines = shown(analysis).splitlines()
    assert any(line.split()[-2:] == ["J", "[1]"] for line in lines)
    assert any(line.split()[:1] == ["int8"] and line.split()[-1] == "–" for line in lines)
    assert "[1] no meter" in (line.rstrip() for line in lines)
    assert next(iter(words(analysis))) == "int8 in place of fp32: F1 changes by -1.00 [-1.50, +0.20] pt"


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "a|b", "**a**"], ids=["rich", "pipe", "stars"])
def test_names_stay_text(name: str) -> None:
    design = Design((Factor("fp32", name), Factor("dense", "50 %")), DESIGN.cells)
    analysis = analysis_of(1.0, 2.0, 1.0, 4.0, design=design)

    assert f"fp32 / {name}" in shown(analysis)
    row = next(line for line in markdown(analysis).splitlines() if "both" in line)
    assert row.replace("\\|", "").count("|") == 6
    assert name not in row
