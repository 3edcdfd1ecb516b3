from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leanner.report.html.spans import Piece
from leanner.report.html.spans import pieces
from leanner.scoring.diff import diff
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from scoring.scored_documents import TEXT
from scoring.scored_documents import span_lists


def changes(text: str, before: list[Span], after: list[Span]) -> list[Piece]:
    document = Document("1", "A", "x", frozenset(Label), (Sentence(text),))
    found = diff([document], [(before,)], [(after,)]).changes
    return pieces(found) if found else []


def test_what_is_gained_what_is_lost_and_what_is_both() -> None:
    found = changes("no BRCA1 gene here", [Span(3, 8, Label.GENE)], [Span(3, 13, Label.GENE)])

    assert [(piece.text, piece.kind) for piece in found] == [
        ("no ", ""),
        ("BRCA1", "both"),
        (" gene", "gained"),
        (" here", ""),
    ]


@given(st.data())
def test_the_pieces_are_the_sentence_and_marked_where_a_change_is(data: st.DataObject) -> None:
    text = data.draw(TEXT)
    before, after = data.draw(span_lists(text)), data.draw(span_lists(text))
    found = changes(text, before, after)
    kinds = [piece.kind for piece in found for _ in piece.text]

    lost, gained = set(before) - set(after), set(after) - set(before)
    if lost or gained:
        assert "".join(piece.text for piece in found) == text
        for place, kind in enumerate(kinds):
            over = [any(span.start <= place < span.end for span in spans) for spans in (lost, gained)]
            assert kind == {(False, False): "", (True, False): "lost", (False, True): "gained"}.get(
                (over[0], over[1]), "both"
            )
