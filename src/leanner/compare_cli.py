"""``leanner compare BASE NEW``, ``leanner accept RUN`` and ``leanner history``."""

from __future__ import annotations

import argparse
import json
import sys

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from rich.console import Console

from leanner.corpora.environment import VARIABLE
from leanner.corpora.environment import corpora_from_environment


if TYPE_CHECKING:
    from leanner.compare.comparison import Comparison
    from leanner.compare.control import Control
    from leanner.compare.gate import Result
    from leanner.compare.sides import Sides
    from leanner.compare.store import Store

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


#: As in ``leanner.compare``, which takes a while to import.
_STORE: Final = ".leanner"
_RUN: Final = (
    "a JSON file, the id of a run in the store or in .benchmarks, or a revision of git of which a run is stored"
)


def add_parsers(subparsers: Subparsers) -> None:
    """Add ``accept``, ``compare`` and ``history`` to the sub-commands."""
    _add_accept(subparsers)
    _add_compare(subparsers)
    _add_history(subparsers)


def _add_compare(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "compare",
        help="say whether a run is worse than another",
        description="Compare two runs metric by metric, and say what is worse beyond chance and threshold. Held "
        "against `baseline`, the first run of a machine is stored as such. Exit status: 0 if nothing is worse, 1 if "
        "something is, or is removed, 2 if they cannot be compared.",
    )
    parser.add_argument("base", metavar="BASE", help=f"baseline (what was accepted on the machine of NEW); or {_RUN}")
    parser.add_argument("new", metavar="NEW", help=_RUN)
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="METRIC:THRESHOLD",
        help="what is gated, repeatable: time, p99, energy, marginal, estimate (joules that are estimated), memory "
        "(host and vram), weights in %% or their unit, f1, f1.GENE, f1.SPECIES, f1.DISEASE in pt; parts joined by + "
        "must all be exceeded "
        "(default: time:5%%, energy:5%%, memory:5%%+8MB, f1:0.3pt)",
    )
    parser.add_argument("--gates", type=Path, metavar="TOML", help="file of gates, for all or by configuration")
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table", help="(default: table)")
    parser.add_argument("--all", action="store_true", help="show what is not gated in the table, too")
    parser.add_argument(
        "--across-machines", action="store_true", help="compare what differs in machine, corpus or tagger, and mark it"
    )
    parser.add_argument("--unchecked", action="store_true", help="do not compute the numbers of files again")
    _add_places(parser)
    parser.set_defaults(run=lambda args: _guarded("compare", _compare, args))


def _add_accept(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "accept",
        help="make a run the baseline",
        description="Store a run as the baseline that later ones on its machine are held against. Exit status: 0, 2 if "
        "there is no such run, or its numbers do not hold.",
    )
    parser.add_argument("accepted", metavar="RUN", help=_RUN)
    parser.add_argument("--reason", required=True, help="why what changed is accepted")
    parser.add_argument("--unchecked", action="store_true", help="do not compute the numbers of a file again")
    _add_places(parser)
    parser.set_defaults(run=lambda args: _guarded("accept", _accept, args))


def _add_history(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "history",
        help="list the stored runs",
        description="List the stored runs by machine, or draw a metric of theirs. Exit status: 0, 2 if the "
        "store is broken.",
    )
    parser.add_argument(
        "--metric", help="draw this metric instead: time, p99, energy, marginal, estimate, host, vram, weights, f1"
    )
    parser.add_argument("--store", type=Path, default=Path(_STORE), help=f"(default: {_STORE})")
    parser.set_defaults(run=lambda args: _guarded("history", _history, args))


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, default=Path(_STORE), help=f"folder of stored runs (default: {_STORE})")
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help=f"the corpus of the runs, as for leanner check (default: bundled for a run on it, else ${VARIABLE})",
    )


