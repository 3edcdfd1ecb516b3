"""Training examples: words, prompt and, for each word, the tags that the annotation allows.

Corpora annotate different types by different rules. Each is therefore shown in two
ways: under its own prompt ("[ Tag species ]"), where an unmarked word is outside, and
under the full prompt, where an unmarked word may still be a mention of a type that this
corpus does not annotate (partial labels: Tsuboi et al. 2008, COLING, section 4).

Further types (chemicals, variants, cell lines) are learned by a second head, which is not
shipped: knowing them keeps "MTHFR 677C>T" from becoming one gene. Mentions are swapped for
others of their type and corpus (Dai and Adel 2020, COLING, section 3, mention replacement),
and variants put behind genes, so that few articles can be read often.
"""

from __future__ import annotations

import random

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

from leanner.corpora.segmentation import sentence_offsets
from leanner.types import Label
from leanner.words import word_offsets


TAGS = ("O", *(f"{prefix}-{label}" for label in Label for prefix in "SBEI"))
PLURAL = {Label.DISEASE: "diseases", Label.GENE: "genes", Label.SPECIES: "species"}
ALL_TYPES = frozenset(Label)
OUTSIDE = 1 << TAGS.index("O")
FURTHER = {"Chemical": "CHEMICAL", "Variant": "VARIANT", "CellLine": "CELL_LINE"}
FURTHER_TAGS = ("O", *(f"{prefix}-{label}" for label in FURTHER.values() for prefix in "SBEI"))
ANY_FURTHER = (1 << len(FURTHER_TAGS)) - 1


@dataclass(frozen=True)
class Source:
    """One training corpus: its files, the labels it annotates and how often it is read."""

    name: str
    file: str
    labels: frozenset[Label]
    repeats: int = 1
    #: Share of readings under the full prompt, with partial labels.
    full_prompt: float = 0.5
    #: Share of the sentences without a mention that is kept.
    empty: float = 1.0
    #: Native types of the second head that are annotated; the others are unknown.
    further: frozenset[str] = frozenset()
    #: Share of the mentions that is swapped for another.
    swapped: float = 0.15


CHEMICAL = frozenset({"Chemical"})
GENES, DISEASES, ORGANISMS = frozenset({Label.GENE}), frozenset({Label.DISEASE}), frozenset({Label.SPECIES})
SOURCES = (
    Source(
        "BioRED", "BioRED_TrainDev.PubTator", ALL_TYPES, 3, full_prompt=1.0, further=frozenset(FURTHER), swapped=0.3
    ),
    Source("NLM-Gene", "NLMgene_Train.PubTator", GENES),
    Source("NLM-Gene", "NLMgene_Test.PubTator", GENES),
    Source("GNormPlus", "GNormPlus_Train.PubTator", GENES),
    Source("GNormPlus", "GNormPlus_Test.PubTator", GENES),
    Source("NCBI-disease", "NCBIdisease_TrainDev.PubTator", DISEASES),
    Source("NCBI-disease", "NCBIdisease_Test.PubTator", DISEASES),
    Source("BC5CDR", "BC5CDR_TrainDev.PubTator", DISEASES, further=CHEMICAL),
    Source("BC5CDR", "BC5CDR_Test.PubTator", DISEASES, further=CHEMICAL),
    Source("Linnaeus", "Linnaeus_Train.PubTator", ORGANISMS, empty=0.1),
    Source("S800", "SPECIES_Train.PubTator", ORGANISMS, full_prompt=0.25, empty=0.3),
)

TYPES = {
    "Gene": Label.GENE,
    "GeneOrGeneProduct": Label.GENE,
    "Species": Label.SPECIES,
    "Disease": Label.DISEASE,
    "SpecificDisease": Label.DISEASE,
    "Modifier": Label.DISEASE,
    "DiseaseClass": Label.DISEASE,
    "CompositeMention": Label.DISEASE,
}
#: Types that the corpora disagree on: a gene under the own prompt, gene or nothing under the full one.
VAGUE = {"FamilyName": Label.GENE}


@dataclass(frozen=True)
class Example:
    """A sentence: prompt and words, and for each word a bit mask over ``TAGS``."""

    prompt: str
    words: tuple[str, ...]
    allowed: tuple[int, ...]
    #: The same over ``FURTHER_TAGS``.
    further: tuple[int, ...]
    #: Words around it, prompts of its neighbours among them.
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    """A stretch of words, a mention or what lies between two."""

    words: tuple[str, ...]
    native: str | None


def prompt(labels: frozenset[Label]) -> str:
    """Return HunFlair2's task prompt for ``labels``, "[ Tag diseases, genes and species ]"."""
    names = sorted(PLURAL[label] for label in labels)
    return f"[ Tag {', '.join(names[:-1])} and {names[-1]} ]" if len(names) > 1 else f"[ Tag {names[0]} ]"


def documents(path: Path) -> Iterator[tuple[str, str, str, list[tuple[int, int, str]]]]:
    """Yield ``(pmid, title, abstract, mentions)`` of a PubTator file; a line that is no mention is passed over."""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.split("\n") if line]
        if len(lines) < 2:
            continue
        pmid, _, title = lines[0].split("|", 2)
        abstract = lines[1].split("|", 2)[2]
        text = f"{title} {abstract}"
        mentions = []
        for line in lines[2:]:
            fields = line.split("\t")
            if len(fields) >= 5 and fields[1].isdigit() and text[int(fields[1]) : int(fields[2])] == fields[3]:
                mentions.append((int(fields[1]), int(fields[2]), fields[4]))
        yield pmid, title, abstract, mentions


