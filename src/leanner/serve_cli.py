"""``leanner serve OUT``: an exported tagger behind HTTP, its requests tagged in batches."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import signal
import sys
import time

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final
from typing import NoReturn

from rich.console import Console

from leanner.arguments import not_negative
from leanner.arguments import positive


if TYPE_CHECKING:
    from leanner.serving.mosec.server import RunningMosec
    from leanner.taggers.protocol import Tagger

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


_LOOK_S: Final = 0.5


def add_parser(subparsers: Subparsers) -> None:
    """Add ``serve`` to the sub-commands."""
    parser = subparsers.add_parser(
        "serve",
        help="serve an exported tagger over HTTP",
        description="Serve an exported tagger on 127.0.0.1, by mosec, until SIGINT or SIGTERM. Requests that wait are "
        "tagged in one batch. Needs `pip install 'leanner[mosec]'`. Whoever reaches the port is answered: what other "
        "machines may ask goes through a proxy. Exit status: 0, or 2 if it cannot be served.",
    )
    parser.add_argument("model", type=Path, metavar="OUT", help="a folder that leanner export wrote")
    parser.add_argument("--port", type=_port, default=8080, metavar="PORT", help="of 127.0.0.1 (default: %(default)s)")
    parser.add_argument(
        "--max-batch-size", type=positive, default=16, metavar="N", help="requests in a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--max-batch-delay-ms",
        type=not_negative,
        default=5,
        metavar="MS",
        help="how long the first request of a batch waits for others (default: %(default)s)",
    )
    parser.add_argument(
        "--queue", type=positive, default=100, metavar="N", help="requests that wait, at most; then 429 (default: 100)"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="S", help="seconds for a request; then 408 (default: 30)"
    )
    parser.add_argument(
        "--max-body-bytes", type=positive, default=1 << 20, metavar="N", help="longest body; then 413 (default: 1 MiB)"
    )
    parser.add_argument("--device", default="cpu", help="where the tagger runs (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to end; return 2 with the reason if that cannot be."""
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    # other sub-commands need not wait for psutil
    from leanner.serving.batching import DynamicBatching  # noqa: PLC0415
    from leanner.serving.mosec.server import Mosec  # noqa: PLC0415
    from leanner.serving.server import ServerError  # noqa: PLC0415
    from leanner.serving.source import Source  # noqa: PLC0415

    if not args.model.is_dir():
        errors.print(f"leanner serve: expected a folder that leanner export wrote, found none at {args.model}")
        return 2
    source = Source("leanner.serve_cli:load", {"folder": str(args.model.resolve()), "device": args.device})
    # For days, perhaps: a log of batches would fill the disk.
    server = Mosec(
        args.port, queue=args.queue, timeout_s=args.timeout, max_body_bytes=args.max_body_bytes, log_batches=False
    )
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with server.start(source, DynamicBatching(args.max_batch_size, args.max_batch_delay_ms)) as running:
            _announce(running, args.model)
            _follow(running)
    except KeyboardInterrupt:
        return 0
    except ServerError as error:
        errors.print(f"leanner serve: {error}")
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)


def load(folder: str, device: str) -> Tagger:
    """Return the exported tagger in ``folder``, in the worker that serves it; say what this machine makes worse."""
    from leanner.export.lean import Lean  # noqa: PLC0415 - torch takes seconds, and only the worker needs it

    lean = Lean.load(folder, device)
    for text in lean.doubts:
        sys.stderr.write(f"{text}\n")
    return lean


def _announce(running: RunningMosec, model: Path) -> None:
    output = Console(markup=False, highlight=False, soft_wrap=True)
    url = f"http://127.0.0.1:{running.address.port}{running.address.path}"
    example = json.dumps({"text": "Loss of PTEN is common in glioma."})
    output.print(f"{model}: served at {url}, ready after {running.start_s:.1f} s; Ctrl-C ends it")
    output.print(shlex.join(["curl", "-s", url, "-d", example]))


def _follow(running: RunningMosec) -> NoReturn:
    with running.log.open("rb") as log:
        while True:
            sys.stderr.write(log.read().decode(errors="replace"))
            sys.stderr.flush()
            running.check()
            time.sleep(_LOOK_S)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _port(text: str) -> int:
    number = positive(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"expected a port, 65535 or less, found {text!r}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0, found {text!r}")
    return number