def _guarded(command: str, run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command; say what keeps it from running, and return 2."""
    try:
        return run(args)
    except (ValueError, OSError) as error:  # a CannotCompareError and a ThresholdError are ValueErrors
        _print_error(command, error)
        return 2


def _print_error(command: str, error: object) -> None:
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(f"leanner {command}: {error}")


def _compare(args: argparse.Namespace) -> int:
    from leanner.compare.gate import judge  # noqa: PLC0415
    from leanner.compare.thresholds import gates  # noqa: PLC0415

    given = gates(args.fail_on, args.gates)
    result = judge(_sides(args), args.base, args.new, given, across_machines=args.across_machines)
    if result.refusal:
        _print_error("compare", result.refusal)
    if args.format == "json":
        _print_json(result)
        return result.exit_code
    if result.comparison is not None:
        _print(result.comparison, args.format, everything=args.all)
    if result.control is not None:
        _print_control(result.control, args.format)
    if result.advice:
        _print_advice(result, args.format)
    return result.exit_code


def _print_json(result: Result) -> None:
    from leanner.compare.comparison import to_json  # noqa: PLC0415
    from leanner.compare.control import to_json as control_to_json  # noqa: PLC0415

    control = None if result.control is None else control_to_json(result.control)
    if result.comparison is None:
        content: dict[str, Any] = {"comparison": None, "reason": result.refusal or result.advice, "control": control}
    else:
        content = {**to_json(result.comparison), "control": control, "advice": result.advice or None}
    sys.stdout.write(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _print_advice(result: Result, form: str) -> None:
    from leanner.compare.text import escaped  # noqa: PLC0415

    if form != "markdown":
        Console(markup=False, highlight=False, soft_wrap=True).print(result.advice)
    elif result.comparison is None:
        sys.stdout.write(f"### {escaped(result.advice)}\n")
    else:
        sys.stdout.write(f"\n{escaped(result.advice)}\n")


def _print(comparison: Comparison, form: str, *, everything: bool) -> None:
    from leanner.compare.text import markdown  # noqa: PLC0415
    from leanner.compare.text import table  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415

    if form == "markdown":
        sys.stdout.write(markdown(comparison))
    else:
        console = Console()
        (console if console.is_terminal else Console(width=WIDE)).print(table(comparison, everything=everything))


def _print_control(control: Control, form: str) -> None:
    from leanner.compare.control_text import control_markdown  # noqa: PLC0415
    from leanner.compare.control_text import control_table  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415

    if form == "markdown":
        sys.stdout.write(f"\n{control_markdown(control)}")
    elif form == "table":
        console = Console()
        (console if console.is_terminal else Console(width=WIDE)).print(control_table(control))


def _accept(args: argparse.Namespace) -> int:
    sides = _sides(args)
    entry = sides.store.accept(sides.one(args.accepted), args.reason)
    Console(markup=False, highlight=False, soft_wrap=True).print(
        f"{entry.id}: baseline {entry.level} of machine {entry.machine}: {args.reason}"
    )
    _say_broken(sides.store, "accept")
    return 0


def _history(args: argparse.Namespace) -> int:
    from leanner.compare.comparison import Session  # noqa: PLC0415
    from leanner.compare.history import drawn  # noqa: PLC0415
    from leanner.compare.history import listed  # noqa: PLC0415
    from leanner.compare.metrics import named  # noqa: PLC0415
    from leanner.compare.reading import Reader  # noqa: PLC0415
    from leanner.compare.store import Store  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415

    metrics = () if args.metric is None else named(args.metric)
    store, reader = Store(args.store), Reader()
    console = Console()
    console = console if console.is_terminal else Console(width=WIDE)
    entries, code = store.entries(), _say_broken(store, "history")
    if not entries:
        console.print(f"no run is stored in {args.store}", markup=False)
    if args.metric is None:
        for machine in dict.fromkeys(entry.machine for entry in entries):
            console.print(listed([entry for entry in entries if entry.machine == machine], machine))
        return code
    for machine, series in dict.fromkeys((entry.machine, entry.series) for entry in entries):
        alike = [entry for entry in entries if (entry.machine, entry.series) == (machine, series)]
        sessions = [Session(entry.id, reader.read(store.path(entry))) for entry in alike]
        console.print(f"machine {machine}, series {series}: {len(alike)} runs", markup=False, highlight=False)
        for metric in metrics:
            console.print(drawn(sessions, metric))
    return code


def _say_broken(store: Store, command: str) -> int:
    """Say which stored runs are left out; return 2 if there are any, else 0."""
    broken = store.broken()
    for each in broken:
        Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(f"leanner {command}: {each.text}")
    return 2 if broken else 0


def _sides(args: argparse.Namespace) -> Sides:
    # jsonschema and scipy take a while, which other sub-commands need not wait for
    from leanner.compare.reading import Reader  # noqa: PLC0415
    from leanner.compare.sides import Sides  # noqa: PLC0415
    from leanner.compare.store import Store  # noqa: PLC0415

    environment = corpora_from_environment()
    return Sides(Store(args.store), Reader(args.corpora, environment), checked=not args.unchecked)
