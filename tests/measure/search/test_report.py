from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from rich.console import Console

from leanner.measure.search.log import Log
from leanner.measure.search.outcome import Asked
from leanner.measure.search.report import answer
from leanner.measure.search.report import export_command
from leanner.measure.search.report import render
from leanner.measure.search.report import to_json
from leanner.measure.search.run import search
from measure.fakes import articles
from measure.search.made import Clock
from measure.search.made import candidate
from measure.search.made import loader


if TYPE_CHECKING:
    from leanner.measure.search.outcome import Outcome
    from leanner.measure.search.space import Candidate


ASKED = Asked(drop=8.0, budget_s=1e6)
GOOD = (
    candidate("lean", 4),
    candidate("int8", 1.5),
    candidate("bf16", 9, 2),
    candidate("fp16", 9, refuses="not here"),
)


def found(*candidates: Candidate) -> Outcome:
    clock = Clock()
    log = Log.begin(None, {}, clock)
    return search(ASKED, candidates, articles(160), loader(clock), log, clock=clock)


def shown(outcome: Outcome) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render(outcome, ASKED))
    return captured.get()


def test_tables_say_which_part_each_number_is_of() -> None:
    text = shown(found(*GOOD))

    assert "the Pareto front" in text
    assert "calibration part: the choice was made on it" in text
    assert "held-out part: 160 sentences of 80 articles that the choice has not seen" in text
    assert "dominated by lean: int8" in text
    assert "cannot run here (1): not here" in text
    assert "out and not dominated: bf16" in text
    assert "[4.00, 4.00]" in text


def test_the_answer_and_the_command() -> None:
    outcome = found(*GOOD)

    assert answer(outcome, ASKED) == (
        "lean: 4.00× faster than fp32 [4.00, 4.00], 0.00 [0.00, 0.00] points of F1 lost, on text that the choice has "
        "not seen"
    )
    assert export_command("lean", "hf:a/b", "my labels.toml") == (
        "leanner export --tagger hf:a/b --tagger-labels 'my labels.toml' --configuration lean tagger/"
    )
    assert export_command("ffn-ls-50:share=0.375+lean", "my tagger.pt") == (
        "leanner export --tagger 'my tagger.pt' --configuration ffn-ls-50:share=0.375+lean tagger/"
    )
    assert answer(found(candidate("bf16", 9, 2)), ASKED) == (
        "no confirmed winner for a loss of F1 of at most 8 points: no candidate keeps within it on the calibration part"
    )
    assert "the Pareto front" in shown(found(candidate("bf16", 9, 2)))


@pytest.mark.parametrize("candidates", [GOOD, GOOD[2:]])
def test_json_has_all_of_it(candidates: tuple[Candidate, ...]) -> None:
    outcome = found(*candidates)
    content = json.loads(json.dumps(to_json(outcome, ASKED, {"device": "cpu"}), allow_nan=False))

    assert (content["device"], content["drop"], content["search"]) == ("cpu", 8.0, 1)
    assert len(content["rungs"]) == len(outcome.rungs)
    assert content["refused"] == {"fp16": "not here"}
    if outcome.winner is None:
        assert (content["winner"], content["front"], content["confirmations"]) == (None, [], [])
    else:
        assert content["winner"]["configuration"] == "lean"
        assert content["winner"]["passes"][0]["name"] == "lean-runtime"
        assert content["confirmations"][0]["verdict"] == "pass"
        assert content["confirmations"][0]["chosen_by"] == "interval"
