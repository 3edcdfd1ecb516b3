"""Fetching the official releases: pooch's cache and progress bar, sha256 recorded and verified."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pooch
import requests

from leanner.corpora.native import CorpusError
from leanner.corpora.unpack import Limits
from leanner.corpora.unpack import unpack


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a release.

    Attributes:
        url: Where its owners publish it.
        path: Where it goes in the corpus's folder; the folder to unpack into if it is an archive.
        sha256: Digest, where the owners or an earlier measurement give one; else the first
            download is recorded and holds from then on.
        is_archive: Whether to unpack it.
        inside: Part of the archive to unpack, see `leanner.corpora.unpack.unpack`.
    """

    url: str
    path: str
    sha256: str | None = None
    is_archive: bool = False
    inside: str = ""


_MEDMENTIONS: Final = "https://github.com/chanzuckerberg/MedMentions/raw/master/full/data/"

#: The official releases, by corpus. None of the owners publishes a digest.
SOURCES: Final[Mapping[str, tuple[RemoteFile, ...]]] = {
    # The files of the full corpus alone: the repository's archive also holds st21pv, whose
    # 21 coarse types tell neither genes nor diseases apart.
    "medmentions": tuple(
        RemoteFile(_MEDMENTIONS + name, f"full/data/{name}")
        for name in (
            "corpus_pubtator.txt.gz",
            "corpus_pubtator_pmids_all.txt",
            "corpus_pubtator_pmids_trng.txt",
            "corpus_pubtator_pmids_dev.txt",
            "corpus_pubtator_pmids_test.txt",
        )
    ),
    "bioid": (
        RemoteFile(
            "https://biocreative.bioinformatics.udel.edu/media/store/files/2017/BioIDtraining_2.tar.gz",
            ".",
            is_archive=True,
        ),
    ),
    "tmvar": (RemoteFile("https://ftp.ncbi.nlm.nih.gov/pub/lu/tmVar3/tmVar3Corpus.txt", "tmVar3Corpus.txt"),),
    # The document layout, not the token rows: it names the article of each caption.
    "sourcedata": (
        RemoteFile(
            "https://huggingface.co/datasets/EMBO/SourceData/resolve/main/bigbio/source_data_json_splits_2.0.2.zip",
            ".",
            is_archive=True,
        ),
    ),
    "variome": (
        RemoteFile(
            "https://github.com/Erechtheus/mutationCorpora/archive/refs/heads/master.zip",
            ".",
            is_archive=True,
            inside="corpora/original/Variome/variome_annotation_corpus",
        ),
    ),
}


def cache_folder() -> Path:
    """Return the folder for downloaded files: pooch's cache for this user."""
    return Path(pooch.os_cache("leanner"))


def fetch(
    names: Sequence[str] = (),
    to: Path | None = None,
    *,
    sources: Mapping[str, Sequence[RemoteFile]] = SOURCES,
    cache: Path | None = None,
    progress: bool = True,
    limits: Limits | None = None,
) -> list[Path]:
    """Download corpora, verify and unpack them.

    What is in the cache is verified against its recorded digest and not downloaded again;
    a damaged file is. A corpus appears in ``to`` as a whole or not at all.

    Args:
        names: Corpora of ``sources``; all of them if empty.
        to: Folder that gets one folder for each corpus; ``corpora`` in the cache if ``None``.
        sources: Where the files are.
        cache: Folder for the downloaded files; see `cache_folder`.
        progress: Show a progress bar for each file.
        limits: How much an archive may unpack to.

    Returns:
        The folders of the corpora, in the order of ``names``.

    Raises:
        CorpusError: A file cannot be downloaded or differs from its digest, an archive is
            unsafe or damaged, or a folder is in the way.
        ValueError: A name is not in ``sources``.
    """
    unknown = sorted(set(names) - set(sources))
    if unknown:
        raise ValueError(f"expected corpora of {', '.join(sorted(sources))}, found {', '.join(unknown)}")
    cache = cache or cache_folder()
    to = to or cache / "corpora"
    return [
        _install(to / name, name, sources[name], cache / "downloads" / name, progress=progress, limits=limits)
        for name in dict.fromkeys(names or sources)
    ]


#: Lies in a fetched folder and says which files it was made of.
_MARKER: Final = ".leanner-fetched.json"


def _install(
    folder: Path, name: str, files: Sequence[RemoteFile], cache: Path, *, progress: bool, limits: Limits | None
) -> Path:
    marker = folder / _MARKER
    if folder.exists() and not marker.is_file() and any(folder.iterdir()):
        raise CorpusError(
            folder,
            None,
            expected=f"no folder, or one that was fetched before, for {name}",
            found="files from elsewhere",
            advice="move it away, or fetch to another folder",
        )
    digests: dict[str, str] = {}
    local: list[tuple[RemoteFile, Path]] = []
    for file in files:
        path, digest = _download(file, cache, progress=progress)
        local.append((file, path))
        digests[file.url] = digest
    content = json.dumps({"corpus": name, "sha256": digests}, indent=2, sort_keys=True)
    if marker.is_file() and marker.read_text(encoding="utf-8") == content:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / name
        fresh.mkdir()
        for file, path in local:
            if file.is_archive:
                unpack(path, fresh / file.path, inside=file.inside, limits=limits)
            else:
                (fresh / file.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, fresh / file.path)
        (fresh / _MARKER).write_text(content, encoding="utf-8")
        if folder.exists():
            folder.rename(Path(scratch) / "previous")
        fresh.rename(folder)
    return folder


def _download(file: RemoteFile, cache: Path, *, progress: bool) -> tuple[Path, str]:
    """Return the file in the cache and its digest, downloading it if it is missing or damaged."""
    # Files of one release may share a name in different folders of the server.
    filename = f"{sha256(file.url.encode()).hexdigest()[:8]}-{Path(urlsplit(file.url).path).name}"
    record = cache / f"{filename}.json"
    expected = file.sha256 or _recorded(record)
    try:
        with _quiet_pooch():
            path = Path(
                pooch.retrieve(
                    file.url,
                    known_hash=f"sha256:{expected}" if expected else None,
                    fname=filename,
                    path=cache,
                    downloader=pooch.HTTPDownloader(progressbar=progress, timeout=60),
                )
            )
    except requests.exceptions.RequestException as error:
        raise CorpusError(
            cache / filename,
            None,
            expected=f"to download {file.url}",
            found=f"{type(error).__name__}: {error}",
            advice="try again later, or get the file by other means and point LEANNER_CORPORA at its folder",
        ) from error
    except ValueError as error:
        raise CorpusError(
            cache / filename,
            None,
            expected=f"sha256 {expected} of {file.url}",
            found=str(error),
            advice="the release changed or was tampered with"
            + ("" if file.sha256 else f"; delete {record} to accept the new one"),
        ) from error
    if expected is not None:
        return path, expected
    digest = pooch.file_hash(str(path), alg="sha256")
    _write_whole(
        record,
        json.dumps(
            {
                "url": file.url,
                "sha256": digest,
                "size_bytes": path.stat().st_size,
                "fetched": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            },
            indent=2,
        ),
    )
    return path, digest


def _recorded(record: Path) -> str | None:
    if not record.is_file():
        return None
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["sha256"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CorpusError(
            record,
            None,
            expected="the sha256 of a download",
            found=f"{type(error).__name__}: {error}",
            advice="delete this file and the one beside it, and fetch again",
        ) from error


def _write_whole(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from advising to paste digests into a program: the record beside the file has them."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
