"""Whatever is not as it was written is refused, with what was expected, what was found, and where."""

from __future__ import annotations

import hashlib
import json
import shutil

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from safetensors.torch import load_file
from safetensors.torch import save_file

from export.made import exported
from export.made import shaped
from leanner import Lean
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.errors import TaggerError


if TYPE_CHECKING:
    from torch import Tensor

MANIFEST, WEIGHTS, SUBTOKENS = "leanner.json", "model.safetensors", "tokenizer.json"


@pytest.fixture(scope="module")
def whole(shaped_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "out"
    exported(shaped(shaped_file), folder, Int8Dynamic())
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / MANIFEST
    about = json.loads(path.read_text(encoding="utf-8"))
    change(about)
    path.write_text(json.dumps(about), encoding="utf-8")


def edit_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Change tensors, and the digest with them."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    edit(folder, lambda about: about["files"].update({WEIGHTS: digest}))


def test_the_files_are_no_pickle_and_anyone_may_read_them(whole: Path) -> None:
    assert sorted(file.name for file in whole.iterdir()) == [MANIFEST, WEIGHTS, SUBTOKENS]
    json.loads((whole / MANIFEST).read_bytes())
    json.loads((whole / SUBTOKENS).read_bytes())
    load_file(whole / WEIGHTS)
    modes = {file.stat().st_mode for file in whole.iterdir()}
    (whole.parent / "plain").touch()
    assert modes == {(whole.parent / "plain").stat().st_mode}


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, SUBTOKENS])
def test_a_file_that_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TaggerError, match=rf"expected .* in {folder}, found no {name}; name a folder"):
        Lean.load(folder)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match=r"found no leanner\.json; name a folder that `leanner export` wrote"):
        Lean.load(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(TaggerError, match="cannot be read: Not a directory"):
        Lean.load(tmp_path / "file")


@pytest.mark.parametrize("name", [WEIGHTS, SUBTOKENS])
def test_a_byte_that_was_changed_and_one_that_was_lost(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-9] ^= 1
    for damaged in (bytes(content), bytes(content[:-1])):
        (folder / name).write_bytes(damaged)
        with pytest.raises(
            TaggerError, match=rf"{name}: expected sha256 \w{{64}} as leanner\.json says, found \w{{64}}"
        ):
            Lean.load(folder)


def test_another_version(folder: Path) -> None:
    edit(folder, lambda about: about.update(format=4))
    with pytest.raises(TaggerError, match=r"leanner\.json: expected format 1 or 2 or 3, found 4: a newer leanner"):
        Lean.load(folder)
    for other in ("1", True, None, 0):
        edit(folder, lambda about, other=other: about.update(format=other))  # type: ignore[misc]
        with pytest.raises(TaggerError, match=r"expected format 1 or 2 or 3, found .*; name a folder that"):
            Lean.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff{}", b'{"layout": 1}'])
def test_no_manifest_of_leanner(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(TaggerError, match=r"leanner\.json: expected (JSON|format 1 or 2 or 3), found"):
        Lean.load(folder)


def test_a_tensor_that_is_missing_one_too_many_and_other_forms(folder: Path) -> None:
    name = "encoder.encoder.layer.1.attention.self.key"
    changes: list[tuple[Callable[[dict[str, Tensor]], object], str]] = [
        (lambda t: t.pop(f"{name}.bias"), rf"{name}\.bias: expected float32\[32\], found none"),
        (lambda t: t.update({f"{name}.bias": torch.zeros(31)}), r"expected float32\[32\], found float32\[31\]"),
        (lambda t: t.update({f"{name}.bias": torch.zeros(32).half()}), r"expected float32\[32\], found float16\[32\]"),
        (
            lambda t: t.update({f"{name}.bias": torch.zeros(32), f"{name}.rows": torch.zeros(32, 32)}),
            rf"{name}\.rows: expected int8\[32, 32\], found float32\[32, 32\]",
        ),
        (
            lambda t: t.update({f"{name}.rows": torch.zeros(32, 32, dtype=torch.int8), "more": torch.zeros(1)}),
            r"more: expected no such tensor, found float32\[1\]",
        ),
    ]
    for change, message in changes:
        edit_weights(folder, change)
        with pytest.raises(TaggerError, match=rf"model\.safetensors: .*{message}; export the tagger again"):
            Lean.load(folder)


def test_weights_that_are_no_safetensors(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"\x80\x04 no safetensors")
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    edit(folder, lambda about: about["files"].update({WEIGHTS: digest}))
    with pytest.raises(TaggerError, match=r"model\.safetensors: expected safetensors, found"):
        Lean.load(folder)


def layer(name: str, **values: object) -> Callable[[dict[str, Any]], object]:
    return lambda about: about["layers"].update({name: values})


FIRST = "encoder.encoder.layer.0.intermediate.dense"
RANGE = {"scale": 0.5, "zero": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about.pop("tagger"), "tagger: expected this field, found none"),
        (lambda about: about.update(more=1), "more: expected one of the fields"),
        (lambda about: about["input"].update(context="64"), 'input.context: expected a whole number, found "64"'),
        (lambda about: about["files"].update({"../../etc/passwd": "0"}), "files: expected model.safetensors and"),
        (lambda about: about.update(dtype="int8"), 'dtype: expected one of float32, bfloat16, float16, found "int8"'),
        (lambda about: about["encoder"].update(hidden_act="sin"), "encoder.hidden_act: expected one of gelu, relu"),
        (lambda about: about["encoder"].update(vocab_size=0), "encoder: expected sizes of 1 or more"),
        (lambda about: about["encoder"]["layers"][1].update(heads=0), "encoder: expected sizes of 1 or more"),
        (lambda about: about["encoder"]["layers"].pop(), "layers.*: expected a layer of the model"),
        (lambda about: about["input"].update(pooling="last"), "input.pooling: expected first or mean"),
        (lambda about: about["input"].update(context=-1), "input.context: expected 0 or more, found -1"),
        (lambda about: about["input"].update(stride=510), "input.stride: expected 0 or more, and less than"),
        (lambda about: about["input"].update(sentences="nltk"), "expected sentences split by segtok-.*, found nltk"),
        (
            lambda about: about["input"]["words"].update(name="spacy"),
            "expected words that are split by one of leanner.words, .*, found spacy",
        ),
        (lambda about: about["runtime"].update(batch_tokens=0), "runtime: expected batches and chunks of 1 or more"),
        (lambda about: about["runtime"].update(prefix_caching=True), "runtime.prefix_caching: expected false"),
        (lambda about: about["output"].update(crf={"start": 0, "stop": 99}), "output.crf: expected numbers of"),
        (lambda about: about["output"]["labels"].update(Chemical="CHEMICAL"), "expected one of GENE, SPECIES, DISEASE"),
        (layer("head", kind="int4"), "layers.head.kind: expected one of int8, int8-static, int8-embedding"),
        (layer("head", kind="int8", weight_bits=4), "layers.head.weight_bits: expected one of 8, 7, found 4"),
        (layer("head", kind="int8"), "layers.head.weight_bits: expected one of 8, 7, found null"),
        (layer("head", kind="int8", weight_bits=8, given=RANGE), "layers.head.given: expected a range if the layer is"),
        (layer("head", kind="int8-static", weight_bits=8), "layers.head.given: expected a range if the layer is"),
        (layer("head", kind="int8-embedding"), "layers.head: expected a layer of the model that int8-embedding can be"),
        (layer("neck", kind="int8", weight_bits=8), "layers.neck: expected a layer of the model .*, found none"),
        (
            layer("encoder.embeddings.LayerNorm", kind="int8", weight_bits=8),
            "expected a layer of the model that int8 can be, found LayerNorm",
        ),
        (
            layer(FIRST, kind="int8-static", weight_bits=8, given=RANGE, made=RANGE),
            rf"layers\.{FIRST}\.made: expected the range of the layer behind",
        ),
    ],
)
def test_what_the_manifest_says_is_looked_at(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(folder, change)
    with pytest.raises(TaggerError, match=rf"leanner\.json: .*{message}|^{message}"):
        Lean.load(folder)
