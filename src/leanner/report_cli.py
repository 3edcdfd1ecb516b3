"""``leanner report RUN.json``: the report that people look at."""

from __future__ import annotations

import argparse

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from rich.console import Console

from leanner.arguments import not_negative
from leanner.corpora.environment import corpora_from_environment


if TYPE_CHECKING:
    from leanner.runs.run import Run

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name

FORMATS: Final = ("html", "svg", "csv", "latex")


def add_parser(subparsers: Subparsers) -> None:
    """Add ``report`` to the sub-commands."""
    parser = subparsers.add_parser(
        "report",
        help="write a report to look at, or figures and tables for a paper",
        description="Write one HTML file that needs nothing else: the answer, Pareto front, table, power, F1 by "
        "corpus and label with intervals, gains of sparsity, spans gained and lost, and the trend where several runs "
        "are given. Exit status: 0, or 2 if a report cannot be read or the file cannot be written.",
    )
    parser.add_argument(
        "runs", type=Path, metavar="RUN", nargs="+", help="JSON that a run of leanner's cases wrote; the newest counts"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="the file to write; with --format svg a folder for the figures",
    )
    parser.add_argument("--format", choices=FORMATS, default="html", help="default: %(default)s")
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help="the corpus of the run, as leanner check takes it; without it there are no intervals by corpus and label, "
        "and no diff of spans",
    )
    parser.add_argument(
        "--sentences",
        type=not_negative,
        default=6,
        metavar="N",
        help="sentences of the corpus that the HTML shows for each case; 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--missing-ok", action="store_true", help="write nothing, and exit with 0, where the first RUN does not exist"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report; return 2 if it cannot be."""
    # the schema, readers of corpora and plotly take a while, which other sub-commands need not wait for
    from leanner.check.report import UnreadableError  # noqa: PLC0415
    from leanner.runs.run import read_run  # noqa: PLC0415

    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    if args.missing_ok and not args.runs[0].exists():
        errors.print(f"leanner report: {args.runs[0]} does not exist: nothing written")
        return 0
    try:
        runs = [read_run(path) for path in args.runs]
    except UnreadableError as error:
        errors.print(f"leanner report: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner report: {error.filename}: cannot be read: {error.strerror}")
        return 2
    try:
        written = _write(args, runs, errors)
    except OSError as error:
        errors.print(f"leanner report: {error.filename or args.output}: cannot be written: {error.strerror}")
        return 2
    for path in written:
        Console(markup=False, highlight=False, soft_wrap=True).print(str(path))
    return 0


def _write(args: argparse.Namespace, runs: list[Run], errors: Console) -> list[Path]:
    from leanner.atomic import write_atomically  # noqa: PLC0415
    from leanner.report.html.page import page  # noqa: PLC0415
    from leanner.report.html.page import when  # noqa: PLC0415
    from leanner.report.paper.latex import as_latex  # noqa: PLC0415
    from leanner.report.paper.rows import as_csv  # noqa: PLC0415
    from leanner.runs.run import with_corpus  # noqa: PLC0415

    environment = corpora_from_environment()
    ordered = sorted(runs, key=when)
    if args.format in ("html", "svg"):
        ordered[-1] = with_corpus(ordered[-1], args.corpora, environment)
    if args.format in ("html", "svg") and ordered[-1].documents is None:
        errors.print(f"leanner report: no intervals by corpus and label, and no spans: {ordered[-1].no_documents}")
    if args.format == "html":
        content = page(ordered, sentences=args.sentences)
    elif args.format == "csv":
        content = as_csv(ordered[-1].records)
    elif args.format == "latex":
        content = as_latex(ordered[-1].records)
    else:
        return _write_figures(args.output, ordered[-1])
    write_atomically(args.output, content.encode())
    return [args.output]


def _write_figures(folder: Path, run: Run) -> list[Path]:
    from leanner.atomic import write_atomically  # noqa: PLC0415
    from leanner.report.paper.figures import front_svgs  # noqa: PLC0415
    from leanner.report.paper.figures import gains_svg  # noqa: PLC0415
    from leanner.report.paper.figures import scores_svg  # noqa: PLC0415
    from leanner.runs.scores import scores_of  # noqa: PLC0415

    figures = front_svgs(run.records)
    if run.measured:
        figures["scores.svg"] = scores_svg([(record, scores_of(run, record)[0]) for record in run.measured])
    gains = gains_svg(run.records)
    if gains is not None:
        figures["gains.svg"] = gains
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in figures.items():
        write_atomically(folder / name, content)
    return [folder / name for name in figures]
