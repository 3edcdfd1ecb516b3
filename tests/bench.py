"""Runs the repository's cases as they are, on a small corpus: in this process, or as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Final

from corpora.writers import Text
from corpora.writers import pubtator


REPOSITORY: Final = Path(__file__).parents[1]
BENCHMARKS: Final = REPOSITORY / "benchmarks"


def write_corpus(folder: Path, articles: int = 24) -> Path:
    """Write articles of two sentences and three mentions each in tmVar's layout; returns the folder."""
    title = "TP53 is lost in mice."
    text = f"{title} It causes cancer."
    gold = ((0, 4, "Gene"), (16, 20, "Species"), (len(title) + 11, len(title) + 17, "Disease"))
    documents = [Text(str(1000 + number), text, gold, len(title)) for number in range(articles)]
    folder.mkdir(parents=True)
    (folder / "tmVar3Corpus.txt").write_text(pubtator(documents))
    return folder


def arguments(corpora: Path | str, *more: str) -> list[str]:
    """Return pytest's arguments for a quick run over ``corpora``."""
    return [
        str(BENCHMARKS),
        f"--rootdir={REPOSITORY}",
        f"--config-file={REPOSITORY / 'pytest.ini'}",
        "-pno:cacheprovider",
        f"--leanner-corpora={corpora}",
        "--leanner-seconds=0",
        # Rounds of made-up taggers are short and noisy: ten are enough.
        "--leanner-precision=1000000",
        # Tests may run while somebody measures.
        "--leanner-lock=off",
        *more,
    ]


def strict_json(path: Path) -> dict[str, Any]:
    """Read JSON that has no NaN and no infinity, as the standard says."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"expected JSON, found {constant}")

    content: dict[str, Any] = json.loads(path.read_text(), parse_constant=refuse)
    return content


def records(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the records of a report by configuration, timed or not."""
    timed = [bench["extra_info"]["leanner"] for bench in report["benchmarks"]]
    return {record["configuration"]: record for record in (*timed, *report["leanner"]["without_time"].values())}


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    rc: int
    output: str
    report: dict[str, Any]
    path: Path


def run_as_a_user(folder: Path, *given: str, timeout_s: float = 110) -> Finished:
    """Run pytest in a process of its own, with a report in ``folder``."""
    path = folder / "report.json"
    command = [sys.executable, "-m", "pytest", *given, f"--benchmark-json={path}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return Finished(done.returncode, done.stdout + done.stderr, strict_json(path) if path.exists() else {}, path)
