"""``leanner show REPORT.json``: the table and the answer of a run, from its report."""

from __future__ import annotations

import argparse

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


def add_parser(subparsers: Subparsers) -> None:
    """Add ``show`` to the sub-commands."""
    parser = subparsers.add_parser(
        "show",
        help="print the table of a report again",
        description="Print the table and the answer of a report as its run did. Whether they hold: leanner check. "
        "Exit status: 0, 1 if the report is not as its schema says, 2 if it cannot be read.",
    )
    parser.add_argument("report", type=Path, metavar="REPORT", help="JSON that a run of leanner's cases wrote")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; return 1 with a list of what is wrong with its form, 2 if it cannot be read."""
    # jsonschema takes a while, which other sub-commands need not wait for
    from leanner.check.report import UnreadableError  # noqa: PLC0415
    from leanner.check.report import read_report  # noqa: PLC0415
    from leanner.configurations import known  # noqa: PLC0415
    from leanner.report.answer import answer  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415
    from leanner.report.table import render  # noqa: PLC0415

    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        report, problems = read_report(args.report)
    except UnreadableError as error:
        errors.print(f"leanner show: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner show: {args.report}: cannot be read: {error.strerror}")
        return 2
    for problem in problems:
        errors.print(f"leanner show: {problem}")
    if report is None:
        return 1
    # Another version of leanner may have had other cases.
    order = {configuration.name: number for number, configuration in enumerate(known())}
    records = sorted(report.cases.values(), key=lambda case: (case.device, order.get(case.configuration, len(order))))
    console = Console()
    console = console if console.is_terminal else Console(width=WIDE)
    console.print(render(records, console.width))
    Console(markup=False, highlight=False, soft_wrap=True).print(f"\n{answer(records)}")
    return 1 if problems else 0
