from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from leanner.passes.calibration.text import calibration_text
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.lean import pieces
from leanner.taggers.lean.pieces import Pieces
from leanner.taggers.load import load_tagger


if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = st.lists(
    st.sampled_from(["BRCA1", "p53-mediated", "[FLERT]", "[SEP]", "tumour", "naïve", "😀", "…", "\u200b", "x" * 300])
    | st.text(min_size=1, max_size=12),
    max_size=30,
)


@pytest.fixture(scope="module")
def subtokens() -> Any:  # noqa: ANN401 - a tokenizers.Tokenizer
    tagger: Any = load_tagger("bundled")
    return tagger.model.embeddings.tokenizer.backend_tokenizer


def _at_once(subtokens: Any, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:  # noqa: ANN401
    subtokens.no_truncation()
    subtokens.no_padding()
    encodings = subtokens.encode_batch([list(words) for words in sentences], is_pretokenized=True)
    return [(e.ids, [-1 if word is None else word for word in e.word_ids]) for e in encodings]


def _rows(made: Pieces, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:
    found = made.of(sentences)
    ends = found.ends.tolist()
    assert len(found.ids) == len(found.words) == (ends[-1] if ends else 0)
    return [
        (found.ids[begin:end].tolist(), found.words[begin:end].tolist())
        for begin, end in zip([0, *ends], ends, strict=False)
    ]


@settings(max_examples=200, deadline=None)
@given(sentences=st.lists(WORDS, max_size=4))
def test_words_have_the_sub_tokens_that_they_have_in_their_sentence(
    subtokens: Any,  # noqa: ANN401
    sentences: list[list[str]],
) -> None:
    assert _rows(Pieces(subtokens), sentences) == _at_once(subtokens, sentences)


def test_a_tokenizer_may_have_no_special_tokens() -> None:
    plain = Tokenizer(WordLevel({"and": 0, "BRCA1": 1, "?": 2}, unk_token="?"))
    sentences = [["BRCA1", "and", "BRCA1"], [], ["tumour"]]
    assert _rows(Pieces(plain), sentences) == _at_once(plain, sentences)
    assert _rows(Pieces(plain), []) == []


def test_no_word_is_lost_when_others_have_the_tokenizer_cut_texts_meanwhile(subtokens: Any) -> None:  # noqa: ANN401
    class Shared:
        calls = 0

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(subtokens, name)

        def encode_batch(self, sentences: list[list[str]], **options: Any) -> Any:  # noqa: ANN401
            self.calls += 1
            if self.calls == 1:
                subtokens.enable_truncation(4)
            return subtokens.encode_batch(sentences, **options)

    sentences = [["BRCA1", "and", "p53-mediated", "tumours"]]
    shared = Shared()
    assert _rows(Pieces(shared), sentences) == _at_once(subtokens, sentences)
    assert shared.calls == 2


def test_words_are_forgotten_between_two_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Naive: a second round over the same text is faster than any new text.
    tagger = LeanRuntime()(load_tagger("bundled"))
    documents = calibration_text(1)
    learnt: list[int] = []
    plain = Pieces._learn

    def learn(self: Pieces, sentences: Sequence[Sequence[str]]) -> dict[str, list[int]]:
        before = len(self._known)
        known = plain(self, sentences)
        learnt.append(len(known) - before)
        return known

    monkeypatch.setattr(Pieces, "_learn", learn)
    first = list(tagger.tag(documents))
    again = list(tagger.tag(documents))

    assert again == first
    assert learnt[0] == learnt[1] > 0


def test_a_word_is_tokenized_once(subtokens: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    seen: list[str] = []

    class Counting:
        padding = truncation = None

        def encode(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
            return subtokens.encode(*args, **options)

        def encode_batch(self, sentences: list[list[str]], **options: Any) -> Any:  # noqa: ANN401
            seen.extend(word for words in sentences for word in words)
            return subtokens.encode_batch(sentences, **options)

    made = Pieces(Counting())
    first = _rows(made, [["BRCA1", "and", "BRCA1"], ["and"]])
    again = _rows(made, [["BRCA1", "and", "BRCA1"], ["and"]])

    assert sorted(seen) == ["BRCA1", "and"]
    assert first == again == _at_once(subtokens, [["BRCA1", "and", "BRCA1"], ["and"]])

    monkeypatch.setattr(pieces, "MOST", 1)
    assert _rows(made, [["TP53"]]) == _at_once(subtokens, [["TP53"]])
    made.of([["and"]])
    assert sorted(seen) == ["BRCA1", "TP53", "and", "and"]
