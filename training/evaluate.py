"""Score the bundled tagger on text that it was not trained on: ``python training/evaluate.py CORPORA``.

First BioRED's test part and tmVar 3.0 as ``leanner score`` does it: exact character spans of
the files as they are. Then every corpus as the cases score it: merged, overlaps resolved, on
the labels that it annotates. The tagger is run by Flair in fp32.
"""

from __future__ import annotations

import argparse

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from examples import documents
from leanner.corpora.load import load_corpus
from leanner.corpora.segmentation import sentence_offsets
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.scoring.mentions import read_mentions
from leanner.scoring.pubtator_score import report
from leanner.scoring.pubtator_score import score_documents
from leanner.taggers.bundled import load_bundled
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


if TYPE_CHECKING:
    from leanner.taggers.flair import FlairTagger


FILES = {"BioRED, test part": "training/BioRED_Test.PubTator", "tmVar 3.0": "tmvar3/tmVar3Corpus.txt"}
COLUMNS = ("micro", "precision", "recall", "GENE", "SPECIES", "DISEASE")


def texts(path: Path) -> Iterator[Document]:
    """Yield the documents of a PubTator file without their mentions: what a user's text looks like."""
    for pmid, title, abstract, _ in documents(path):
        text = f"{title} {abstract}"
        passages = [(0, len(title)), (len(title) + 1, len(text))]
        sentences = tuple(Sentence(text[start:end], start) for start, end in sentence_offsets(text, passages))
        yield Document(pmid, path.stem, pmid, frozenset(Label), sentences)


def predicted_spans(tagger: FlairTagger, path: Path) -> dict[str, set[Span]]:
    """Return the spans of each document, offsets in the document."""
    read = list(texts(path))
    return {
        document.id: {
            Span(sentence.start + span.start, sentence.start + span.end, span.label)
            for sentence, spans in zip(document.sentences, prediction, strict=True)
            for span in spans
        }
        for document, prediction in zip(read, tagger.tag(read), strict=True)
    }


def on_files(tagger: FlairTagger, corpora: Path) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yield the scores on the PubTator files as they are."""
    for name, file in FILES.items():
        gold = read_mentions(corpora / file).spans
        scores: dict[str, Any] = report(score_documents(gold, predicted_spans(tagger, corpora / file)))["strict"]
        micro = scores.pop("micro")
        by_label = {label: row["f1"] for label, row in scores.items()}
        yield name, {"micro": micro["f1"], "precision": micro["precision"], "recall": micro["recall"], **by_label}


def on_merged(tagger: FlairTagger, location: str) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yield the scores on each corpus of a merged one, and on all of it."""
    merged = load_corpus([location])
    scores = f1_scores(count_matches(merged, tagger.tag(merged))).to_dict()
    yield from scores["by_corpus"].items()
    yield "all", scores


def main() -> None:
    """Parse the command line and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--tagger", type=Path, help="a folder that pack.py wrote; what is shipped by default")
    parser.add_argument("--files-only", action="store_true", help="leave the merged corpora out: they take minutes")
    arguments = parser.parse_args()
    tagger = load_bundled(folder=arguments.tagger, mini_batch_size=16)
    print_table(on_files(tagger, arguments.corpora))
    if not arguments.files_only:
        print_table(on_merged(tagger, str(arguments.corpora)))
    print_table(on_merged(tagger, "bundled"))


def print_table(rows: Iterator[tuple[str, dict[str, float | None]]]) -> None:
    """Print the rows as they come."""
    print("\n| corpus | " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * len(COLUMNS))
    for name, row in rows:
        cells = ("–" if (value := row[column]) is None else f"{value:.4f}" for column in COLUMNS)
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
