"""``leanner search``: the fastest combination of passes whose loss of F1 keeps within a drop."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from rich.console import Console

from leanner.atomic import write_atomically
from leanner.corpora.bad import POLICIES
from leanner.taggers.libraries import HF


if TYPE_CHECKING:
    from leanner.measure.search.log import Log
    from leanner.measure.search.outcome import Asked
    from leanner.measure.search.outcome import Outcome
    from leanner.taggers.protocol import Tagger

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


LOG: Final = Path("leanner-results/search.jsonl")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def add_parser(subparsers: Subparsers) -> None:
    """Add ``search`` to the sub-commands."""
    parser = subparsers.add_parser(
        "search",
        help="find the fastest combination of passes for a loss of F1",
        description="Try combinations of passes on one half of the corpora by successive halving, print the Pareto "
        "front, and confirm the winner on the other half. Exit status: 0 with a confirmed winner, 1 without, 2 if it "
        "cannot be searched, 130 if interrupted.",
    )
    parser.add_argument(
        "--max-f1-drop",
        type=_points,
        default=1.0,
        metavar="POINTS",
        help="loss of micro F1 against fp32 that is allowed, in percentage points (default: %(default)s)",
    )
    parser.add_argument(
        "--budget",
        type=_duration,
        default=20 * 60.0,
        metavar="TIME",
        help="90s, 20m, 1h (default: 20m); what has begun when it ends is finished",
    )
    parser.add_argument(
        "--tagger",
        default="bundled",
        metavar="TAGGER",
        help="bundled (default), hunflair2, a file saved by Flair (a pickle: name only what you trust), or hf: and a "
        "token-classification checkpoint",
    )
    parser.add_argument("--tagger-labels", metavar="FILE", help="label map of such a checkpoint")
    parser.add_argument(
        "--corpora",
        action="append",
        default=[],
        metavar="CORPUS",
        help="bundled, a folder of native files, or name=PATH; repeatable (default: $LEANNER_CORPORA, else bundled)",
    )
    parser.add_argument("--sentences", type=int, metavar="N", help="draw whole articles until N sentences are there")
    parser.add_argument("--on-bad-document", choices=POLICIES, default="error", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="where taggers run (default: %(default)s)")
    parser.add_argument(
        "--lock",
        choices=("wait", "fail", "off"),
        default="wait",
        help="if a run measures on the device: wait for its end, fail, or take no notice (default: %(default)s)",
    )
    logs = parser.add_mutually_exclusive_group()
    logs.add_argument("--log", type=Path, default=LOG, metavar="LOG", help="JSON lines (default: %(default)s)")
    logs.add_argument("--resume", type=Path, metavar="LOG", help="go on with a search that was cut off")
    logs.add_argument("--replay", type=Path, metavar="LOG", help="decide as a search did, and compare the spans")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all that was seen and decided as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search and print; return 0 with a winner, 1 without, 2 with the reason if it cannot be searched."""
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    # torch takes seconds, which other sub-commands need not wait for
    from leanner.measure.errors import SetupError  # noqa: PLC0415
    from leanner.measure.lock import device_lock  # noqa: PLC0415
    from leanner.taggers.errors import TaggerError  # noqa: PLC0415

    if args.tagger_labels is not None and not args.tagger.startswith(HF):
        errors.print(f"leanner search: expected --tagger {HF}… beside --tagger-labels, found {args.tagger}")
        return 2
    try:
        # What a run of the cases on this device holds, too.
        with device_lock(args.device.replace(":", "-"), args.lock, errors.print):
            return _search(args, errors)
    except KeyboardInterrupt:
        kept = args.resume or args.log
        errors.print("leanner search: interrupted" + ("" if args.replay else f"; --resume {kept} goes on"))
        return 130
    except (ValueError, SetupError, TaggerError) as error:  # a CorpusError and a SearchLogError are ValueErrors
        errors.print(f"leanner search: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner search: {error.filename}: {error.strerror}")
        return 2


def _search(args: argparse.Namespace, errors: Console) -> int:
    # as above
    from leanner.corpora.load import load_corpus  # noqa: PLC0415
    from leanner.measure.search.outcome import Asked  # noqa: PLC0415
    from leanner.measure.search.run import search  # noqa: PLC0415
    from leanner.measure.search.space import candidates  # noqa: PLC0415
    from leanner.taggers.by_name import load_by_name  # noqa: PLC0415

    def load() -> Tagger:
        return load_by_name(args.tagger, args.device, labels=args.tagger_labels)

    corpora = load_corpus(args.corpora, sentences=args.sentences, seed=args.seed, on_bad_document=args.on_bad_document)
    documents = tuple(corpora)
    asked = Asked(args.max_f1_drop, args.budget, args.seed)
    about = {
        "leanner": version("leanner"),
        "tagger": {"name": args.tagger, "weights_sha256": load().weights_sha256},
        "corpus": {"name": corpora.name, "sha256": corpora.sha256()},
        "device": args.device,
    }
    log = _open_log(args, {**about, "drop": asked.drop, "budget_s": asked.budget_s, "seed": asked.seed})
    try:
        with errors.status("searching") as status:
            terminal = errors.is_terminal
            outcome = search(
                asked,
                candidates(args.seed),
                documents,
                load,
                log,
                say=status.update if terminal else errors.print,
            )
    finally:
        log.close()
    _show(args, asked, outcome, about)
    return 0 if outcome.winner is not None else 1


def _open_log(args: argparse.Namespace, asked: dict[str, Any]) -> Log:
    from leanner.measure.search.log import Log  # noqa: PLC0415 - as above

    if args.resume is not None:
        return Log.resume(args.resume, asked, time.perf_counter)
    if args.replay is not None:
        return Log.replay(args.replay, asked, time.perf_counter)
    return Log.begin(args.log, asked, time.perf_counter)


def _show(args: argparse.Namespace, asked: Asked, outcome: Outcome, about: dict[str, Any]) -> None:
    # as above
    from leanner.measure.search.report import answer  # noqa: PLC0415
    from leanner.measure.search.report import export_command  # noqa: PLC0415
    from leanner.measure.search.report import render  # noqa: PLC0415
    from leanner.measure.search.report import to_json  # noqa: PLC0415
    from leanner.report.table import WIDE  # noqa: PLC0415

    if args.json is not None:
        content = json.dumps(to_json(outcome, asked, about), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        write_atomically(args.json, content.encode())
    console = Console(markup=False, highlight=False)
    console = console if console.is_terminal else Console(markup=False, highlight=False, width=WIDE)
    console.print(render(outcome, asked))
    plain = Console(markup=False, highlight=False, soft_wrap=True)
    plain.print(f"\n{answer(outcome, asked)}")
    if outcome.winner is not None:
        command = export_command(outcome.winner, args.tagger, args.tagger_labels)
        plain.print(f"take it home: {command or 'leanner export has no place for it'}")
    sys.stdout.flush()


def _duration(text: str) -> float:
    """Return the seconds of ``90s``, ``20m`` or ``1.5h``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"expected a time like 90s, 20m or 1h, found {text!r}")
    return float(match[1]) * _SECONDS[match[2]]


def _points(text: str) -> float:
    """Return a loss of F1 in percentage points."""
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    if not 0 <= points < math.inf:
        raise argparse.ArgumentTypeError(f"expected percentage points of F1, 0 or more, found {text!r}")
    return points
