"""Whether the lean runtime has Flair's spans: ``pytest benchmarks -m equality -rP --leanner-corpora DIR``.

Sentence by sentence, in float32. A difference is only excused where the scores are tied: two
ways of adding the same numbers then decide it.
"""

from __future__ import annotations

import itertools
import math

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from leanner.measure.session import Session
    from leanner.measure.subject import Subject
    from leanner.taggers.flair import FlairTagger
    from leanner.taggers.lean.tagger import LeanTagger
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document
    from leanner.types import Span


pytestmark = pytest.mark.equality

#: Scores that differ by less are tied: float32 has 24 bits, and scores are of the order of 10.
TIE: Final = 1e-4

#: More ties than these are no coincidence.
MOST_TIED: Final = 0.001

#: Share of sentences that float16 is to leave as they are.
LEAST_SAME: Final = 0.999

#: The tagger of HunFlair2's shape sees this much of the text.
SHAPED_SENTENCES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Compared:
    """Sentences that both tagged.

    Attributes:
        sentences: All of them.
        spans: Of Flair.
        tied: Sentences with other spans, in which a word of such a span has two scores within ``TIE`` of each other.
        different: Other sentences with other spans, as document and number.
    """

    sentences: int
    spans: int
    tied: int
    different: tuple[str, ...]


def compare(reference: FlairTagger, lean: LeanTagger, documents: Sequence[Document]) -> Compared:
    """Tag ``documents`` with both."""
    sentences = spans = tied = 0
    different: list[str] = []
    for document, expected, found in zip(documents, reference.tag(documents), lean.tag(documents), strict=True):
        sentences += len(expected)
        spans += sum(map(len, expected))
        others = [n for n, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b]
        differ = [set(a) ^ set(b) for a, b in zip(expected, found, strict=True)]
        close = margins(lean, document, differ) if others else []
        for number in others:
            if close[number] < TIE:
                tied += 1
            else:
                different.append(f"{document.corpus} {document.id}, sentence {number + 1}")
    return Compared(sentences, spans, tied, tuple(different))


def margins(lean: LeanTagger, document: Document, differ: Sequence[set[Span]]) -> list[float]:
    """Return for each sentence by how much the best tag of a word beats the second, at least.

    Args:
        lean: Has the scores.
        document: With the sentences.
        differ: Of each sentence the spans whose words are looked at.
    """
    scores: list[Any] = []
    head: Any = lean.parts.head
    handle = head.register_forward_hook(lambda module, given, result: scores.append(result))  # noqa: ARG005 - torch's
    try:
        list(lean.tag([document]))
    finally:
        handle.remove()
    (of_words,) = scores
    best = of_words.topk(2, -1).values
    words = (best[:, 0] - best[:, 1]).tolist()
    chunk = lean.encode([document])
    begin, ends, found = 0, iter(chunk.ends.tolist()), []
    prompt = len(lean.reading.prompt)
    for offsets, spans in zip(chunk.offsets[0], differ, strict=True):
        if offsets is None:
            found.append(math.inf)
            continue
        end = next(ends)
        own = zip(offsets, words[begin + prompt : end], strict=True)
        inside = (
            margin for (first, last), margin in own if any(first < span.end and span.start < last for span in spans)
        )
        found.append(min(inside, default=math.inf))
        begin = end
    return found


def some(documents: Sequence[Document], sentences: int) -> Iterator[Document]:
    """Yield documents from all over ``documents`` until there are so many sentences."""
    step = max(1, sum(len(document.sentences) for document in documents) // sentences)
    # Documents differ in length: what every so many-th of them lack, the ones behind those have.
    chosen = [document for offset in range(step) for document in documents[offset::step]]
    counts = itertools.accumulate(len(document.sentences) for document in chosen)
    for document, count in zip(chosen, counts, strict=True):
        yield document
        if count >= sentences:
            return


def both(tagger: Tagger) -> tuple[FlairTagger, LeanTagger]:
    """Return the two taggers over the same modules."""
    from leanner.taggers.flair import FlairTagger  # noqa: PLC0415 - cases are collected without Flair
    from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415 - cases are collected without Flair

    assert isinstance(tagger, FlairTagger)
    return tagger, LeanTagger(tagger)


def check(name: str, compared: Compared) -> None:
    """Print and judge what was compared."""
    print(  # noqa: T201 - shown with -rP
        f"{name}: {compared.sentences} sentences, {compared.spans} spans of Flair, {len(compared.different)} sentences "
        f"with other spans, {compared.tied} more where scores are tied"
    )
    assert compared.spans > 0
    assert not compared.different
    assert compared.tied <= MOST_TIED * compared.sentences


def test_the_tagger(tagger: Tagger, merged_corpus: Subject) -> None:
    """On all of the corpus, the tagger of ``--leanner-tagger``."""
    check(tagger.name, compare(*both(tagger), merged_corpus.documents))


@pytest.mark.gpu
def test_float16_on_a_gpu(leanner_session: Session, merged_corpus: Subject) -> None:
    """The lean runtime in half precision, against Flair in float32 on the same device."""
    import torch  # noqa: PLC0415 - cases are collected without torch

    from leanner.passes.precision import Precision  # noqa: PLC0415 - the same
    from leanner.taggers.lean.tagger import LeanTagger  # noqa: PLC0415 - the same

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    half: Any = Precision("float16")(leanner_session.tagger("cuda"))
    sentences, same = same_sentences(leanner_session.tagger("cuda"), LeanTagger(half), merged_corpus.documents)
    print(f"float16: {same} of {sentences} sentences have the spans of float32")  # noqa: T201 - shown with -rP
    assert same >= LEAST_SAME * sentences


def same_sentences(one: Tagger, other: Tagger, documents: Sequence[Document]) -> tuple[int, int]:
    """Return how many sentences there are, and how many have the same spans from both."""
    pairs = zip(one.tag(documents), other.tag(documents), strict=True)
    same = [a == b for both_say in pairs for a, b in zip(*both_say, strict=True)]
    return len(same), sum(same)


def test_the_shape_of_hunflair2(shaped_file: Path, merged_corpus: Subject) -> None:
    """Context, separators and prompt, on 2,000 sentences, with a tiny encoder."""
    from leanner.taggers.load import load_tagger  # noqa: PLC0415 - cases are collected without Flair

    documents = tuple(some(merged_corpus.documents, SHAPED_SENTENCES))
    check("HunFlair2's shape, tiny", compare(*both(load_tagger(str(shaped_file))), documents))
