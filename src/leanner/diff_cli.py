"""``leanner diff RUN [NEW]``: spans that cases gained and lost."""

from __future__ import annotations

import argparse
import json
import sys

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leanner.arguments import not_negative
from leanner.corpora.environment import VARIABLE
from leanner.corpora.environment import corpora_from_environment


if TYPE_CHECKING:
    from leanner.runs.diffs import CaseDiff
    from leanner.runs.run import Run
    from leanner.scoring.diff import Change
    from leanner.scoring.diff import Diff
    from leanner.scoring.diff import Tally

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name

#: As in ``leanner.compare``, which takes a while to import.
_STORE: Final = ".leanner"
_HEADINGS: Final = {
    "gained_right": "gained right",
    "gained_wrong": "gained wrong",
    "lost_right": "lost right",
    "lost_wrong": "lost wrong",
    "unscored": "unscored",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add ``diff`` to the sub-commands."""
    parser = subparsers.add_parser(
        "diff",
        help="list spans that cases gained and lost",
        description="List, for each case of a run, the spans that it gives and the baseline of the same run does not, "
        "and the other way round. With NEW, do so for the cases of NEW, and hold each against the same case of RUN as "
        "well. Of several runs of a revision the first is RUN and the latest NEW, as leanner compare takes their F1. "
        "Exit status: 0, whatever is found, or 2 if a report, or the corpus, cannot be read.",
    )
    names = "a JSON file, the id of a run in the store or in .benchmarks, or a revision of git of which a run is stored"
    parser.add_argument("earlier", metavar="RUN", help=f"{names}; beside NEW also baseline (accepted on its machine)")
    parser.add_argument("later", metavar="NEW", nargs="?", help="a later run, likewise")
    parser.add_argument("--store", type=Path, default=Path(_STORE), help=f"folder of stored runs (default: {_STORE})")
    parser.add_argument(
        "--configuration", action="append", default=[], metavar="NAME", help="this case only; repeatable (default: all)"
    )
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help=f"the corpus of the run, as leanner check takes it (default: bundled for a run on it, else ${VARIABLE}, "
        "else where the run found it)",
    )
    parser.add_argument(
        "--sentences",
        type=not_negative,
        default=5,
        metavar="N",
        help="sentences shown for each case (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON with every span instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the diffs; return 2 if a report or the corpus cannot be read, or a case is not there."""
    # the schema and the readers of corpora take a while, which other sub-commands need not wait for
    from leanner.check.report import UnreadableError  # noqa: PLC0415
    from leanner.compare.comparison import CannotCompareError  # noqa: PLC0415
    from leanner.runs.diffs import against_baseline  # noqa: PLC0415
    from leanner.runs.diffs import against_run  # noqa: PLC0415
    from leanner.runs.run import with_corpus  # noqa: PLC0415

    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    environment = corpora_from_environment()
    try:
        earlier, this = _runs(args)
    except (UnreadableError, CannotCompareError) as error:
        errors.print(f"leanner diff: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner diff: {error.filename}: cannot be read: {error.strerror}")
        return 2
    this = with_corpus(this, args.corpora, environment)
    if this.documents is None:
        errors.print(f"leanner diff: {this.path}: {this.no_documents}")
        return 2
    known = {record.configuration for record in this.report.cases.values()}
    if missing := [name for name in args.configuration if name not in known]:
        errors.print(f"leanner diff: --configuration: expected one of {', '.join(sorted(known))}; found {missing[0]}")
        return 2
    found = list(against_baseline(this, args.configuration))
    if args.later is not None:
        found += against_run(earlier, this, args.configuration)
    if args.json:
        json.dump([each.to_json() for each in found], sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    _print(found, args.sentences)
    return 0


def _runs(args: argparse.Namespace) -> tuple[Run, Run]:
    """Return RUN and NEW, or RUN twice.

    Raises:
        UnreadableError: A file is no report.
        CannotCompareError: A name is of no run.
        OSError: A file cannot be read.
    """
    from leanner.compare.comparison import CannotCompareError  # noqa: PLC0415
    from leanner.compare.reading import Reader  # noqa: PLC0415
    from leanner.compare.sides import BASELINE  # noqa: PLC0415
    from leanner.compare.sides import Sides  # noqa: PLC0415
    from leanner.compare.store import Store  # noqa: PLC0415
    from leanner.runs.run import as_run  # noqa: PLC0415

    sides = Sides(Store(args.store), Reader(), checked=False)
    name = args.earlier if args.later is None else args.later
    if name == BASELINE:
        raise CannotCompareError(f"expected NEW behind {BASELINE}, which is that of its machine; found none")
    this = _file(name) or as_run(sides.several(name, None)[-1].report)
    if args.later is None:
        return this, this
    if (earlier := _file(args.earlier)) is not None:
        return earlier, this
    found = sides.several(args.earlier, this.report)
    if not found:
        raise CannotCompareError(f"expected a baseline of the machine of {name} in {args.store}, found none")
    return as_run(found[0].report), this


def _file(name: str) -> Run | None:
    from leanner.runs.run import read_run  # noqa: PLC0415

    path = Path(name)
    return read_run(path) if path.is_file() or path.suffix == ".json" else None


def _print(found: list[CaseDiff], sentences: int) -> None:
    console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
    for each in found:
        device = "" if each.device == "cpu" else f" on {each.device}"
        console.print(f"\n{each.configuration}{device} against {each.against}", style="bold")
        if each.diff is None:
            console.print(f"unknown: {each.reason}")
        elif not each.diff.changes:
            console.print("the same spans")
        else:
            console.print(_table(each.diff))
            _print_sentences(console, each.diff, sentences)


def _table(diff: Diff) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    shown = [name for name in _HEADINGS if name != "unscored" or diff.total.unscored]
    for name in shown:
        table.add_column(_HEADINGS[name], justify="right")
    groups: tuple[tuple[str, Mapping[str, Tally]], ...] = (
        ("{}", {"all": diff.total}),
        ("{}", diff.by_label),
        ("{}", diff.by_corpus),
        ("{} words", diff.by_words),
    )
    for form, group in groups:
        for name, tally in group.items():
            title = "1 word" if (form, name) == ("{} words", "1") else form.format(name)
            # names of corpora are text from outside
            table.add_row(Text(title), *(str(getattr(tally, column)) for column in shown))
    return table


def _print_sentences(console: Console, diff: Diff, number: int) -> None:
    from leanner.scoring.diff import spread  # noqa: PLC0415

    chosen = spread(diff, number)
    for changes in chosen:
        first = changes[0]
        console.print(f"\n  {first.corpus} {first.document}, sentence {first.place + 1}: {first.sentence.text}")
        for change in changes:
            console.print(f"    {_told(change)}")
    total = sum(1 for _ in diff.sentences())
    if len(chosen) < total:
        console.print(f"\n  {len(chosen)} of {total} sentences shown (--sentences)", style="dim")


def _told(change: Change) -> str:
    sign = "+" if change.gained else "-"
    right = {True: "right", False: "wrong", None: "not annotated here"}[change.right]
    return f"{sign} {change.span.label.value} {change.mention!r} ({right})"
