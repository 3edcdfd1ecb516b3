"""A folder takes its name when it is whole."""

from __future__ import annotations

import shutil
import subprocess
import sys

from pathlib import Path
from typing import Any

import pytest

from flair.tokenization import SegtokTokenizer

from export.made import exported
from export.made import shaped
from leanner import Lean
from leanner.export import write
from leanner.export.write import ExportError
from leanner.export.write import export
from leanner.passes.calibration.text import calibration_text
from leanner.passes.compiling import Compile
from leanner.passes.protocol import NotRunnable
from leanner.passes.pt2e import Pt2e
from leanner.passes.quantization import Int8Dynamic
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.errors import TaggerError
from leanner.taggers.tokenizers import FlairTokens


LEAN = (LeanRuntime(),)


def left(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_it_is_loaded_again_and_checked_before_it_has_its_name(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lean = export(shaped(shaped_file), "lean", LEAN, tmp_path / "deep" / "out", check=calibration_text(2))
    assert lean.manifest.passes == tuple(each.describe() for each in LEAN)
    assert lean.quality == shaped(shaped_file).quality
    # A runtime that gives other spans would not go unseen.
    monkeypatch.setattr(Lean, "tag", lambda _, documents: ((() for _ in document.sentences) for document in documents))
    with pytest.raises(ExportError, match=r"expected the same spans .*, found others in \d+ of \d+ sentences"):
        export(shaped(shaped_file), "lean", LEAN, tmp_path / "other", check=calibration_text(2))
    assert left(tmp_path) == ["deep"]
    assert left(tmp_path / "deep") == ["out"]


def test_by_default_the_calibration_text_is_tagged(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(write, "_check_spans", lambda tagger, lean, documents: seen.append(len(documents)))  # noqa: ARG005
    export(shaped(shaped_file), "lean", LEAN, tmp_path / "out")
    assert seen == [len(calibration_text())]


def test_what_is_measured_in_flair_is_exported_in_the_lean_runtime_and_says_so(
    shaped_file: Path, tmp_path: Path
) -> None:
    lean = exported(shaped(shaped_file), tmp_path / "out", Int8Dynamic(), name="int8")
    assert [each["name"] for each in lean.manifest.passes] == ["int8-dynamic", "lean-runtime"]
    (text,) = [text for text in lean.quality if "measured in Flair" in text]
    assert text.startswith("where it was exported: int8 was measured in Flair, this is the lean runtime")


@pytest.mark.parametrize("moment", ["files.save_file", "files.write_atomically", "write.sync_folder"])
def test_a_failure_leaves_nothing(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"leanner.export.{moment}", fail)
    with pytest.raises(OSError, match="No space left"):
        export(shaped(shaped_file), "lean", LEAN, tmp_path / "out", check=())
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "moment", ["files.save_file", "files.write_atomically", "write.Lean.load", "write.sync_folder"]
)
def test_one_that_is_killed_is_never_taken_for_a_whole_one(shaped_file: Path, tmp_path: Path, moment: str) -> None:
    code = f"""
import os, pathlib, signal
from leanner.export import files, write
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.load import load_tagger
def kill(*_): os.kill(os.getpid(), signal.SIGKILL)
{moment} = kill
folder = pathlib.Path({str(tmp_path / "out")!r})
write.export(load_tagger({str(shaped_file)!r}), "lean", (LeanRuntime(),), folder, check=())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9
    assert not (tmp_path / "out").exists()
    with pytest.raises(TaggerError, match=r"found no leanner\.json"):
        Lean.load(tmp_path / "out")
    # What lies beside it is whole from the manifest on, which is written last.
    (beside,) = tmp_path.iterdir()
    assert (beside / "leanner.json").exists() == moment.startswith("write.")
    if not (beside / "leanner.json").exists():
        with pytest.raises(TaggerError, match=r"found no leanner\.json"):
            Lean.load(beside)
    # And does not keep another from its name.
    exported(shaped(shaped_file), tmp_path / "out")
    Lean.load(tmp_path / "out")


def test_nothing_is_overwritten_but_an_export_and_only_by_force(shaped_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    first = exported(shaped(shaped_file), folder)
    with pytest.raises(ExportError, match="found an export; name another, or replace it with --force"):
        export(shaped(shaped_file), "lean", LEAN, folder, check=())
    second = export(shaped(shaped_file), "lean-int8", (Int8Dynamic(), *LEAN), folder, check=(), force=True)
    assert Lean.load(folder).sha256 == second.sha256 != first.sha256
    assert left(tmp_path) == ["out"]
    # Naive: gone with the export.
    (folder / "spans.jsonl").write_text("mine")
    with pytest.raises(ExportError, match="found one with other files than an export's; name another"):
        export(shaped(shaped_file), "lean", LEAN, folder, check=(), force=True)
    assert (folder / "spans.jsonl").read_text() == "mine"
    (folder / "leanner.json").unlink()
    for force in (False, True):
        with pytest.raises(ExportError, match="found one with other files than an export's; name another"):
            export(shaped(shaped_file), "lean", LEAN, folder, check=(), force=force)
        with pytest.raises(ExportError, match=r"expected an empty folder or none at .*, found a file"):
            export(shaped(shaped_file), "lean", LEAN, shaped_file, check=(), force=force)


def test_a_place_is_looked_at_before_the_tagger_is_changed(shaped_file: Path, tmp_path: Path) -> None:
    def never(_: object) -> Any:  # noqa: ANN401 - a pass
        raise AssertionError("expected no pass to be applied")

    with pytest.raises(ExportError):
        export(shaped(shaped_file), "lean", (never,), shaped_file)  # type: ignore[arg-type]
    assert left(tmp_path) == []


def test_what_an_export_has_no_place_for(shaped_file: Path, tmp_path: Path) -> None:
    class Another(SegtokTokenizer):
        """It might split otherwise."""

    with pytest.raises(TaggerError, match=r"expected words that are split by .*, found flair\.Another"):
        exported(shaped(shaped_file, tokenizer=FlairTokens(Another())), tmp_path / "out")
    tagger = shaped(shaped_file)
    model: Any = tagger.model
    model.embeddings.model.config.hidden_act = "gelu_new"
    with pytest.raises(TaggerError, match="expected an encoder with one of gelu, relu, found 'gelu_new'"):
        exported(tagger, tmp_path / "out")
    tagger = shaped(shaped_file)
    model = tagger.model
    model.embeddings.model.encoder.layer[0].output.dense.lora = model.linear
    with pytest.raises(TaggerError, match=r"found other ones: encoder\.encoder\.layer\.0\.output\.dense\.lora"):
        exported(tagger, tmp_path / "out")
    tagger = shaped(shaped_file)
    model = tagger.model
    layer = model.embeddings.model.encoder.layer[0].output
    layer.dense = type("Sparse", (type(layer.dense),), {})(64, 32)
    with pytest.raises(TaggerError, match=r"layer\.0\.output\.dense: expected a layer of floats, .* found Sparse"):
        exported(tagger, tmp_path / "out")
    with pytest.raises(NotRunnable, match="context before the prompt"):
        exported(shaped(shaped_file), tmp_path / "out", LeanRuntime(prefix_caching=True))
    assert left(tmp_path) == []


def test_a_folder_that_is_linked_to_stays_a_link(shaped_file: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    exported(shaped(shaped_file), tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    shutil.rmtree(tmp_path / "disk")
    with pytest.raises(TaggerError):
        Lean.load(tmp_path / "out")


@pytest.mark.parametrize(
    ("each", "why"),
    [
        (Compile(), "what TorchInductor compiled has no file format; export"),
        (Pt2e(), "what TorchInductor compiled has no file format; export"),
        (LeanRuntime(cuda_graphs=True), "CUDA graphs are of a process and its GPU; export it without"),
    ],
    ids=["compile", "pt2e", "graphs"],
)
def test_what_has_no_file_format_is_refused_before_anything_is_compiled(
    shaped_file: Path, tmp_path: Path, each: Compile | Pt2e | LeanRuntime, why: str
) -> None:
    with pytest.raises(ExportError, match=why):
        export(shaped(shaped_file), each.name, (each,), tmp_path / "out")
    assert left(tmp_path) == []
