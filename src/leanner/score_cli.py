"""``leanner score GOLD PREDICTED``: compare two PubTator files."""

from __future__ import annotations

import argparse
import json
import sys

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from rich.console import Console
from rich.table import Table

from leanner.scoring.mentions import PubTatorError
from leanner.scoring.mentions import read_mentions
from leanner.scoring.pubtator_score import MATCHES
from leanner.scoring.pubtator_score import remarks
from leanner.scoring.pubtator_score import report
from leanner.scoring.pubtator_score import score_documents


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


def add_parser(subparsers: Subparsers) -> None:
    """Add ``score`` to the sub-commands."""
    parser = subparsers.add_parser(
        "score",
        help="compare predicted with gold mentions",
        description="Compare the mentions of two PubTator files: character offsets in a document and label, "
        "each distinct mention counted once.",
    )
    parser.add_argument("gold", type=Path, metavar="GOLD", help="PubTator file with the right mentions")
    parser.add_argument("predicted", type=Path, metavar="PREDICTED", help="PubTator file with a tagger's mentions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--match",
        choices=MATCHES,
        default="strict",
        help="strict: equal borders (default); relaxed: each border may differ by one character",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score the files and print; return 2 if one cannot be read."""
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        gold, predicted = read_mentions(args.gold), read_mentions(args.predicted)
    except PubTatorError as error:
        errors.print(f"leanner score: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner score: {error.filename}: cannot be read: {error.strerror}")
        return 2
    if not gold.spans:
        errors.print(f"leanner score: {args.gold}:1: expected PubTator documents, found none")
        return 2
    for remark in remarks(gold, predicted):
        errors.print(f"leanner score: {remark}")
    result = report(score_documents(gold.spans, predicted.spans, args.match), args.match)
    if args.json:
        json.dump(result, sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    else:
        Console(highlight=False).print(_table(result[args.match], args.match))
    return 0


def _table(rows: dict[str, dict[str, Any]], match: str) -> Table:
    unknown = any(value is None for row in rows.values() for value in row.values())
    table = Table(title=f"{match} match", caption="-: nothing to divide by" if unknown else None, title_justify="left")
    table.add_column("")
    for name in ("tp", "fp", "fn", "P", "R", "F1"):
        table.add_column(name, justify="right")
    for name, row in rows.items():
        counts = (f"{row[key]:,}" for key in ("tp", "fp", "fn"))
        ratios = ("-" if row[key] is None else f"{row[key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row(name, *counts, *ratios, end_section=name == "DISEASE")
    return table
