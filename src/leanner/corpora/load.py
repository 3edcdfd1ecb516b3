"""From what a user writes (``bundled``, a folder, ``name=PATH``) to a merged corpus."""

from __future__ import annotations

import re

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.bundled_corpus import bundled_folder
from leanner.corpora.environment import corpora_from_environment
from leanner.corpora.formats import read_custom
from leanner.corpora.merge import MergedCorpus
from leanner.corpora.merge import Source
from leanner.corpora.native import CorpusError
from leanner.corpora.registry import READERS
from leanner.corpora.registry import read_corpus
from leanner.corpora.registry import recognise_all


if TYPE_CHECKING:
    from leanner.corpora.bad import Policy


BUNDLED: Final = "bundled"

_NAMED: Final = re.compile(r"([A-Za-z][\w.-]*)=(.+)", re.DOTALL)


def load_corpus(
    locations: Sequence[str] = (),
    *,
    sentences: int | None = None,
    seed: int = 0,
    on_bad_document: Policy = "error",
) -> MergedCorpus:
    """Return the corpora at ``locations`` as one, reading nothing yet but names of files.

    Args:
        locations: Each "bundled", a folder with native files of the five corpora in or below
            it, or ``name=PATH``: one of the five by its name, or a corpus of the user's own.
            If empty, those in the environment variable LEANNER_CORPORA, else "bundled".
        sentences: Draw whole articles until about this many sentences are there.
        seed: Seed of the draw.
        on_bad_document: "error" raises the first `CorpusError` while reading, "skip" counts and lists.

    Raises:
        CorpusError: There is no corpus at a location.
        ValueError: ``sentences`` is below 1, or the policy unknown.
    """
    named = [location for location in locations if location] or corpora_from_environment() or [BUNDLED]
    places = {place: None for location in named for place in _places(location)}
    return MergedCorpus(
        [_source(name, folder) for name, folder in places],
        sentences=sentences,
        seed=seed,
        on_bad_document=on_bad_document,
    )


def bundled() -> MergedCorpus:
    """Return the corpus that comes with leanner."""
    return load_corpus([BUNDLED])


def _places(location: str) -> list[tuple[str, Path]]:
    """Return name and absolute path of the corpora at ``location``."""
    if location == BUNDLED:
        return recognise_all(bundled_folder())
    folder = Path(location).expanduser()
    named = _NAMED.fullmatch(location)
    if named is not None and not folder.exists():
        path = Path(named[2]).expanduser()
        if not path.exists():
            raise CorpusError(path, None, expected=f"the corpus {named[1]}", found="nothing", advice="check the path")
        return [(named[1], path.resolve())]
    if not folder.is_dir():
        raise CorpusError(
            folder,
            None,
            expected=f"{BUNDLED!r}, a folder of native files, or name=PATH",
            found="a file" if folder.exists() else "nothing",
            advice="name a corpus of your own as name=PATH" if folder.exists() else "check the path",
        )
    found = recognise_all(folder.resolve())
    if not found:
        raise CorpusError(
            folder,
            None,
            expected="native files of one or more corpora: "
            + "; ".join(f"{name} ({reader.LAYOUT})" for name, reader in READERS.items()),
            found="none",
            advice="check the path, get them with `leanner corpora fetch`, or name a corpus of your own as name=PATH",
        )
    return found


def _source(name: str, folder: Path) -> Source:
    if name in READERS:
        return Source(name, partial(read_corpus, name, folder))
    return Source(name, partial(read_custom, name, folder))
