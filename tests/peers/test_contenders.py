from __future__ import annotations

from pathlib import Path

import pytest

from leanner.peers import contenders
from leanner.taggers.engines.tagger import EngineTagger
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from taggers.engines.engines import TorchEngine
from taggers.engines.test_deciding import DOCUMENTS
from taggers.engines.test_deciding import lean_of


def test_flair_runs_in_the_mini_batches_that_are_fastest(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {8: 3.0, 16: 1.0, 32: 2.0, 64: 4.0}
    monkeypatch.setattr(contenders, "_least_s", lambda tagger, _: seconds[tagger.mini_batch_size])
    original = load_tagger(str(shaped_file))
    said: list[str] = []
    made = contenders.prepared("flair", lambda: original, DOCUMENTS, DOCUMENTS[:1], said.append)
    assert isinstance(made.tagger, FlairTagger)
    # With a large tagger that takes minutes.
    assert said == ["preparing flair", *(f"preparing flair: mini_batch_size {size}" for size in seconds)]
    assert (made.setting, made.tried) == ({"mini_batch_size": 16}, seconds)
    assert (made.tagger.mini_batch_size, original.mini_batch_size) == (16, 32)
    assert made.predictions == list(original.tag(DOCUMENTS))


@pytest.mark.parametrize(("best", "tried"), [(2, [1, 2, 4, 8, 16, 32, 64]), (128, [8, 16, 32, 64, 128, 256])])
def test_batches_are_tried_until_one_is_slower(
    best: int, tried: list[int], shaped_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contenders, "_least_s", lambda tagger, _: abs(tagger.mini_batch_size - best))
    monkeypatch.setattr(contenders, "tag_all", lambda *_: [])
    made = contenders.prepared("flair", lambda: load_tagger(str(shaped_file)), DOCUMENTS, DOCUMENTS * 300)
    assert (made.setting, list(made.tried)) == ({"mini_batch_size": best}, tried)


@pytest.mark.parametrize(("sign", "copies", "best"), [(1, 1, 1), (-1, 1, 64), (-1, 300, 256)])
def test_no_batch_is_empty_or_never_full(
    sign: int, copies: int, best: int, shaped_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flair gets 256 sentences at a time."""
    monkeypatch.setattr(contenders, "_least_s", lambda tagger, _: sign * tagger.mini_batch_size)
    monkeypatch.setattr(contenders, "tag_all", lambda *_: [])
    made = contenders.prepared("flair", lambda: load_tagger(str(shaped_file)), DOCUMENTS, DOCUMENTS * copies)
    assert made.setting == {"mini_batch_size": best}


def test_an_engine_runs_in_the_batches_that_are_fastest(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "_least_s", lambda tagger, _: abs(tagger.batch_tokens - 1000.0))
    lean = lean_of(shaped_file)
    tagger = EngineTagger(lean, TorchEngine(lean.parts), {})
    monkeypatch.setattr(contenders, "_applied", lambda *_: tagger)
    made = contenders.prepared("openvino-int8", lambda: load_tagger(str(shaped_file)), DOCUMENTS, DOCUMENTS[:1])
    assert made.setting == {"batch_tokens": 1024}
    assert list(made.tried) == [512, 1024, 2048, 4096]
    assert isinstance(made.tagger, EngineTagger)
    assert (made.tagger.batch_tokens, tagger.batch_tokens) == (1024, 2048)
    assert made.predictions == list(lean.tag(DOCUMENTS))


def test_the_lean_runtime_is_as_it_is_configured(shaped_file: Path) -> None:
    made = contenders.prepared("lean", lambda: load_tagger(str(shaped_file)), DOCUMENTS, DOCUMENTS[:1])
    assert isinstance(made.tagger, LeanTagger)
    assert (made.name, made.setting, made.tried) == ("lean", {"batch_tokens": 2048}, {})
    assert made.prepare_s > 0
