"""``leanner check REPORT.json``: compute again what a report says, and list what does not hold."""

from __future__ import annotations

import argparse

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from leanner.corpora.environment import VARIABLE
from leanner.corpora.environment import corpora_from_environment


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


def add_parser(subparsers: Subparsers) -> None:
    """Add ``check`` to the sub-commands."""
    parser = subparsers.add_parser(
        "check",
        help="compute again what a report says",
        description="Compute F1, its loss, times, rates and sums again from the stored predictions, the corpus and "
        "the rounds, check files and completeness, and list what does not hold. Exit status: 0 if all holds, "
        "1 if not, 2 if the report cannot be read.",
    )
    parser.add_argument("report", type=Path, metavar="REPORT", help="JSON that a run of leanner's cases wrote")
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help="the corpus of the run: bundled, a folder of native files, or NAME=PATH; repeatable "
        f"(default: bundled for a run on it, else ${VARIABLE}, else where the run found it)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the report and print; return 1 with a list of what does not hold, 2 if it cannot be read."""
    # seqeval and jsonschema take a while, which other sub-commands need not wait for
    from leanner.check.checking import check  # noqa: PLC0415
    from leanner.check.report import UnreadableError  # noqa: PLC0415

    environment = corpora_from_environment()
    console = Console(markup=False, highlight=False, soft_wrap=True)
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        outcome = check(args.report, args.corpora, environment)
    except UnreadableError as error:
        errors.print(f"leanner check: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner check: {args.report}: cannot be read: {error.strerror}")
        return 2
    for problem in outcome.problems:
        console.print(str(problem))
    number = len(outcome.problems)
    if number:
        errors.print(f"leanner check: {args.report}: {number} {'problem' if number == 1 else 'problems'}")
        return 1
    scored = f", {outcome.measured} scored again on {outcome.corpus}" if outcome.corpus else ""
    console.print(f"{args.report}: {outcome.cases} cases hold{scored}")
    return 0
