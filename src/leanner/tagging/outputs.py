"""A tagged document as PubTator or as a JSON line, whole."""

from __future__ import annotations

import json
import re

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.native import CorpusError
from leanner.tagging.text import Form
from leanner.tagging.text import Text


if TYPE_CHECKING:
    from leanner.corpora.bad import BadDocuments
    from leanner.types import Span


#: What parts lines or columns for one reader of PubTator or another: a space takes its place, so that offsets stay.
_PARTING: Final = str.maketrans(dict.fromkeys("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", " "))
_NO_ID: Final = re.compile(r"[|\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029\ud800-\udfff]")


def rendered(text: Text, spans: Iterable[Span], form: Form) -> bytes:
    """Return a tagged document in ``form``, as :func:`writable` has let it pass."""
    return json_line(text, spans) if form is Form.JSONL else pubtator_block(text, spans)


def json_line(text: Text, spans: Iterable[Span]) -> bytes:
    """Return the members of the document's own object, if it had one, and ``spans``."""
    found = [
        {"begin": span.start, "end": span.end, "label": span.label.value, "text": text.text[span.start : span.end]}
        for span in spans
    ]
    members = {**json_members(text), "spans": found}
    try:
        return (json.dumps(members, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair in another member: JSON has a way to say that, UTF-8 has none.
        return (json.dumps(members) + "\n").encode()


def json_members(text: Text) -> dict[str, object]:
    """Return what a JSON line of the document has beside its spans."""
    members: dict[str, object] = {"id": text.id, "text": text.text} if text.members is None else dict(text.members)
    members.pop("spans", None)
    return members


def pubtator_block(text: Text, spans: Iterable[Span]) -> bytes:
    """Return title, abstract and mentions, and the blank line behind them."""
    plain = text.text.translate(_PARTING)
    mentions = (
        f"{text.id}\t{span.start}\t{span.end}\t{plain[span.start : span.end]}\t{span.label.value}\n" for span in spans
    )
    return (pubtator_head(text) + "".join(mentions) + "\n").encode()


def pubtator_head(text: Text) -> str:
    """Return the lines of title and abstract; a text without a title is the title."""
    plain = text.text.translate(_PARTING)
    title, abstract = (plain, "") if text.title is None else (plain[: text.title], plain[text.title + 1 :])
    return f"{text.id}|t|{title}\n{text.id}|a|{abstract}\n"


def writable(texts: Iterable[Text], form: Form, bad: BadDocuments) -> Iterator[Text]:
    """Yield the documents that can be said in ``form``: an id of PubTator ends at a bar or a tab.

    Raises:
        CorpusError: One cannot, and ``bad`` does not skip it.
    """
    for text in texts:
        if form is Form.PUBTATOR and (not str(text.id) or _NO_ID.search(str(text.id))):
            bad.report(
                CorpusError(
                    text.path,
                    text.line,
                    expected="an id that PubTator can have: without bar, tab and line end",
                    found=repr(text.id),
                    advice="change it, or write JSON lines",
                )
            )
        else:
            yield text