def examples(
    folder: Path, left_out: frozenset[str], source: Source, rng: random.Random, context: int = 0
) -> Iterator[Example]:
    """Yield one reading of ``source`` without the articles ``left_out``, with ``context`` words to each side."""
    articles = list(_articles(folder / source.file, left_out))
    pool: dict[str, list[tuple[str, ...]]] = {}
    for article in articles:
        for piece in (piece for pieces in article for piece in pieces):
            if piece.native is not None:
                pool.setdefault(piece.native, []).append(piece.words)
    for article in articles:
        for number, pieces in enumerate(article):
            known = any(piece.native in TYPES or piece.native in VAGUE for piece in pieces)
            if not known and rng.random() > source.empty:
                continue
            full = rng.random() < source.full_prompt
            example = _example(_augmented(pieces, pool, source, rng), source, full=full)
            yield _in_context(example, article, number, context) if context else example


def _in_context(example: Example, article: list[list[_Piece]], number: int, context: int) -> Example:
    """Return it with its neighbours as Flair shows them: each has the prompt before it, too."""
    before, behind = (
        [word for pieces in some for word in (*example.prompt.split(), *(w for piece in pieces for w in piece.words))]
        for some in (article[:number], article[number + 1 :])
    )
    return replace(example, left=tuple(before[-context:]), right=tuple(behind[:context]))


def _articles(path: Path, left_out: frozenset[str]) -> Iterator[list[list[_Piece]]]:
    known = {*TYPES, *VAGUE, *FURTHER}
    for pmid, title, abstract, mentions in documents(path):
        if pmid in left_out:
            continue
        text = f"{title} {abstract}"
        kept = _without_overlap([m for m in mentions if m[2] in known])
        passages = [(0, len(title)), (len(title) + 1, len(text))]
        yield [
            _pieces(text[start:end], [(s - start, e - start, t) for s, e, t in kept if start <= s and e <= end])
            for start, end in sentence_offsets(text, passages, [m[:2] for m in kept])
        ]


def _pieces(text: str, mentions: list[tuple[int, int, str]]) -> list[_Piece]:
    words = word_offsets(text)
    native: list[int] = [-1] * len(words)
    for number, (start, end, _) in enumerate(mentions):
        for index, (s, e) in enumerate(words):
            if s < end and start < e and native[index] < 0:
                native[index] = number
    pieces: list[_Piece] = []
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or native[index] != native[first]:
            label = mentions[native[first]][2] if native[first] >= 0 else None
            pieces.append(_Piece(tuple(text[s:e] for s, e in words[first:index]), label))
            first = index
    return pieces


def _augmented(
    pieces: list[_Piece], pool: dict[str, list[tuple[str, ...]]], source: Source, rng: random.Random
) -> list[_Piece]:
    variants = pool.get("Variant", [])
    result: list[_Piece] = []
    for piece in pieces:
        swap = piece.native is not None and rng.random() < source.swapped
        result.append(_Piece(rng.choice(pool[piece.native or ""]), piece.native) if swap else piece)
        if piece.native == "Gene" and variants and rng.random() < 0.08:
            result.append(_Piece(rng.choice(variants), "Variant"))
    return result


def _example(pieces: list[_Piece], source: Source, *, full: bool) -> Example:
    labels = ALL_TYPES if full else source.labels
    unmarked = OUTSIDE
    for label in labels - source.labels:
        unmarked |= _tags_of(label)
    unknown = OUTSIDE
    for native, name in FURTHER.items():
        if native not in source.further:
            unknown |= sum(1 << i for i, tag in enumerate(FURTHER_TAGS) if tag.endswith(f"-{name}"))
    words: list[str] = []
    allowed: list[int] = []
    further: list[int] = []
    for piece in pieces:
        length = len(piece.words)
        words.extend(piece.words)
        prefixes = "S" if length == 1 else "B" + "I" * (length - 2) + "E"
        if piece.native in FURTHER and piece.native in source.further:
            further.extend(1 << FURTHER_TAGS.index(f"{prefix}-{FURTHER[piece.native]}") for prefix in prefixes)
        else:
            further.extend([unknown] * length)
        if piece.native in VAGUE and full:
            allowed.extend([unmarked | _tags_of(VAGUE[piece.native])] * length)
        elif piece.native in TYPES or piece.native in VAGUE:
            label = TYPES.get(piece.native) or VAGUE[piece.native]
            if label in source.labels:
                allowed.extend(1 << TAGS.index(f"{prefix}-{label}") for prefix in prefixes)
            else:
                allowed.extend([unmarked] * length)
        else:
            allowed.extend([unmarked] * length)
    return Example(prompt(labels), tuple(words), tuple(allowed), tuple(further))


def _tags_of(label: Label) -> int:
    return sum(1 << index for index, tag in enumerate(TAGS) if tag.endswith(f"-{label}"))


def _without_overlap(mentions: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    kept: list[tuple[int, int, str]] = []
    for mention in sorted(mentions, key=lambda m: (m[0] - m[1], m[0])):
        if all(mention[1] <= other[0] or other[1] <= mention[0] for other in kept):
            kept.append(mention)
    return sorted(kept)
