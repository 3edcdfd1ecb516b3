"""Where the corpus that comes with leanner lies: native files in the official layouts, as package data."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from leanner.corpora.native import CorpusError


def bundled_folder() -> Path:
    """Return the folder of the bundled corpus, one folder in it for each native format.

    Raises:
        CorpusError: The package was installed without its data, or is not unpacked.
    """
    folder = resources.files("leanner") / "corpora" / "bundled"
    if not isinstance(folder, Path) or not folder.is_dir():
        raise CorpusError(
            Path(str(folder)),
            None,
            expected="the folder of the bundled corpus",
            found="none",
            advice="install leanner again, from its wheel",
        )
    return folder
