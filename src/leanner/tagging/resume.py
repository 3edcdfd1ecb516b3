"""Going on with an output file that was cut off: what made it, and what is in it."""

from __future__ import annotations

import json
import os

from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.atomic import write_atomically
from leanner.tagging.outputs import json_members
from leanner.tagging.outputs import pubtator_head
from leanner.tagging.text import Form
from leanner.tagging.text import Text


if TYPE_CHECKING:
    from leanner.export.lean import Lean


_ADVICE: Final = "name another file, or begin anew with --force"


class ResumeError(RuntimeError):
    """An output file cannot be gone on with, or is not to be overwritten; the message says what to do."""


@dataclass(frozen=True, slots=True)
class About:
    """What made an output file; it lies beside it, as ``….about.json``.

    Attributes:
        model: Digest of the export.
        tagger: What the export is called: tagger and configuration, for people.
        form: Format of the output.
    """

    model: str
    tagger: str
    form: str

    @classmethod
    def of(cls, lean: Lean, form: Form) -> About:
        """Return what ``lean`` writes in ``form``."""
        return cls(lean.sha256, f"{lean.name} in {lean.manifest.configuration}", form.value)


def about_path(output: Path) -> Path:
    """Return the place of the file that says what made ``output``."""
    return output.with_name(f"{output.name}.about.json")


def begin(output: Path, about: About) -> None:
    """Write beside ``output`` what makes it."""
    write_atomically(about_path(output), (json.dumps(asdict(about), indent=2) + "\n").encode())


def check_origin(output: Path, about: About) -> None:
    """Refuse an output of another model or format.

    Raises:
        ResumeError: It is one, or what made it is unknown.
    """
    path = about_path(output)
    try:
        found: object = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise ResumeError(f"expected {path} to say which model made {output}, found none; {_ADVICE}") from error
    if found != asdict(about):
        told = found if isinstance(found, dict) else {}
        raise ResumeError(
            f"{output}: expected the output of {about.tagger} ({about.model[:12]}) as {about.form}, found that of "
            f"{told.get('tagger')} ({str(told.get('model'))[:12]}) as {told.get('form')}; {_ADVICE}"
        )


def behind(output: Path, form: Form, texts: Iterator[Text]) -> int:
    """Cut off what is no whole document at the end of ``output``, and pass over ``texts`` that are there.

    Args:
        output: Written by an earlier run.
        form: Its format.
        texts: Of which it has the first ones; the next one is then that which comes behind.

    Returns:
        The bytes that those texts take in their files.

    Raises:
        ResumeError: Its documents are not the first ones of ``texts``.
    """
    end = size = 0
    for number, (place, key) in enumerate(_documents(output, form), start=1):
        text = next(texts, None)
        if text is None:
            raise ResumeError(
                f"{output}: expected no more documents than the input has, {number - 1}, found more; {_ADVICE}"
            )
        if key != _key(text, form):
            raise ResumeError(
                f"{output}: expected document {number} to be {text.id!r} of {text.path}:{text.line}, found another, or "
                f"another text; {_ADVICE}"
            )
        end = place
        size += text.size
    os.truncate(output, end)
    return size


def _documents(output: Path, form: Form) -> Iterator[tuple[int, object]]:
    """Yield end and key of each whole document."""
    position = 0
    block: list[bytes] = []
    with output.open("rb") as file:
        for line in file:
            position += len(line)
            if not line.endswith(b"\n"):
                return
            if form is Form.JSONL:
                yield position, _json_key(line)
            elif line == b"\n":
                yield position, b"".join(block[:2])
                block = []
            else:
                block.append(line)


def _json_key(line: bytes) -> object:
    try:
        found: object = json.loads(line)
    except ValueError:
        # No document of ours: it matches none.
        return None
    if isinstance(found, dict):
        found.pop("spans", None)
    return found


def _key(text: Text, form: Form) -> object:
    return json_members(text) if form is Form.JSONL else pubtator_head(text).encode()
