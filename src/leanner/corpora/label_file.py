"""The label map of a user's own corpus: ``labels.toml`` beside the files or among them.

format = "brat"           # optional: pubtator, brat, bioc or conll
offsets = "characters"    # optional, BioC: characters or bytes
annotated = ["GENE"]      # optional: the labels of ours that the corpus annotates

[labels]
Protein = "GENE"
Chemical = "ignore"
"""

from __future__ import annotations

import re
import tomllib

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Literal
from typing import get_args

from leanner.corpora.annotation import UnknownLabelError
from leanner.corpora.bioc_xml import Unit
from leanner.corpora.lines import read_text
from leanner.corpora.native import CorpusError
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


Format = Literal["pubtator", "brat", "bioc", "conll"]

FILE_NAME: Final = "labels.toml"
_KEYS: Final = ("format", "offsets", "annotated", "labels")
_IGNORE: Final = "ignore"
_LABELS: Final = ", ".join((*Label, _IGNORE))


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label map, or what holds without one; also a `LabelMap`.

    Attributes:
        path: The TOML file; where there is none, the place where it would be.
        exists: Whether there is one.
        format: Format of the corpus; None to recognise it.
        offsets: What BioC offsets count.
        annotated: What is annotated; None to take what occurs.
        labels: Our label of each native one, None to ignore it. Without a map, native labels
            that are called as ours, in any case of letters, map by themselves.
    """

    path: Path
    exists: bool = False
    format: Format | None = None
    offsets: Unit = "characters"
    annotated: frozenset[Label] | None = None
    labels: Mapping[str, Label | None] | None = None

    def __call__(self, native: str) -> Label | None:
        """Return the label of ``native``, None to ignore it.

        Raises:
            UnknownLabelError: There is no map for it.
        """
        if self.labels is None:
            if native.upper() in Label.__members__:
                return Label[native.upper()]
            expected = f"a label named {', '.join(Label)} in any case, as {self.path} maps no labels"
        elif native in self.labels:
            return self.labels[native]
        else:
            expected = f"a label of {self.path} ({', '.join(sorted(self.labels)) or 'none'})"
        key = native if re.fullmatch(r"[A-Za-z0-9_-]+", native) else f'"{native}"'
        raise UnknownLabelError(
            native,
            expected=expected,
            advice=f'add {key} = "GENE" (or "SPECIES", "DISEASE", "ignore") under [labels] in {self.path}',
        )


def label_file(corpus: Path) -> LabelFile:
    """Read the label map of the corpus at ``corpus``, a file or a folder.

    Raises:
        CorpusError: It is no TOML, or has a key or value that means nothing.
    """
    path = (corpus if corpus.is_dir() else corpus.parent) / FILE_NAME
    if not path.is_file():
        return LabelFile(path)
    try:
        content = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        line = int(at[1]) if at else None
        raise CorpusError(path, line, expected="TOML", found=str(error), advice="correct the file") from error
    for key in content:
        if key not in _KEYS:
            raise _wrong(path, f"the keys {', '.join(_KEYS)}", f"{key!r}")
    return LabelFile(
        path=path,
        exists=True,
        format=_choice(path, content, "format", get_args(Format), None),
        offsets=_choice(path, content, "offsets", get_args(Unit), "characters"),
        annotated=_annotated(path, content),
        labels=_labels(path, content),
    )


def _choice(path: Path, content: dict[str, Any], key: str, choices: tuple[str, ...], default: Any) -> Any:  # noqa: ANN401
    value = content.get(key, default)
    if value is not default and value not in choices:
        raise _wrong(path, f"{key} as one of {', '.join(choices)}", repr(value))
    return value


def _annotated(path: Path, content: dict[str, Any]) -> frozenset[Label] | None:
    value = content.get("annotated")
    if value is None:
        return None
    if not isinstance(value, list) or not all(str(name) in Label.__members__ for name in value):
        raise _wrong(path, f"annotated as a list of {', '.join(Label)}", repr(value))
    return frozenset(Label[name] for name in value)


def _labels(path: Path, content: dict[str, Any]) -> dict[str, Label | None] | None:
    value = content.get("labels")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _wrong(path, "[labels] as a table", repr(value))
    for native, name in value.items():
        if name != _IGNORE and str(name) not in Label.__members__:
            raise _wrong(path, f"{native} as one of {_LABELS}", repr(name))
    return {native: None if name == _IGNORE else Label[name] for native, name in value.items()}


def _wrong(path: Path, expected: str, found: str) -> CorpusError:
    return CorpusError(path, None, expected=expected, found=found, advice="correct the file")
