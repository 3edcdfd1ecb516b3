"""An export of a checkpoint of transformers gives the spans that were measured, without transformers."""

from __future__ import annotations

import json
import subprocess
import sys

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from export.made import documents
from leanner import Lean
from leanner.export.manifest import MANIFEST
from leanner.export.write import export
from leanner.passes.int8 import has_onednn
from leanner.passes.precision import Precision
from leanner.passes.protocol import NotRunnable
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static
from leanner.taggers.by_name import load_by_name
from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.load import load_hf
from leanner.types import Label
from taggers.hf.checkpoints import BIOES
from taggers.hf.checkpoints import IO
from taggers.hf.checkpoints import save_bert
from taggers.hf.checkpoints import save_roberta
from taggers.hf.checkpoints import save_sentencepiece


LEAN = LeanRuntime()
#: Passes that leave other layers behind.
PASSES: dict[str, tuple[Any, ...]] = {
    "floats": (LEAN,),
    "bfloat16": (Precision("bfloat16"), LEAN),
    "int8": (Int8Dynamic(), LEAN),
    "static": (Int8Static(articles=2), LEAN),
    "fewer-neurons": (FfnPruning(0.5, "layer"), LEAN),
}
SAVE: dict[str, Callable[[Path], Path]] = {
    "bio": save_bert,
    "io": partial(save_bert, labels=IO),
    "bioes": partial(save_bert, labels=BIOES),
    "sentencepiece": save_sentencepiece,
}


@pytest.mark.parametrize("kind", SAVE)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN for x86 CPUs"))
        if name == "static"
        else name
        for name in PASSES
    ],
)
def test_it_gives_what_was_measured(tmp_path: Path, kind: str, name: str) -> None:
    folder = SAVE[kind](tmp_path / "checkpoint")
    tagger: Any = load_hf(str(folder))
    for each in PASSES[name]:
        tagger = each(tagger)
    expected = list(tagger.tag(documents()))

    export(load_by_name(f"hf:{folder}"), name, PASSES[name], tmp_path / "out", check=documents(4, seed=1))
    lean = Lean.load(tmp_path / "out")
    assert list(lean.tag(documents())) == expected
    assert sum(len(spans) for prediction in expected for spans in prediction) > 10
    assert lean.labels == frozenset(Label)
    assert (lean.runtime, lean.weights_sha256) == ("lean", tagger.weights_sha256)
    same = {key: value for key, value in tagger.describe().items() if key != "tokenizer"}
    assert lean.describe() == same
    assert list(lean.notes_on(documents())) == []


def test_texts_and_serving_work_as_of_others(tmp_path: Path) -> None:
    import asyncio

    lean = export(load_hf(str(save_bert(tmp_path / "checkpoint"))), "lean", (LEAN,), tmp_path / "out")
    text = "Loss of PTEN is common in glioma. Mouse p53 suppresses tumours."
    (spans,) = lean.tag_texts([text])
    assert all(text[span.start : span.end].strip() for span in spans)

    async def served() -> object:
        async with lean.serve(4) as tagger:
            return await tagger.tag(text)

    assert asyncio.run(served()) == spans


def test_neither_flair_nor_transformers_is_loaded(tmp_path: Path) -> None:
    export(load_hf(str(save_bert(tmp_path / "checkpoint"))), "lean", (LEAN,), tmp_path / "out", check=())
    code = f"""
import sys
for name in ("flair", "transformers"):
    sys.modules[name] = None  # an import of it fails
from leanner import Lean
lean = Lean.load({str(tmp_path / "out")!r})
print(len(next(lean.tag_texts(["Loss of PTEN is common in glioma, and mice of p53."]))))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 0


def test_what_was_measured_in_transformers_says_so(tmp_path: Path) -> None:
    lean = export(load_hf(str(save_bert(tmp_path / "checkpoint"))), "fp32", (), tmp_path / "out", check=())
    (text,) = [text for text in lean.quality if "measured in" in text]
    assert text.startswith("where it was exported: fp32 was measured in transformers, this is the lean runtime")


def test_other_encoders_and_engines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="an encoder other than BERT with absolute positions"):
        export(load_hf(str(save_roberta(tmp_path / "roberta"))), "lean", (LEAN,), tmp_path / "out")
    with pytest.raises(NotRunnable, match="a tagger without a prompt"):
        export(
            load_hf(str(save_bert(tmp_path / "bert"))),
            "lean-prefix",
            (LeanRuntime(prefix_caching=True),),
            tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about["input"].update(longest=2), r"input\.longest: expected 3 or more, found 2"),
        (lambda about: about["input"].update(prompt=[]), r"input\.prompt: expected one of the fields"),
        (lambda about: about["output"]["tags"][1].update(letter="X"), r"output\.tags: expected letters among O, B, I"),
        (lambda about: about["output"]["tags"][1].update(label="CELL"), r"output\.tags\[1\]\.label: expected one of"),
        (lambda about: about["output"].update(tags=[]), r"output\.tags: expected at least one"),
        (lambda about: about["runtime"].update(window_words=9), "expected no prefix caching, deduplication or windows"),
        (lambda about: about["runtime"].update(batch_tokens=0), "expected batches and chunks of 1 or more"),
        (lambda about: about.update(files={}), r"files: expected model\.safetensors and tokenizer\.json"),
        (lambda about: about.update(format=1), "export the tagger again"),
    ],
)
def test_a_manifest_that_contradicts_itself(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    export(load_hf(str(save_bert(tmp_path / "checkpoint"))), "lean", (LEAN,), tmp_path / "out", check=())
    path = tmp_path / "out" / MANIFEST
    about = json.loads(path.read_bytes())
    change(about)
    path.write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(TaggerError, match=message):
        Lean.load(tmp_path / "out")
