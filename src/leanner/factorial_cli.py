"""``leanner factorial REPORT.json``: what each change does, alone and together with the others."""

from __future__ import annotations

import argparse
import json
import sys

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from leanner.corpora.environment import VARIABLE
from leanner.corpora.environment import corpora_from_environment


if TYPE_CHECKING:
    from leanner.factorial.analysis import Analysis
    from leanner.factorial.design import Design

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


def add_parser(subparsers: Subparsers) -> None:
    """Add ``factorial`` to the sub-commands."""
    parser = subparsers.add_parser(
        "factorial",
        help="tell what changes do alone and together",
        description="Analyse cases as a full factorial of factors with two levels: main effects and "
        "interactions on F1, time, joules and memory, with intervals. Without --factors and --cells: int8, half of the "
        "weights and batches of 16, behind a server. Exit status: 0, or 2 if the report cannot be read, or a cell is "
        "missing, did not run, broke or is suspect.",
    )
    parser.add_argument(
        "reports",
        type=Path,
        nargs="+",
        metavar="REPORT",
        help="JSON that a run of leanner's cases wrote; several are sessions, each with all cells; F1 is of the first",
    )
    parser.add_argument(
        "--factors",
        nargs="+",
        metavar="LOW:HIGH",
        help="what the levels of each factor are called, as fp32:int8; the first changes fastest over the cells",
    )
    parser.add_argument(
        "--cells",
        nargs="+",
        metavar="NAME",
        help="the configuration of each cell in standard order: all low, A high, B high, A and B high, C high, …",
    )
    parser.add_argument(
        "--served",
        default="torchserve",
        metavar="PREFIX",
        help="how names of the configurations begin that are the cells without --cells (default: %(default)s)",
    )
    parser.add_argument("--device", help="of the cells, if the report has them on several")
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help=f"the corpus of the run, as leanner check takes it (default: bundled for a run on it, else ${VARIABLE}, "
        "else where the run found it); without it F1 has no intervals",
    )
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table", help="(default: table)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the effects; return 2 if the report cannot be read, or not analysed."""
    # the schema, readers of corpora and scipy take a while, which other sub-commands need not wait for
    from leanner.factorial.analysis import analyse  # noqa: PLC0415
    from leanner.factorial.cells import records_of  # noqa: PLC0415
    from leanner.runs.run import read_run  # noqa: PLC0415
    from leanner.runs.run import with_corpus  # noqa: PLC0415

    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        design = _design(args)
        runs = [read_run(path) for path in args.reports]
        # Corpora take seconds to read: first it must be known that there is something to analyse.
        for each in runs:
            records_of(each, design, args.device)
        first, *others = runs
        analysis = analyse([with_corpus(first, args.corpora, corpora_from_environment()), *others], design, args.device)
    except ValueError as error:  # an UnreadableError and a CellsError are ValueErrors
        errors.print(f"leanner factorial: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner factorial: {error.filename}: cannot be read: {error.strerror}")
        return 2
    _print(analysis, args.format)
    return 0


def _design(args: argparse.Namespace) -> Design:
    """Return what is which cell.

    Raises:
        ValueError: Arguments do not make a factorial.
    """
    from leanner.factorial.design import Design  # noqa: PLC0415
    from leanner.factorial.design import Factor  # noqa: PLC0415
    from leanner.factorial.design import served  # noqa: PLC0415

    if args.factors is None and args.cells is None:
        return served(args.served)
    if args.factors is None or args.cells is None:
        raise ValueError("expected --factors and --cells together, found one of them")
    factors = []
    for text in args.factors:
        low, colon, high = text.partition(":")
        if not (low and colon and high):
            raise ValueError(f"--factors: expected LOW:HIGH, as fp32:int8; found {text!r}")
        factors.append(Factor(low, high))
    return Design(tuple(factors), tuple(args.cells))


def _print(analysis: Analysis, form: str) -> None:
    from leanner.factorial.analysis import to_json  # noqa: PLC0415
    from leanner.factorial.text import markdown  # noqa: PLC0415
    from leanner.factorial.text import table  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415

    if form == "json":
        sys.stdout.write(json.dumps(to_json(analysis), indent=2, allow_nan=False) + "\n")
    elif form == "markdown":
        sys.stdout.write(markdown(analysis))
    else:
        console = Console()
        (console if console.is_terminal else Console(width=WIDE)).print(table(analysis))
