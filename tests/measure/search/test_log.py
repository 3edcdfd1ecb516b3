from __future__ import annotations

import json

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.measure.search.log import Log
from leanner.measure.search.log import Pilot
from leanner.measure.search.log import Refusal
from leanner.measure.search.log import SearchLogError
from measure.search.made import Clock
from measure.search.made import trial


if TYPE_CHECKING:
    from leanner.measure.search.trial import Trial


ASKED: Final = {"seed": 0, "tagger": {"name": "fake"}, "drop": 1.0}
PILOT: Final = Pilot(32, 0.01, 90.0)
SEEN: Final = (trial("one", 0.1, 1 / 3), Refusal("two", "not here"), trial("three", None))


def use(log: Log, clock: Clock, seen: tuple[Trial | Refusal, ...] = SEEN) -> list[float]:
    """See a pilot and three candidates, ten seconds each, with a decision between; returns when."""
    times = []

    def after_ten(what: object) -> Callable[[], object]:
        def look() -> object:
            clock.now += 10
            return what

        return look

    log.see("pilot", after_ten(PILOT))  # type: ignore[type-var]
    times.append(log.elapsed_s)
    for each in seen:
        assert log.see(each.candidate, after_ten(each)) == each  # type: ignore[type-var]
        times.append(log.elapsed_s)
        log.decide("halving", {"kept": (each.candidate,), "ends_s": 1 / 3})
    log.close()
    return times


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of four things seen and three decided."""
    path = tmp_path / "deep" / "search.jsonl"
    clock = Clock()
    assert use(Log.begin(path, ASKED, clock), clock) == [10, 20, 30, 40]
    return path


def never() -> Any:  # noqa: ANN401 - nothing
    raise AssertionError("expected nothing to be measured")


def test_a_line_for_what_is_asked_seen_and_decided(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert lines[0] == {"search": 1, **ASKED}
    assert [line["event"] for line in lines[1:]] == [
        "pilot", "trial", "halving", "refusal", "halving", "trial", "halving",
    ]  # fmt: skip
    assert lines[2]["loss"]["points"] == 0.1


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    clock = Clock()
    assert use(Log.begin(None, ASKED, clock), clock) == [10, 20, 30, 40]
    assert not any(tmp_path.iterdir())


def test_an_earlier_log_is_kept(path: Path) -> None:
    before = path.read_bytes()
    Log.begin(path, ASKED, Clock()).close()
    assert path.with_name("search.jsonl.old").read_bytes() == before


def test_a_log_that_is_gone_on_with_measures_nothing_again(path: Path) -> None:
    before, clock = path.read_bytes(), Clock(5.0)
    log = Log.resume(path, ASKED, clock)
    assert log.see("pilot", never) == PILOT
    assert log.elapsed_s == 10
    for each in SEEN:
        assert log.see(each.candidate, never) == each
        log.decide("halving", {"kept": (each.candidate,), "ends_s": 1 / 3})
    clock.now += 1000
    # What happens between two runs does not count, nor what the second one did before it came so far.
    log.see("four", lambda: trial("four"))
    assert log.elapsed_s == 40
    log.close()
    assert path.read_bytes().startswith(before)
    assert b'"four"' in path.read_bytes()[len(before) :]


def test_a_log_that_was_cut_off_anywhere_is_gone_on_with(path: Path) -> None:
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole), 97):
        path.write_bytes(whole[:end])
        clock = Clock()
        assert use(Log.resume(path, ASKED, clock), clock) == [10, 20, 30, 40]
        assert path.read_bytes() == whole


def test_a_replay_keeps_the_times_and_compares_the_spans(path: Path) -> None:
    before = path.read_bytes()
    clock = Clock()
    slower = tuple(
        each if isinstance(each, Refusal) else replace(each, speedup=9.0, rounds_s=(9.0,), prepare_s=9.0)
        for each in SEEN
    )
    log = Log.replay(path, ASKED, clock)
    with pytest.raises(AssertionError):
        # What is returned is what is recorded, not what was seen now.
        use(log, clock, slower)
    assert use(Log.replay(path, ASKED, clock), clock) == [10, 20, 30, 40]
    other = (replace(trial("one", 0.1, 1 / 3), spans_sha256="b" * 64), *SEEN[1:])
    with pytest.raises(
        SearchLogError, match=rf"^{path}:3: one: expected spans with the sha256 a+, found b+; this mach"
    ):
        use(Log.replay(path, ASKED, clock), clock, other)
    with pytest.raises(SearchLogError, match=rf"^{path}:5: two: expected .*not here.*, found .*calibration"):
        use(Log.replay(path, ASKED, clock), clock, (SEEN[0], trial("two"), SEEN[2]))
    assert path.read_bytes() == before


def test_a_replay_does_not_go_on_behind_the_log(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    clock = Clock()
    with pytest.raises(SearchLogError, match=r"the log ends before two was seen; .* go on with --resume"):
        use(Log.replay(path, ASKED, clock), clock)


def test_what_goes_on_otherwise_is_refused(path: Path) -> None:
    clock = Clock()
    with pytest.raises(SearchLogError, match=rf"^{path}:3: expected what was seen of other, found .*one"):
        use(Log.resume(path, ASKED, clock), clock, (trial("other"), *SEEN[1:]))
    log = Log.resume(path, ASKED, clock)
    with pytest.raises(SearchLogError, match=rf"^{path}:2: expected .*halving.*, found .*pilot"):
        log.decide("halving", {})
    log = Log.resume(path, ASKED, clock)
    log.see("pilot", never)
    log.see("one", never)
    with pytest.raises(SearchLogError, match=rf"^{path}:4: expected .*\"two\".*, found .*\"one\""):
        log.decide("halving", {"kept": ("two",), "ends_s": 1 / 3})


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, b'{"search":2}', ":1: expected the log of a search, format 1, found "),
        (1, b'{"search":1,"seed":1,"tagger":{"name":"fake"},"drop":1.0}', ":1: .*: seed is 0 and was 1$"),
        (
            1,
            b'{"search":1,"tagger":{"name":"fake"},"drop":1.0,"more":2}',
            "seed is 0 and was null; more is null and wa",
        ),
        (1, b"[]", ':1: expected a line of JSON, found "'),
        (4, b"broken", ':4: expected a line of JSON, found "broken'),
        (2, b'{"event":"pilot","name":"pilot","elapsed_s":1.0}', ":2: sentences: expected this field, found none"),
        (2, b'{"event":"pilot","name":"pilot"}', ":2: expected what was seen of pilot, found "),
    ],
)
def test_a_broken_log_is_an_error_with_its_place(path: Path, number: int, line: bytes, message: str) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line
    path.write_bytes(b"\n".join(lines))
    clock = Clock()
    with pytest.raises(SearchLogError, match=message) as caught:
        use(Log.resume(path, ASKED, clock), clock)
    assert str(caught.value).startswith(f"{path}:{number}: ")


def test_an_empty_file_is_no_log(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(SearchLogError, match=":1: expected the log of a search, found an empty file"):
        Log.replay(path, ASKED, Clock())
