from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.measure.rounds import tag_all
from leanner.measure.search.log import Log
from leanner.measure.search.log import SearchLogError
from leanner.measure.search.outcome import Asked
from leanner.measure.search.outcome import Outcome
from leanner.measure.search.parts import split
from leanner.measure.search.run import search
from leanner.report.predictions import spans_sha256
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import count_matches
from measure.fakes import articles
from measure.search.made import Clock
from measure.search.made import candidate
from measure.search.made import loader


if TYPE_CHECKING:
    from leanner.measure.search.space import Candidate


DOCUMENTS: Final = articles(160)
ASKED: Final = Asked(drop=8.0, budget_s=1e6)
UNSEEN: Final = frozenset(document.article for document in split(DOCUMENTS, 0)[1])
CANDIDATES: Final = (
    candidate("steady", 1.5),
    candidate("broken", 9, 2),
    candidate("refused", 9, refuses="not here"),
    candidate("good", 4, 20),
    candidate("dominated", 1.2),
    candidate("cheat", 6, 15, blind=UNSEEN),
)


def run(
    candidates: Sequence[Candidate] = CANDIDATES,
    asked: Asked = ASKED,
    *,
    path: Path | None = None,
    open_log: Callable[..., Log] = Log.begin,
    sentence_s: float = 0.01,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    clock = Clock()
    log: Any = open_log(path, {"seed": asked.seed}, clock)
    try:
        return search(asked, candidates, DOCUMENTS, loader(clock, sentence_s), log, say=say, clock=clock)
    finally:
        log.close()


def test_the_fastest_that_keeps_within_the_drop_wins() -> None:
    said: list[str] = []
    outcome = run(say=said.append)

    assert outcome.winner == "good"
    assert outcome.refused == {"refused": "not here"}
    assert [len(rung.trials) for rung in outcome.rungs] == [5, 3]
    first = outcome.rungs[0].halving
    assert first is not None
    assert first.kept == ("cheat", "good", "steady")
    assert first.out.keys() == {"broken", "dominated"}
    # What was blind on the unseen part was the first there, and fell through.
    assert [(each.trial.candidate, each.sure, each.decision.verdict) for each in outcome.confirmations] == [
        ("cheat", True, "fail"),
        ("good", True, "pass"),
    ]
    front, dominated = outcome.front(ASKED.drop)
    assert [trial.candidate for trial in front] == ["cheat", "good", "steady"]
    assert dominated == {"dominated": "steady"}
    assert any("good on what was held out: pass" in text for text in said)


def test_numbers_are_those_of_the_text_that_they_name() -> None:
    outcome = run()
    calibration, held_out = split(DOCUMENTS, 0)

    assert {document.article for document in outcome.held_out.documents} == UNSEEN
    for rung in outcome.rungs:
        assert set(rung.text.documents) <= set(calibration)
    for text, trial in (
        (outcome.rungs[-1].text.documents, outcome.latest["good"]),
        (held_out, outcome.confirmations[-1].trial),
    ):
        bare, good = loader(Clock())(), CANDIDATES[3].passes[0](loader(Clock())())
        counts = [count_matches(text, tag_all(tagger, text), tagger.labels) for tagger in (bare, good)]
        assert trial.loss == f1_loss(*counts)
        assert trial.f1 == counts[1].total().f1
        assert trial.spans_sha256 == spans_sha256(tag_all(good, text))
        assert trial.sentences == 2 * len(text)
        assert trial.speedup == pytest.approx(4)
    assert len(outcome.confirmations[-1].trial.rounds_s) == 6


def test_without_a_candidate_that_keeps_within_the_drop_there_is_no_winner() -> None:
    outcome = run((candidate("broken", 9, 2), candidate("refused", 9, refuses="not here")))

    assert (outcome.winner, outcome.confirmations) == (None, ())
    assert outcome.front(ASKED.drop) == ([], {})
    assert run((candidate("refused", 9, refuses="not here"),)).rungs[0].trials == ()


def test_the_budget_ends_a_rung_and_what_has_begun_is_finished() -> None:
    slow = [candidate(f"{number}", 2 + number, takes_s=100) for number in range(8)]
    outcome = run(slow, replace(ASKED, budget_s=500))

    # The first rung ends at 250 s.
    assert [trial.candidate for trial in outcome.rungs[0].trials] == ["0", "1", "2"]
    assert outcome.rungs[0].unreached == ("3", "4", "5", "6", "7")
    assert outcome.winner == "2"
    hurried = run(slow, replace(ASKED, budget_s=1))
    assert [len(rung.trials) for rung in hurried.rungs] == [1] * len(hurried.rungs)
    assert hurried.winner == "0"


def test_the_budget_ends_the_confirmation() -> None:
    cheats = [candidate(f"{forgets}", times, forgets, blind=UNSEEN) for times, forgets in ((2, 0), (3, 40), (4, 20))]
    outcome = run(cheats, replace(ASKED, budget_s=6))

    assert (outcome.winner, len(outcome.confirmations)) == (None, 1)
    assert outcome.unconfirmed == ("40", "0")


def test_the_same_seed_does_the_same() -> None:
    assert run() == run()
    assert run(asked=replace(ASKED, seed=1)).held_out != run().held_out


def test_a_replay_decides_as_its_log_whatever_the_time_is_now(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    limited = replace(ASKED, budget_s=30)
    first = run(asked=limited, path=path)
    assert run(asked=limited, path=path, open_log=Log.replay) == first
    # So slow a machine would not have come as far.
    slower = run(asked=limited, path=path, open_log=Log.replay, sentence_s=10)
    assert slower == first
    assert run(asked=limited, sentence_s=10) != first
    others = [
        replace(each, passes=candidate("x", 4, 19).passes) if each.name == "good" else each for each in CANDIDATES
    ]
    with pytest.raises(SearchLogError, match="good: expected spans"):
        run(others, limited, path=path, open_log=Log.replay)


def test_a_search_that_was_cut_off_anywhere_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    first = run(path=path)
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines) + 1):
        path.write_bytes(b"".join(lines[:number]))
        again = run(path=path, open_log=Log.resume)
        assert (again.winner, again.latest.keys(), again.refused) == (first.winner, first.latest.keys(), first.refused)
        assert [each.halving for each in again.rungs] == [each.halving for each in first.rungs]
        assert len(path.read_bytes().splitlines()) == len(lines)
    # All was recorded: nothing is measured.
    assert run(path=path, open_log=Log.resume, sentence_s=1e9) == first


def test_an_interruption_keeps_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    def interrupt(text: str) -> None:
        if "good" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path=path, say=interrupt)
    assert run(path=path, open_log=Log.resume).winner == "good"
