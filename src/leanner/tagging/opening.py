"""The output of a run: opened anew, or where an earlier run was cut off."""

from __future__ import annotations

import contextlib
import os
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import IO
from typing import Literal

from leanner.tagging.resume import About
from leanner.tagging.resume import ResumeError
from leanner.tagging.resume import begin
from leanner.tagging.resume import behind
from leanner.tagging.resume import check_origin
from leanner.tagging.text import Form
from leanner.tagging.text import Text


#: What is done with an output that is there: it is refused, gone on with, or overwritten.
Existing = Literal["refuse", "resume", "overwrite"]


@contextlib.contextmanager
def open_output(
    path: Path | None, about: About, texts: Iterator[Text], existing: Existing
) -> Iterator[tuple[IO[bytes], int]]:
    """Open the output, and give the bytes of the texts that are in it already; those are passed over.

    Args:
        path: Standard output if ``None``.
        about: What makes the output.
        texts: Its documents, from the first on.
        existing: What is done if it is there.

    Raises:
        ResumeError: It is there and not to be overwritten, or cannot be gone on with.
        CorpusError: As reading ``texts`` does.
        OSError: It cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer, 0
        return
    if path.exists() and not path.is_file():
        # A device or a pipe has no end to go on from.
        with path.open("wb") as file:
            yield file, 0
        return
    is_there = path.exists() and path.stat().st_size > 0
    if is_there and existing == "refuse":
        raise ResumeError(
            f"expected no output at {path}, found one; go on with it by --resume, overwrite it by --force, or name "
            "another file"
        )
    passed = 0
    if is_there and existing == "resume":
        check_origin(path, about)
        passed = behind(path, Form(about.form), texts)
    else:
        # Emptied first: what another export wrote must never lie beside a file that names this one.
        with path.open("wb") as file:
            os.fsync(file.fileno())
        begin(path, about)
    with path.open("ab") as file:
        yield file, passed
