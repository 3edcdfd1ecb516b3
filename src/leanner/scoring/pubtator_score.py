"""Compare the mentions of two PubTator files, strictly or within one character."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Literal
from typing import get_args

from leanner.scoring.counts import LABELS
from leanner.scoring.matches import Matches


if TYPE_CHECKING:
    from leanner.scoring.mentions import PubTatorMentions
    from leanner.types import Label
    from leanner.types import Span


#: Which spans are the same: "strict", equal offsets; "relaxed", each border within one character.
Match = Literal["strict", "relaxed"]

MATCHES: Final[tuple[Match, ...]] = get_args(Match)


def score_documents(
    gold: Mapping[str, AbstractSet[Span]], predicted: Mapping[str, AbstractSet[Span]], match: Match = "strict"
) -> dict[Label, Matches]:
    """Count matches by label over all documents of both.

    A document that one side lacks has no spans there: all of the other's are missed, or
    false.

    "strict": start, end and label are equal.

    "relaxed": the labels are equal, the starts differ by at most one character and so do
    the ends; a span is matched once, and as many as possible are. This is the rule of
    HunFlair2's published NER results (Sänger et al. 2024, Bioinformatics 40(10), btae564;
    ``match_standard(1)`` in ``compute_ner_results.py`` of hu-ner/hunflair2-experiments),
    which pairs in the order of the files instead. That gives the same unless several
    mentions of a label begin and end within two characters of each other; the largest
    pairing depends on no order and never falls below "strict". Its scores of NER and
    linking together (``evaluate.py``) let only one of the borders differ.
    """
    totals = dict.fromkeys(LABELS, Matches())
    for document in gold.keys() | predicted.keys():
        truth, guess = gold.get(document, frozenset()), predicted.get(document, frozenset())
        for label in LABELS:
            wanted = {span for span in truth if span.label is label}
            found = {span for span in guess if span.label is label}
            hits = len(wanted & found) if match == "strict" else _pairs(wanted, found)
            totals[label] += Matches(hits, len(found) - hits, len(wanted) - hits)
    return totals


def report(totals: Mapping[Label, Matches], match: Match = "strict") -> dict[str, Any]:
    """Return the counts and ratios as JSON has them; a ratio over nothing is ``None``."""
    rows = {label.value: totals[label] for label in LABELS}
    rows["micro"] = sum(rows.values(), Matches())
    return {
        match: {
            name: {
                "tp": row.tp,
                "fp": row.fp,
                "fn": row.fn,
                "precision": row.precision,
                "recall": row.recall,
                "f1": row.f1,
            }
            for name, row in rows.items()
        }
    }


def remarks(gold: PubTatorMentions, predicted: PubTatorMentions) -> list[str]:
    """Say what a reader of the scores must know about the two files."""
    said: list[str] = []
    for one, other in ((gold, predicted), (predicted, gold)):
        alone = sorted(one.spans.keys() - other.spans.keys())
        if alone:
            counted = "missed" if one is gold else "false"
            said.append(f"{_some(alone, 'document')} only in {one.path}: all mentions there count as {counted}")
    both = gold.texts.keys() & predicted.texts.keys()
    differing = sorted(document for document in both if gold.texts[document] != predicted.texts[document])
    if differing:
        said.append(f"{_some(differing, 'document')} with different texts: the offsets may not mean the same")
    for file in (gold, predicted):
        if file.ignored:
            types = ", ".join(f"{kind} ({number})" for kind, number in sorted(file.ignored.items()))
            said.append(f"{file.path}: types not scored: {types}")
        if file.relations:
            said.append(f"{file.path}: {file.relations} relation lines passed over")
        if file.misplaced:
            said.append(
                f"{file.path}:{file.misplaced[0]}: the text at the offsets is not the mention "
                f"({len(file.misplaced)} such lines); offsets are scored as they stand"
            )
    return said


def _pairs(gold: Iterable[Span], predicted: Iterable[Span]) -> int:
    """Return the size of the largest one-to-one pairing within one character (Kuhn 1955, augmenting paths)."""
    partner: dict[Span, Span] = {}
    wanted = {(span.start, span.end): span for span in gold}

    def pair(span: Span, seen: set[Span]) -> bool:
        for start in (span.start, span.start - 1, span.start + 1):
            for end in (span.end, span.end - 1, span.end + 1):
                candidate = wanted.get((start, end))
                if candidate is None or candidate in seen:
                    continue
                seen.add(candidate)
                if candidate not in partner or pair(partner[candidate], seen):
                    partner[candidate] = span
                    return True
        return False

    return sum(pair(span, set()) for span in sorted(predicted))


def _some(names: list[str], noun: str) -> str:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({shown})"
