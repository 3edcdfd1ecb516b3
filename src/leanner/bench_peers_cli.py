"""``leanner bench-peers``: Flair, other engines and leanner's own configurations side by side."""

from __future__ import annotations

import argparse

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from leanner.arguments import at_least
from leanner.arguments import positive
from leanner.configurations import named
from leanner.corpora.environment import corpora_from_environment
from leanner.peers.names import ENGINES
from leanner.peers.names import LEAN
from leanner.report.table import WIDE


if TYPE_CHECKING:
    from leanner.peers.result import Peers

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


@dataclass(frozen=True, slots=True)
class Text:
    """Which text, as ``leanner.measure.subject`` wants it."""

    corpora: tuple[str, ...]
    sentences: int | None
    round_sentences: int
    seed: int
    on_bad_document: str


def add_parser(subparsers: Subparsers) -> None:
    """Add ``bench-peers`` to the sub-commands."""
    parser = subparsers.add_parser(
        "bench-peers",
        help="compare Flair, ONNX Runtime, OpenVINO and leanner's own configurations",
        description="Tag the same text by Flair's predict, ONNX Runtime int8, OpenVINO int8 and leanner's own "
        "configurations, in one process, rounds interleaved, and print speed, F1 and how near each comes to what this "
        "machine multiplies at most. Flair and the engines run in the batch size that is fastest for them. What "
        "cannot run here has a row with the reason. Exit status: 0, or 2 if nothing can be compared.",
    )
    parser.add_argument(
        "--tagger",
        default="bundled",
        metavar="TAGGER",
        help="bundled (default), hunflair2, or a file saved by Flair; a file is a pickle: name only what you trust",
    )
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help="bundled, a folder of native files, or NAME=PATH; repeatable (default: $LEANNER_CORPORA, else bundled)",
    )
    parser.add_argument(
        "--configurations",
        nargs="+",
        default=None,
        metavar="NAME",
        help="leanner's own that take part, of those in the lean runtime (default: lean and the int8 ones that run by "
        "default)",
    )
    parser.add_argument(
        "--engines",
        nargs="*",
        choices=ENGINES,
        default=ENGINES,
        metavar="NAME",
        help=f"other engines that take part; nothing behind it for none (default: {' '.join(ENGINES)})",
    )
    parser.add_argument("--sentences", type=positive, metavar="N", help="F1 on whole articles with about N sentences")
    parser.add_argument(
        "--round-sentences",
        type=positive,
        default=640,
        metavar="N",
        help="a round tags whole articles with about N sentences (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=_rounds, default=12, metavar="R", help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of samples and bootstrap (default: %(default)s)")
    parser.add_argument(
        "--lock",
        choices=("wait", "fail", "off"),
        default="wait",
        help="if another run measures: wait for its end (default), fail, or take no notice",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write everything that was measured there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare and print; return 2 with the reason if nothing can be compared."""
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    # torch and Flair take seconds, which other sub-commands need not wait for
    from leanner.corpora.native import CorpusError  # noqa: PLC0415
    from leanner.measure.errors import SetupError  # noqa: PLC0415
    from leanner.taggers.errors import TaggerError  # noqa: PLC0415

    names = tuple(args.configurations or LEAN)
    try:
        for name in names:
            _check_lean(name)
    except KeyError as error:
        errors.print(f"leanner bench-peers: --configurations: {error.args[0]}")
        return 2
    except ValueError as error:
        errors.print(f"leanner bench-peers: {error}")
        return 2
    if args.json is not None and not args.json.resolve().parent.is_dir():
        # Better known before the minutes that it takes.
        errors.print(f"leanner bench-peers: --json: expected a file in a folder that is there, found {args.json}")
        return 2
    try:
        peers = _measured(args, names, errors)
        if args.json is not None:
            from leanner.atomic import write_atomically  # noqa: PLC0415 - as above

            write_atomically(args.json, peers.to_json())
    except (CorpusError, SetupError, TaggerError, ValueError) as error:
        errors.print(f"leanner bench-peers: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner bench-peers: {error.filename or args.json}: {error.strerror}")
        return 2
    from leanner.peers.table import render  # noqa: PLC0415 - as above

    console = Console(highlight=False)
    (console if console.is_terminal else Console(width=WIDE, highlight=False)).print(render(peers))
    return 0


def _measured(args: argparse.Namespace, names: tuple[str, ...], errors: Console) -> Peers:
    from leanner.measure.lock import device_lock  # noqa: PLC0415 - as above
    from leanner.measure.subject import load_subject  # noqa: PLC0415
    from leanner.peers.running import bench_peers  # noqa: PLC0415
    from leanner.taggers.load import load_tagger  # noqa: PLC0415

    corpora = tuple(args.corpora) or corpora_from_environment()
    subject = load_subject(Text(corpora, args.sentences, args.round_sentences, args.seed, "error"))
    with device_lock("cpu", args.lock, errors.print), errors.status("preparing") as status:
        return bench_peers(
            subject,
            lambda: load_tagger(args.tagger),
            names,
            rounds=args.rounds,
            engines=args.engines,
            seed=args.seed,
            # A status that is no terminal's is not seen.
            say=status.update if errors.is_terminal else errors.print,
        )


def _check_lean(name: str) -> None:
    """Refuse a configuration that is not leanner's own runtime.

    Raises:
        KeyError: There is none of this name.
        ValueError: Another runtime runs it.
    """
    runtimes = [getattr(step, "runtime", None) for step in named(name).passes]
    if "lean" not in runtimes:
        raise ValueError(f"expected configurations in the lean runtime, whose names begin with lean, found {name}")


def _rounds(text: str) -> int:
    return at_least(2, text)
