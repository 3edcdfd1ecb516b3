"""The whole recipe: ``python training/make.py CORPORA OUT FOLDER``.

Each step is one command of this folder, printed before it runs; started again, every one
goes on after the last part that it saved.
"""

from __future__ import annotations

import argparse

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

import pack
import refine
import train


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train.py": train.main,
    "refine.py": refine.main,
    "pack.py": pack.main,
}


def steps(corpora: Path, out: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the scripts and their arguments, in order.

    Args:
        corpora: Has ``training/`` and ``tmvar3/pmids_all_500.txt``.
        out: Gets a folder for each run.
        folder: Gets what is shipped.
    """

    def weights(run: str, part: int) -> str:
        return str(out / run / f"tagger-{part}.pt")

    def refined(run: str, start: str, seed: int, parts: int) -> tuple[str, list[str]]:
        given = ["--start", start, "--seed", str(seed), "--parts", str(parts)]
        return "refine.py", [str(corpora), str(out / run), *given]

    yield "train.py", [str(corpora), str(out / "first")]
    yield refined("a", str(out / "first" / "tagger.pt"), 21, 4)
    yield refined("b", weights("a", 4), 22, 2)
    yield refined("c", weights("a", 4), 23, 2)
    siblings = [weights(run, part) for run in "bc" for part in (1, 2)]
    yield "pack.py", [*siblings, str(folder), "--outside", "0.6"]


def main() -> None:
    """Parse the command line and run the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path, help="folder with training/ and tmvar3/pmids_all_500.txt")
    parser.add_argument("out", type=Path, help="folder for the runs")
    parser.add_argument("folder", type=Path, help="where delta.safetensors and tagger.json go")
    arguments = parser.parse_args()
    for script, given in steps(arguments.corpora, arguments.out, arguments.folder):
        print("python", f"training/{script}", *given, flush=True)
        COMMANDS[script](given)


if __name__ == "__main__":
    main()
