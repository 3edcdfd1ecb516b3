"""The user's label map of a checkpoint: a TOML file, or the same as JSON.

[labels]
"GENE/PROTEIN" = "GENE"    # an entity type is called otherwise
Chemical = "ignore"
LABEL_1 = "B-DISEASE"      # a label says nothing: a letter of its scheme says where spans begin
"""

from __future__ import annotations

import json
import re
import tomllib

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Final
from typing import NamedTuple

from leanner.taggers.errors import TaggerError
from leanner.types import Label


#: What is read if it lies in a checkpoint's folder.
FILE_NAME: Final = "leanner-labels.toml"
IGNORE: Final = "ignore"
LETTERS: Final = "BIELSU"

_MEANING: Final = re.compile(f"(?:([{LETTERS}])-)?({'|'.join(Label)})")


class Meaning(NamedTuple):
    """What a label or a type is mapped to.

    Attributes:
        label: ``None`` to ignore it.
        letter: Of the scheme, one of ``LETTERS``; ``None`` leaves it to the label itself.
    """

    label: Label | None
    letter: str | None = None


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What labels or entity types of a checkpoint are mapped to.

    Attributes:
        path: Where it was read.
        meanings: By label or type, spelt as in the checkpoint.
    """

    path: Path
    meanings: Mapping[str, Meaning]


def read_label_map(path: Path) -> LabelMap:
    """Read a label map.

    Raises:
        TaggerError: There is no such file, it is neither TOML nor (if so named) JSON, or has a key or a value that
            means nothing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaggerError(f"{path}: expected a label map, found {type(error).__name__}: {error}") from error
    kind, parse = ("JSON", json.loads) if path.suffix == ".json" else ("TOML", tomllib.loads)
    try:
        content: Any = parse(text)
    except ValueError as error:  # both libraries' errors are such, and name the line
        raise TaggerError(f"{path}: expected {kind}, found {error}; correct the file") from error
    if not isinstance(content, dict) or content.keys() != {"labels"} or not isinstance(content["labels"], dict):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise TaggerError(f"{path}: expected a table [labels] and nothing else, found {found or 'nothing'}")
    return LabelMap(path, {key: _meaning(path, key, value) for key, value in content["labels"].items()})


def _meaning(path: Path, key: str, value: object) -> Meaning:
    if value == IGNORE:
        return Meaning(None)
    match = _MEANING.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise TaggerError(
            f"{path}: expected {key} as one of {', '.join((*Label, IGNORE))}, or with a letter of {LETTERS} before it "
            f'as in "B-GENE", found {value!r}; correct the file'
        )
    return Meaning(Label(match[2]), match[1])
