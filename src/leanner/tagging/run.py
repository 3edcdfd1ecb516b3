"""Texts through an exported tagger, each document written as soon as it is tagged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import IO
from typing import TYPE_CHECKING

from leanner.corpora.native import CorpusError
from leanner.corpora.texts import document_of
from leanner.tagging.outputs import rendered


if TYPE_CHECKING:
    from leanner.export.lean import Lean
    from leanner.tagging.text import Form
    from leanner.tagging.text import Text
    from leanner.types import Document


def tag_texts(
    lean: Lean, texts: Iterable[Text], out: IO[bytes], form: Form, done: Callable[[Text], object] = lambda _: None
) -> None:
    """Write the documents of ``texts`` with their spans, in order.

    What was read before an error is tagged and written first.

    Args:
        lean: The tagger.
        texts: Read as they are needed.
        out: Each document is flushed to it.
        form: PubTator or JSON lines.
        done: Called with each text that was written.

    Raises:
        CorpusError: As reading ``texts`` does.
        OSError: A file cannot be read, or ``out`` not be written.
    """
    ahead: deque[Text] = deque()
    errors: list[CorpusError | OSError] = []

    def documents() -> Iterator[Document]:
        try:
            for text in texts:
                ahead.append(text)
                yield document_of(text.text, text.passages)
        except (CorpusError, OSError) as error:
            errors.append(error)

    for _, spans in lean.tag_documents(documents()):
        text = ahead.popleft()
        out.write(rendered(text, spans, form))
        out.flush()
        done(text)
    for error in errors:
        raise error
