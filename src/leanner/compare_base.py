"""Whether BASE is there: looked for in a process of its own, so that what reads it is not in the memory of cases."""

from __future__ import annotations

import argparse
import subprocess
import sys

from collections.abc import Sequence
from pathlib import Path
from typing import Final


#: Begins what the other process says of BASE.
_SAYS: Final = "leanner: "


def missing(base: str, store: Path, saved: Path, corpora: Sequence[str]) -> str | None:
    """Return why this run cannot be held against ``base``; ``None`` if it can, as far as one knows before it.

    Args:
        base: As for ``leanner compare``; of ``baseline`` only the store is looked at, which may have none yet.
        store: Folder of stored runs.
        saved: Folder of runs that pytest-benchmark saved.
        corpora: Where the corpus lies.
    """
    given = [f"--corpora={corpus}" for corpus in corpora]
    command = [sys.executable, "-m", __name__, f"--store={store}", f"--saved={saved}", *given, "--", base]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - arguments are ours
    if done.returncode == 0:
        return None
    return done.stderr.strip().removeprefix(_SAYS) or f"{command}: ended with {done.returncode} and no message"


def main(arguments: Sequence[str] | None = None) -> int:
    """Look for BASE, and compute its numbers again; return 2 and say why if it is not there or they do not hold."""
    from leanner.compare.reading import Reader  # noqa: PLC0415 - of the other process only
    from leanner.compare.sides import BASELINE  # noqa: PLC0415
    from leanner.compare.sides import Sides  # noqa: PLC0415
    from leanner.compare.store import Store  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("base")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--saved", type=Path, required=True)
    parser.add_argument("--corpora", action="append", default=[])
    args = parser.parse_args(arguments)
    sides = Sides(Store(args.store), Reader(args.corpora), args.saved)
    try:
        if args.base == BASELINE:
            sides.store.entries()
        else:
            sides.several(args.base, None)
    except (ValueError, OSError) as error:  # a CannotCompareError is a ValueError
        sys.stderr.write(f"{_SAYS}{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
