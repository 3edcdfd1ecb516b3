"""Print the worked example of docs/comparing.md: ``cd tests && PYTHONPATH=../src:. python -m compare.example``."""

from __future__ import annotations

import contextlib
import io
import sys

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from compare.runs import Made
from leanner.cli import main


#: Sessions of one tagger, then one in which bf16 takes 10 % longer and int8 misses 24 mentions more.
SESSIONS: Final = 6


def steps(made: Made) -> list[list[str]]:
    """Write the runs, and return the commands of the example in their order."""
    names = [made.run(f"night-{number}", 100 + number).name for number in range(1, SESSIONS + 1)]
    names.append(made.run(f"night-{SESSIONS + 1}", 200, slower={"bf16": 1.1}, forgets={"int8": 24}).name)
    return [["compare", "baseline", name, "--unchecked"] for name in names]


def show(commands: Sequence[Sequence[str]]) -> None:
    """Run the first command and the last two, and print them and what they print; the others run unseen."""
    for number, command in enumerate(commands):
        seen = number in (0, len(commands) - 2, len(commands) - 1)
        with contextlib.nullcontext() if seen else contextlib.redirect_stdout(io.StringIO()):
            sys.stdout.write(f"$ leanner {' '.join(command)}\n")
            sys.stdout.flush()
            code = main(list(command))
            sys.stdout.write(f"$ echo $?\n{code}\n")


def run() -> None:
    """Print the example from a folder of its own."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        show(steps(Made(Path())))


if __name__ == "__main__":
    run()
