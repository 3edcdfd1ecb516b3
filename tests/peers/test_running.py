from __future__ import annotations

import importlib.util
import json

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from bench import write_corpus
from leanner.bench_peers_cli import Text
from leanner.measure.rounds import tag_all
from leanner.measure.subject import load_subject
from leanner.peers import contenders
from leanner.peers.ceiling import Ceiling
from leanner.peers.ceiling import Product
from leanner.peers.names import ENGINES
from leanner.peers.running import bench_peers
from leanner.taggers.errors import TaggerError
from leanner.taggers.load import load_tagger


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from leanner.peers.result import Peers
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


NAMES = ("lean", "lean-int8", "lean-int8-static-prefix")


@pytest.fixture(autouse=True, scope="module")
def _short_trials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leanner.peers.running._TRIAL_S", 0.05)
        patch.setattr("leanner.peers.running._BESIDE_S", 0.01)
        yield


@pytest.fixture(scope="module")
def peers(shaped_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Peers:
    corpus = write_corpus(tmp_path_factory.mktemp("corpora") / "tmvar")
    subject = load_subject(Text((str(corpus),), None, 10, 0, "error"))
    with pytest.MonkeyPatch.context() as patch:
        # As where no engine is installed.
        patch.setattr(importlib.util, "find_spec", lambda _: None)
        patch.setattr(contenders, "_MINI_BATCHES", (4, 8))
        return bench_peers(subject, lambda: load_tagger(str(shaped_file)), NAMES, rounds=3)


def test_who_cannot_take_part_has_a_row_with_the_reason(peers: Peers) -> None:
    assert [row.name for row in peers.rows] == ["flair", *ENGINES, *NAMES]
    reasons = {row.name: row.reason for row in peers.rows if row.reason is not None}
    assert set(reasons) == {*ENGINES, "lean-int8-static-prefix"}
    assert "pip install 'leanner[engines]'" in str(reasons["openvino-int8"])
    assert "context before the prompt" in str(reasons["lean-int8-static-prefix"])
    assert all(row.rounds_s == () and row.f1 is None for row in peers.rows if row.reason is not None)


def test_rounds_are_paired_with_flairs(peers: Peers) -> None:
    flair, lean, int8 = (row for row in peers.rows if row.reason is None)
    for row in (flair, lean, int8):
        assert len(row.rounds_s) == 3
        assert row.sentences_per_s == pytest.approx(peers.sentences / median(row.rounds_s))
        assert row.speedup is not None
        ratios = [before / after for before, after in zip(flair.rounds_s, row.rounds_s, strict=True)]
        assert row.speedup.value == pytest.approx(median(ratios))
        assert row.against_engines is None
    assert flair.speedup is not None
    assert (flair.speedup.low, flair.speedup.value, flair.speedup.high) == (1.0, 1.0, 1.0)
    assert flair.setting["mini_batch_size"] == min(flair.tried, key=lambda size: flair.tried[size])
    assert lean.setting == {"batch_tokens": 2048}


def test_f1_and_operations_are_those_of_the_same_text(peers: Peers) -> None:
    flair, lean, int8 = (row for row in peers.rows if row.reason is None)
    assert lean.f1 == flair.f1
    assert lean.f1_drop is not None
    assert lean.f1_drop.points == 0.0
    assert flair.float_operations is not None
    assert lean.float_operations is not None
    assert int8.int8_operations == lean.float_operations
    # Flair pads, and computes the last layer at every position.
    assert flair.float_operations > lean.float_operations
    shares = [
        lean.float_operations / seconds / most for seconds, most in zip(lean.rounds_s, lean.ceilings_per_s, strict=True)
    ]
    assert lean.ceiling_share is not None
    assert lean.ceiling_share.median == pytest.approx(median(shares))
    # Three rounds bound no median.
    assert (lean.ceiling_share.low, lean.ceiling_share.high) == (None, None)
    assert peers.float32_ceiling.median == pytest.approx(median((*flair.ceilings_per_s, *lean.ceilings_per_s)))
    assert peers.float32_ceiling.most >= max(*flair.ceilings_per_s, *lean.ceilings_per_s)
    assert len(int8.ceilings_per_s) == (3 if peers.int8_ceiling is not None else 0)
    assert lean.operations_per_s is not None
    assert lean.most_share == pytest.approx(lean.operations_per_s / peers.float32_ceiling.most)


def test_the_product_runs_before_and_behind_each_tagger_of_its_kind(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = load_subject(Text((str(write_corpus(tmp_path / "tmvar")),), None, 10, 0, "error"))
    monkeypatch.setattr(contenders, "_MINI_BATCHES", (8,))
    seen: list[str] = []

    def rate(ceiling: Ceiling, _: float) -> float:
        seen.append(ceiling.product.name)
        return 1e9 * len(seen)

    def tag(tagger: Tagger, documents: Sequence[Document]) -> list[Prediction]:
        seen.append(tagger.runtime)
        return tag_all(tagger, documents)

    def products(name: str) -> list[Product]:
        return [Product(name, 1.0, lambda: torch.empty(0))]

    monkeypatch.setattr(Ceiling, "rate", rate)
    monkeypatch.setattr("leanner.peers.running.float32_products", lambda _: products("product of float32"))
    monkeypatch.setattr("leanner.peers.running.int8_products", lambda _: products("product of int8"))
    monkeypatch.setattr("leanner.peers.running.tag_all", tag)
    names = ("lean", "lean-bf16", "lean-int8")
    found = bench_peers(subject, lambda: load_tagger(str(shaped_file)), names, rounds=2, engines=())
    flair, lean = (["product of float32", runtime, "product of float32"] for runtime in ("flair", "lean"))
    int8 = ["product of int8", "lean", "product of int8"]
    # Of 16-bit floats no product is known.
    assert seen == [*flair, *lean, "lean", *int8, *int8, "lean", *lean, *flair]
    # The first and the third that were seen, and those of the last three.
    assert found.rows[0].ceilings_per_s == (2e9, 19e9)
    assert (found.rows[2].ceiling_share, found.rows[2].most_share) == (None, None)


def test_a_tagger_without_float32_is_refused_before_anything_is_prepared(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = load_subject(Text((str(write_corpus(tmp_path / "tmvar")),), None, 10, 0, "error"))
    monkeypatch.setattr("leanner.peers.running.shapes_of", lambda _: [])
    monkeypatch.setattr("leanner.peers.running.prepared", lambda *_: pytest.fail("a contender was prepared"))
    with pytest.raises(TaggerError, match="expected a tagger with linear layers of float32, found none"):
        bench_peers(subject, lambda: load_tagger(str(shaped_file)), NAMES, rounds=2)


def test_it_is_json_that_says_what_it_is_of(peers: Peers) -> None:
    data: dict[str, Any] = json.loads(peers.to_json(), parse_constant=pytest.fail)
    assert data["schema"] == 3
    assert data["corpus"]["sentences"] == 48
    assert data["rows"][0]["name"] == "flair"
    assert data["rows"][1]["sentences_per_s"] is None
    assert data["environment"]["threads"] >= 1


def test_engines_may_be_left_out(shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = load_subject(Text((str(write_corpus(tmp_path / "tmvar")),), None, 10, 0, "error"))
    monkeypatch.setattr(contenders, "_MINI_BATCHES", (8,))
    found = bench_peers(subject, lambda: load_tagger(str(shaped_file)), ("lean",), rounds=2, engines=())
    assert [row.name for row in found.rows] == ["flair", "lean"]
    assert all(row.against_engines is None for row in found.rows)


def test_one_round_tells_nothing(shaped_file: Path, tmp_path: Path) -> None:
    subject = load_subject(Text((str(write_corpus(tmp_path / "tmvar")),), None, 10, 0, "error"))
    with pytest.raises(ValueError, match="expected 2 rounds or more, found 1"):
        bench_peers(subject, lambda: load_tagger(str(shaped_file)), NAMES, rounds=1)
