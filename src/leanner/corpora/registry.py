"""The five corpora by name, and which of them lie in a folder."""

from __future__ import annotations

import os

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Final
from typing import Protocol

from leanner.corpora import bioid
from leanner.corpora import medmentions
from leanner.corpora import sourcedata
from leanner.corpora import tmvar
from leanner.corpora import variome
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from leanner.corpora.bad import BadDocuments


class Reader(Protocol):
    """What every corpus module offers."""

    @property
    def NAME(self) -> str:  # noqa: N802 (a constant of the module)
        """Name of the corpus."""

    @property
    def LAYOUT(self) -> str:  # noqa: N802 (a constant of the module)
        """Its files, in words."""

    @property
    def recognise(self) -> Callable[[Path], bool]:
        """Whether a folder is the top of a release, by its files."""

    @property
    def read(self) -> Callable[[Path, BadDocuments], Iterator[NativeDocument]]:
        """Reads the release in a folder."""


_MODULES: Final[tuple[Reader, ...]] = (bioid, medmentions, sourcedata, tmvar, variome)

READERS: Final[Mapping[str, Reader]] = MappingProxyType({module.NAME: module for module in _MODULES})

#: Folders by this name hold what taggers learn from: never a corpus to measure on.
_LEFT_OUT: Final = "training"


def recognise_all(folder: Path) -> list[tuple[str, Path]]:
    """Return ``(name, folder)`` of every corpus in ``folder`` or below it, sorted.

    Nothing is looked for below a corpus, in hidden folders, or in folders named "training".
    """
    found: list[tuple[str, Path]] = []
    for top, folders, _ in os.walk(folder):
        here = Path(top)
        names = [name for name, reader in READERS.items() if reader.recognise(here)]
        found.extend((name, here) for name in names)
        if names:
            folders.clear()
        else:
            folders[:] = sorted(name for name in folders if name != _LEFT_OUT and not name.startswith("."))
    return sorted(found)


def read_corpus(name: str, folder: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read the corpus ``name``, whose release lies in ``folder`` or anywhere below it.

    Raises:
        CorpusError: It does not, or more than once; the error names what lies there instead.
        KeyError: There is no such corpus.
    """
    yield from READERS[name].read(release_folder(name, folder), bad)


def release_folder(name: str, folder: Path) -> Path:
    """Return the folder of the one release of ``name`` in ``folder`` or below it.

    Raises:
        CorpusError: There is none, or more than one; the error names what lies there instead.
        KeyError: There is no such corpus.
    """
    reader = READERS[name]
    everything = recognise_all(folder)
    matching = [place for corpus, place in everything if corpus == name]
    if len(matching) == 1:
        return matching[0]
    if matching:
        found = f"{len(matching)} of them: {', '.join(map(str, matching))}"
        advice = "name one of these"
    elif everything:
        found = "another corpus: " + ", ".join(f"{corpus} in {place}" for corpus, place in everything)
        advice = f"check the path, or name the corpus {everything[0][0]}"
    else:
        found = "no corpus" if folder.is_dir() else "no such folder"
        advice = "check the path"
    raise CorpusError(folder, None, expected=f"{name} ({reader.LAYOUT})", found=found, advice=advice)
