"""``leanner corpora fetch`` and ``leanner corpora stats``."""

from __future__ import annotations

import argparse
import json
import sys

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leanner.corpora.bad import POLICIES
from leanner.corpora.download import SOURCES
from leanner.corpora.download import fetch
from leanner.corpora.load import load_corpus
from leanner.corpora.native import CorpusError
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.corpora.merge import MergedCorpus
    from leanner.corpora.tally import CorpusStatistics


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add ``corpora`` to the sub-commands of ``leanner``; its ``run`` default is `run`."""
    corpora = subparsers.add_parser("corpora", help="fetch corpora, and say what they hold")
    commands = corpora.add_subparsers(dest="corpora_command", required=True, metavar="COMMAND")

    fetching = commands.add_parser(
        "fetch",
        help="download official releases",
        description="Download official releases, verify and unpack them. "
        "What was fetched before is verified and not downloaded again.",
    )
    fetching.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(sorted(SOURCES))}; default: all")
    fetching.add_argument("--to", type=Path, metavar="DIR", help="folder for the corpora; default: the user's cache")
    fetching.set_defaults(run=run)

    stats = commands.add_parser(
        "stats",
        help="print what corpora hold",
        description="Print documents, sentences, tokens, mentions by label, and what was dropped or joined.",
    )
    stats.add_argument(
        "locations",
        nargs="*",
        metavar="LOCATION",
        help="'bundled', a folder of native files, or name=PATH; default: LEANNER_CORPORA, else 'bundled'",
    )
    stats.add_argument("--sentences", type=int, metavar="N", help="draw whole articles until N sentences are there")
    stats.add_argument("--seed", type=int, default=0, help="seed of the draw (default: %(default)s)")
    stats.add_argument("--on-bad-document", choices=POLICIES, default="error", help="default: %(default)s")
    stats.add_argument("--json", action="store_true", help="print JSON")
    stats.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run ``leanner corpora …`` and return its exit status: 0, or 2 with a message for each error on stderr."""
    if args.corpora_command == "fetch":
        return _fetch(args)
    try:
        _stats(args)
    except (CorpusError, ValueError, OSError) as error:
        _complain("stats", error)
        return 2
    return 0


def _complain(command: str, error: Exception) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[red]leanner corpora {command}:[/red] {escape(str(error))}")


def _fetch(args: argparse.Namespace) -> int:
    """Fetch one after the other: a server that is down does not keep the others' corpora away."""
    console = Console(soft_wrap=True)
    status = 0
    parent = None
    for name in args.names or SOURCES:
        try:
            (folder,) = fetch([name], args.to)
        except (CorpusError, ValueError, OSError) as error:
            _complain("fetch", error)
            status = 2
        else:
            console.print(f"[green]✓[/green] {escape(name)}: {escape(str(folder))}")
            parent = folder.parent.resolve()
    if parent is not None:
        console.print(f"Use them with LEANNER_CORPORA={escape(str(parent))}")
    return status


def _stats(args: argparse.Namespace) -> None:
    corpus = load_corpus(args.locations, sentences=args.sentences, seed=args.seed, on_bad_document=args.on_bad_document)
    # a pipe has no width, and numbers must not be cut
    console = Console(width=None if sys.stdout.isatty() else 200)
    if args.json:
        # not through rich: it would wrap and colour
        console.file.write(json.dumps(as_json(corpus), indent=2) + "\n")
        return
    with Console(stderr=True).status(f"reading {escape(corpus.name)}"):
        statistics = corpus.statistics()
    console.print(table([*statistics.corpora.items(), ("total", statistics.total)]))
    for name, each in statistics.corpora.items():
        if each.unmapped:
            types = ", ".join(f"{kind} {number:,}" for kind, number in _most(each.unmapped.items()))
            console.print(f"{escape(name)}, of other types: {escape(types)}", soft_wrap=True)
    console.print(f"sha256 {corpus.sha256()}", soft_wrap=True)
    for error in statistics.errors:
        console.print(f"[yellow]skipped[/yellow] {escape(str(error))}", soft_wrap=True)


def as_json(corpus: MergedCorpus) -> dict[str, object]:
    """Return the statistics of ``corpus`` as JSON types."""
    statistics = corpus.statistics()
    return {
        "name": corpus.name,
        "sha256": corpus.sha256(),
        "corpora": {name: each.as_json() for name, each in statistics.corpora.items()},
        "total": statistics.total.as_json(),
        "bad_documents": [str(error) for error in statistics.errors],
    }


def table(rows: Iterable[tuple[str, CorpusStatistics]]) -> Table:
    """Return one column for each corpus, the last one apart; ``-`` where a label is not annotated."""
    rows = list(rows)
    result = Table(
        caption="-: a label that the corpus does not annotate, unknown and not absent",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    result.add_column("", no_wrap=True)
    for name, _ in rows:
        result.add_column(escape(name), justify="right", no_wrap=True)
    corpora = [each for _, each in rows]
    for title, attribute in (*((name, name) for name in ("documents", "articles", "sentences")), ("tokens", "words")):
        result.add_row(title, *(f"{getattr(each, attribute):,}" for each in corpora))
    result.add_section()
    for label in Label:
        result.add_row(label, *(_count(each.mentions.get(label)) for each in corpora))
    result.add_section()
    for label in Label:
        result.add_row(f"{label}, as annotated", *(_count(each.annotated(label)) for each in corpora))
    result.add_section()
    for title, counts in (
        ("overlapping", [sum(each.overlapping.values()) for each in corpora]),
        ("in no sentence", [sum(each.outside.values()) for each in corpora]),
        ("exact copies", [sum(each.repeated.values()) for each in corpora]),
        ("other types", [sum(each.unmapped.values()) for each in corpora]),
        ("joined", [each.joined for each in corpora]),
        ("duplicates", [each.duplicates for each in corpora]),
        ("bad", [each.bad for each in corpora]),
    ):
        result.add_row(title, *(f"{count:,}" for count in counts))
    return result


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _most(items: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(items, key=lambda item: (-item[1], item[0]))
