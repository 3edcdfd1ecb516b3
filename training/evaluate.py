"""Score the bundled tagger on held-out text: ``python training/evaluate.py CORPORA [--folder DELTA] [--json]``.

Exact character spans, each distinct span of a document once, on the labels that the file
annotates. The tagger is the shipped one, run by Flair with the full prompt.
"""

from __future__ import annotations

import argparse
import json

from collections.abc import Iterator
from pathlib import Path

from examples import TYPES
from examples import documents
from leanner.corpora.native import Mention
from leanner.corpora.native import NativeDocument
from leanner.corpora.resolve import resolve
from leanner.scoring.counts import ArticleCounts
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.taggers.bundled import load_bundled
from leanner.types import Document
from leanner.types import Label


GENE, SPECIES, DISEASE = Label
HELD_OUT = {
    "BioRED_Test": ("training/BioRED_Test.PubTator", frozenset(Label)),
    "tmVar 3.0": ("tmvar3/tmVar3Corpus.txt", frozenset(Label)),
    "NLM-Gene test": ("training/NLMgene_Test.PubTator", frozenset({GENE})),
    "GNormPlus test": ("training/GNormPlus_Test.PubTator", frozenset({GENE})),
    "NCBI-disease test": ("training/NCBIdisease_Test.PubTator", frozenset({DISEASE})),
    "BC5CDR test": ("training/BC5CDR_Test.PubTator", frozenset({DISEASE})),
    "Linnaeus test": ("training/Linnaeus_Test.PubTator", frozenset({SPECIES})),
    "S800 test": ("training/SPECIES_Test.PubTator", frozenset({SPECIES})),
}


def read(path: Path, labels: frozenset[Label]) -> Iterator[Document]:
    """Yield the documents of a PubTator file with the mentions of ``labels``."""
    for pmid, title, abstract, mentions in documents(path):
        text = f"{title} {abstract}"
        native = NativeDocument(
            id=pmid,
            article=pmid,
            text=text,
            passages=((0, len(title)), (len(title) + 1, len(text))),
            mentions=tuple(Mention(s, e, TYPES[t]) for s, e, t in mentions if t in TYPES and TYPES[t] in labels),
            labels=labels,
            unmapped=(),
            path=path,
            line=1,
        )
        document, _ = resolve(native, path.stem)
        yield document


def score(corpora: Path, folder: Path | None, names: list[str]) -> dict[str, dict[str, object]]:
    """Return F1, precision and recall on each of ``names``."""
    tagger = load_bundled(folder=folder)
    results = {}
    for name in names:
        file, labels = HELD_OUT[name]
        gold = list(read(corpora / file, labels))
        counts: ArticleCounts = count_matches(gold, tagger.tag(gold))
        scores = f1_scores(counts).to_dict()
        results[name] = {
            "documents": len(gold),
            **{key: scores[key] for key in ("micro", "precision", "recall", *map(str, Label))},
        }
    return results


def main() -> None:
    """Parse the command line and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--folder", type=Path, help="delta.safetensors and tagger.json; default: the bundled ones")
    parser.add_argument("--only", nargs="*", default=list(HELD_OUT), choices=list(HELD_OUT), metavar="NAME")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = score(arguments.corpora, arguments.folder, arguments.only)
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    columns = ["documents", "micro", "precision", "recall", *map(str, Label)]
    print("| corpus | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
    for name, row in results.items():
        cells = (
            "–" if row[column] is None else f"{row[column]:.4f}" if isinstance(row[column], float) else str(row[column])
            for column in columns
        )
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
