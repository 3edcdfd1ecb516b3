"""What goes over the wire: a JSON object for each request, and one for each answer.

``{"text": "…"}`` is a document, split into sentences as the corpora's are, answered by ``{"spans": […]}``;
``{"sentences": ["…", …]}`` is one that is split already, answered by ``{"sentences": [[…], …]}``. A span is
``{"start": 0, "end": 5, "label": "GENE"}``, offsets in characters of the text or of its sentence. An ``"id"``, text or
whole number, is given back. A request is its own document: no other request is context of it.
"""

from __future__ import annotations

import json

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.corpora.texts import document_of
from leanner.corpora.texts import spans_in_text
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


_WHAT: Final = 'a JSON object with either "text" (text) or "sentences" (a list of texts)'


class BadRequestError(ValueError):
    """A body is not a request; the message says what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for.

    Attributes:
        id: Given back with the answer; ``None`` if the client named none.
        document: Its sentences.
        split: Whether the client has split it into sentences.
    """

    id: str | int | None
    document: Document
    split: bool


def read_request(body: bytes) -> Request:
    """Return the request in a body.

    Raises:
        BadRequestError: It is none.
    """
    try:
        members: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"expected {_WHAT}, found no JSON: {error}") from error
    if not isinstance(members, dict):
        raise BadRequestError(f"expected {_WHAT}, found {_kind(members)}")
    name = members.get("id")
    if name is not None and (not isinstance(name, str | int) or isinstance(name, bool)):
        raise BadRequestError(f'expected an "id" that is text or a whole number, found {_kind(name)}')
    if isinstance(name, str):
        _text(name, '"id"')
    if ("text" in members) == ("sentences" in members):
        raise BadRequestError(f"expected {_WHAT}, found {'both' if 'text' in members else 'neither'}")
    if "text" in members:
        return Request(name, document_of(_text(members["text"], '"text"')), split=False)
    sentences = members["sentences"]
    if not isinstance(sentences, list):
        raise BadRequestError(f'expected a list of texts as "sentences", found {_kind(sentences)}')
    texts = [_text(text, f'"sentences"[{place}]') for place, text in enumerate(sentences)]
    return Request(name, document_in(texts), split=True)


def document_in(sentences: Iterable[str]) -> Document:
    """Return a document of these sentences, which stand for themselves: each begins at 0."""
    return Document("", "", "", frozenset(Label), tuple(Sentence(text) for text in sentences))


def write_request(sentences: Sequence[str], name: str | int | None = None) -> bytes:
    """Return the body that asks for the spans of ``sentences``, a document that is split already."""
    return _json({**({} if name is None else {"id": name}), "sentences": list(sentences)})


def write_answer(request: Request, prediction: Prediction) -> bytes:
    """Return the body of the answer."""
    found: dict[str, Any] = {} if request.id is None else {"id": request.id}
    if request.split:
        found["sentences"] = [[_span(span) for span in spans] for spans in prediction]
    else:
        found["spans"] = [_span(span) for span in spans_in_text(request.document, prediction)]
    return _json(found)


def write_error(text: str) -> bytes:
    """Return the body of an answer that gives no spans."""
    return _json({"error": text})


def read_answer(body: bytes) -> Prediction:
    """Return the spans in an answer to a document that was split already.

    Raises:
        ValueError: It is no such answer; the message holds the beginning of it.
    """
    try:
        return tuple(
            tuple(Span(span["start"], span["end"], Label(span["label"])) for span in spans)
            for spans in json.loads(body)["sentences"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected spans by sentence, found {body[:200]!r}") from error


def _span(span: Span) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label.value}


def _text(found: object, where: str) -> str:
    if not isinstance(found, str):
        raise BadRequestError(f"expected text as {where}, found {_kind(found)}")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise BadRequestError(f"expected text as {where}, found half of a surrogate pair at {error.start}") from error
    return found


def _kind(value: object) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:  # nested as deep as could just be read
        return type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
