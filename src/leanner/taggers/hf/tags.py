"""What the labels of a checkpoint mean: the letter of a scheme, an entity type, and the label of ours.

A label is a plain class name (IO: every word within a mention has it), or a type with a letter before or behind it
(``B-Gene``, ``Gene_B``): BIO, or BIOES, also written BILOU. ``B-`` and ``I-`` are always read as letters, as by the
pipeline of transformers; another spelling is, if its type has two letters, ``B`` or ``I`` among them.
"""

from __future__ import annotations

import re

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final
from typing import NamedTuple

from leanner.taggers.entity_names import LABEL_NAMES
from leanner.taggers.entity_names import plain
from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.label_map import LETTERS
from leanner.taggers.hf.label_map import LabelMap
from leanner.taggers.hf.label_map import Meaning


if TYPE_CHECKING:
    from leanner.types import Label


OUTSIDE: Final = "O"

#: How BILOU calls the letters of BIOES.
_SYNONYMS: Final[Mapping[str, str]] = {"L": "E", "U": "S"}
_ALWAYS: Final = re.compile("(?P<letter>[BI])-(?P<kind>.+)")
_IN_COMPANY: Final = (
    re.compile(f"(?P<letter>[{LETTERS}])-(?P<kind>.+)"),
    re.compile(f"(?P<letter>[{LETTERS}])_(?P<kind>.+)"),
    re.compile(f"(?P<kind>.+)-(?P<letter>[{LETTERS}])"),
    re.compile(f"(?P<kind>.+)_(?P<letter>[{LETTERS}])"),
)


class Tag(NamedTuple):
    """What a label means.

    Attributes:
        letter: ``B``, ``I``, ``E`` or ``S``; ``I`` for a plain class name, ``O`` outside.
        kind: The entity type as the checkpoint calls it, empty if it has no name. Neighbours of one kind are one
            mention, unless letters part them.
        label: ``None`` if it is none of ours.
    """

    letter: str
    kind: str
    label: Label | None


def read_tags(labels: Sequence[str], label_map: LabelMap | None = None) -> tuple[Tag, ...]:
    """Return what each of ``labels`` means.

    Args:
        labels: All of a checkpoint, in the order of its scores.
        label_map: Goes before the names that are known.

    Raises:
        TaggerError: The map has a key that is neither a label nor a type.
    """
    split = _split(labels)
    meanings = {} if label_map is None else label_map.meanings
    known = {*labels, *(kind for _, kind in split)}
    if label_map is not None and (strangers := sorted(meanings.keys() - known)):
        raise TaggerError(
            f"{label_map.path}: expected labels or entity types of the checkpoint ({', '.join(sorted(known - {''}))}), "
            f"found {', '.join(map(repr, strangers))}; spell them as the checkpoint does"
        )
    return tuple(_tag(label, *parts, meanings) for label, parts in zip(labels, split, strict=True))


def entity_types(labels: Sequence[str], tags: Sequence[Tag]) -> dict[str, Label | None]:
    """Return the label of ours of each entity type, by its name; a type without one is named by its label."""
    return {tag.kind or label: tag.label for label, tag in zip(labels, tags, strict=True) if tag.letter != OUTSIDE}


def _tag(label: str, letter: str, kind: str, meanings: Mapping[str, Meaning]) -> Tag:
    meaning = meanings.get(label) or meanings.get(kind)
    if meaning is None:
        return Tag(letter, kind, LABEL_NAMES.get(plain(kind)))
    if meaning.letter is None:
        return Tag(letter, kind, meaning.label)
    # The checkpoint's own names need not say that two labels are of one type.
    return Tag(_SYNONYMS.get(meaning.letter, meaning.letter), str(meaning.label), meaning.label)


def _split(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return letter and type of each label."""
    found: dict[str, tuple[str, str]] = {}
    if not {"B", "I"}.isdisjoint(labels):
        found.update({label: (label, "") for label in labels if label in set(LETTERS)})
    for label in labels:
        if (match := _ALWAYS.fullmatch(label)) is not None:
            found.setdefault(label, (match["letter"], match["kind"]))
    for spelling in _IN_COMPANY:
        matches = {label: match for label in labels if (match := spelling.fullmatch(label)) is not None}
        letters = defaultdict(set)
        for match in matches.values():
            letters[match["kind"]].add(match["letter"])
        for label, match in matches.items():
            company = letters[match["kind"]]
            if len(company) > 1 and not company.isdisjoint("BI"):
                found.setdefault(label, (match["letter"], match["kind"]))
    found.setdefault(OUTSIDE, (OUTSIDE, OUTSIDE))
    pairs = (found.get(label, ("I", label)) for label in labels)
    return [(_SYNONYMS.get(letter, letter), kind) for letter, kind in pairs]
