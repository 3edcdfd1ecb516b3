from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from export.made import documents
from export.made import shaped
from leanner.combinations import combined
from leanner.measure.search.space import Candidate
from leanner.measure.search.workshop import Workshop
from leanner.passes.calibration import text
from leanner.passes.int8 import has_onednn
from leanner.passes.protocol import NotRunnable
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.weights import encoder_linears
from leanner.taggers.weights import linear_weights
from leanner.taggers.weights import weigh
from measure.search.made import Clock
from measure.search.made import Faster
from measure.search.made import loader


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.protocol import Tagger


@pytest.fixture
def counted(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[], FlairTagger], list[str]]:
    """What loads a tagger with a prompt and without context, and a line for each time that it did."""
    few = text.calibration_text(1)
    monkeypatch.setattr("leanner.passes.calibration.text.calibration_text", lambda _=None: few)
    loaded: list[str] = []

    def load() -> FlairTagger:
        loaded.append("loaded")
        return shaped(shaped_file, context=0)

    return load, loaded


def named(name: str) -> Candidate:
    return Candidate(name, combined(name).passes)


def weights(tagger: Tagger) -> list[torch.Tensor]:
    return [linear_weights(layer) for _, layer in encoder_linears(tagger.model)]


@pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")
def test_what_is_shared_is_what_would_have_been_made(counted: tuple[Callable[[], FlairTagger], list[str]]) -> None:
    load, loaded = counted
    workshop = Workshop(load, load())
    names = (
        "heads-ls-50+ffn-ls-50+int8-static+lean",
        "heads-ls-50+ffn-ls-50+int8-static+lean-prefix",
        "heads-ls-50+ffn-ls-50+lean",
        "heads-ls-50+ffn-ls-25+int8+lean",
        "second-order-50+int8+lean",
        "lean",
    )
    for name in names:
        found, _ = workshop.prepare(named(name))
        expected: Tagger = load()
        for each in combined(name).passes:
            expected = each(expected)
        assert weigh(found.model) == weigh(expected.model)
        for ours, theirs in zip(weights(found), weights(expected), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
        assert list(found.tag(documents())) == list(expected.tag(documents()))
        assert found.quality == expected.quality
    # The bare one; int8-static alone, heads, and on copies of its encoder ffn-50 and int8-static; int8 alone, ffn-25
    # and int8; second-order, int8. And one each to compare with.
    assert len(loaded) - len(names) == 1 + 4 + 3 + 2


@pytest.mark.skipif(not has_onednn(), reason="no oneDNN kernel here")
def test_static_int8_that_flair_runs_keeps_the_layout_of_its_own_kernel(
    counted: tuple[Callable[[], FlairTagger], list[str]],
) -> None:
    load, _ = counted
    workshop = Workshop(load, load())
    lean, flair, again = (workshop.prepare(named(f"int8-static{end}"))[0] for end in ("+lean", "", "+lean-prefix"))
    layers: list[list[Any]] = [[layer for _, layer in encoder_linears(each.model)] for each in (lean, flair, again)]

    assert layers[0][0] is layers[2][0]
    assert layers[0][0] is not layers[1][0]
    assert all(len(layer.packed()) == 1 and layer.packed()[0].is_mkldnn for layer in layers[1])


def test_the_bare_tagger_stays_as_it_is(counted: tuple[Callable[[], FlairTagger], list[str]]) -> None:
    load, _ = counted
    bare = load()
    before = list(bare.tag(documents()))
    workshop = Workshop(load, bare)
    for name in ("lean", "heads-ls-50+lean", "int8"):
        list(workshop.prepare(named(name))[0].tag(documents()))

    assert list(bare.tag(documents())) == before
    assert set(weigh(bare.model).bytes_by_dtype) == {"float32"}


def test_what_is_refused_is_not_tried_again() -> None:
    clock, loaded = Clock(), []
    load = loader(clock)

    def counting() -> Tagger:
        loaded.append("loaded")
        return load()

    workshop = Workshop(counting, counting(), clock=clock)
    refused, long = Faster(2, refuses="not here"), Faster(3, takes_s=100)
    for passes in ((long, refused), (refused,), (refused, long)):
        with pytest.raises(NotRunnable, match="not here"):
            workshop.prepare(Candidate("refused", passes))

    assert clock.now == 1000.0
    assert len(loaded) == 2


def test_a_runtime_that_the_tagger_refuses_costs_nothing(shaped_file: Path) -> None:
    clock = Clock()
    # With context there is no prefix to cache.
    bare = shaped(shaped_file)
    workshop = Workshop(lambda: pytest.fail("expected nothing to be loaded"), bare, clock=clock)
    with pytest.raises(NotRunnable, match="context before the prompt"):
        workshop.prepare(Candidate("prefix", (Faster(2), LeanRuntime(prefix_caching=True))))


def test_seconds_are_those_of_what_had_to_be_done() -> None:
    clock = Clock()
    workshop = Workshop(loader(clock), loader(clock)(), clock=clock)
    slow = Candidate("slow", (Faster(2, takes_s=30),))

    assert [workshop.prepare(slow)[1] for _ in range(2)] == [30, 0]


def test_who_was_not_used_for_longest_is_let_go() -> None:
    clock = Clock()
    one, two, three = (Candidate(f"{n}", (Faster(n, takes_s=30),)) for n in (1, 2, 3))
    mb = weigh(loader(clock)().model).weights_mb
    workshop = Workshop(loader(clock), loader(clock)(), held_mb=2.5 * mb, clock=clock)
    tries = (one, two, one, three, one, two)

    assert [workshop.prepare(each)[1] for each in tries] == [30, 30, 0, 30, 0, 30]
    tight = Workshop(loader(clock), loader(clock)(), held_mb=0, clock=clock)
    assert [tight.prepare(each)[1] for each in (one, one, two)] == [30, 0, 30]
