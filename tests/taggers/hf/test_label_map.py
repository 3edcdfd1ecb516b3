from __future__ import annotations

import json

from pathlib import Path

import pytest

from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.label_map import Meaning
from leanner.taggers.hf.label_map import read_label_map
from leanner.types import Label


LABELS = {"GENE/PROTEIN": "GENE", "Chemical": "ignore", "LABEL_1": "B-DISEASE", "LABEL_2": "U-SPECIES"}
MEANINGS = {
    "GENE/PROTEIN": Meaning(Label.GENE),
    "Chemical": Meaning(None),
    "LABEL_1": Meaning(Label.DISEASE, "B"),
    "LABEL_2": Meaning(Label.SPECIES, "U"),
}


def written(folder: Path, text: str, name: str = "labels.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_toml(tmp_path: Path) -> None:
    path = written(tmp_path, "[labels]\n" + "\n".join(f'"{key}" = "{value}"' for key, value in LABELS.items()))
    label_map = read_label_map(path)
    assert label_map.path == path
    assert label_map.meanings == MEANINGS


def test_json(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"labels": LABELS}), "labels.json")
    assert read_label_map(path).meanings == MEANINGS


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("[labels\n", "a.toml", r"a\.toml: expected TOML, found .*line 1.*; correct the file"),
        ('{"labels": ', "a.json", r"a\.json: expected JSON, found .*line 1.*; correct the file"),
        ("", "a.toml", r"expected a table \[labels\] and nothing else, found nothing"),
        ("[]", "a.json", "nothing else, found list"),
        ('labels = "GENE"', "a.toml", "nothing else, found labels"),
        ('format = "x"\n[labels]\nA = "GENE"', "a.toml", "nothing else, found format, labels"),
        ('[labels]\nA = "gene"', "a.toml", "expected A as one of GENE, SPECIES, DISEASE, ignore, or .*, found 'gene'"),
        ('[labels]\nA = "X-GENE"', "a.toml", "with a letter of BIELSU before it .*, found 'X-GENE'"),
        ("[labels]\nA = 1", "a.toml", "found 1; correct the file"),
    ],
)
def test_what_means_nothing(tmp_path: Path, text: str, name: str, wanted: str) -> None:
    with pytest.raises(TaggerError, match=wanted):
        read_label_map(written(tmp_path, text, name))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match=r"none\.toml: expected a label map, found FileNotFoundError"):
        read_label_map(tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"\xe4")
    with pytest.raises(TaggerError, match=r"latin\.toml: expected a label map, found UnicodeDecodeError"):
        read_label_map(latin)
