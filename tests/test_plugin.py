"""The plugin on the repository's cases, with a tagger and passes made up for the occasion."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from bench import arguments
from bench import records
from bench import strict_json
from bench import write_corpus
from leanner import configurations
from leanner.configurations import CONFIGURATIONS
from leanner.configurations import Bound
from leanner.measure import machine
from leanner.measure import session
from leanner.meters import open_meter
from measure.fakes import FakeTagger
from measure.fakes import Forget
from measure.fakes import Refuse


pytest_plugins = ["pytester"]

BOUND = Bound(1.0, 1.0, "a made-up promise")
#: What runs without ``-m``.
UNSERVED = [configuration for configuration in CONFIGURATIONS if configuration.served is None]


class Cases:
    """Runs the repository's cases in this process; bf16 and int8 do what a test wants of them."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.monkeypatch = monkeypatch
        self.loads = 0
        # pytest-benchmark looks at it, and these tests may themselves run side by side.
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        self.corpus = write_corpus(pytester.path / "corpora" / "tmvar3")
        monkeypatch.setattr(session, "load_by_name", self._load)
        monkeypatch.setattr(machine, "open_meter", partial(open_meter, powercap=pytester.path / "no-powercap"))
        self.become("bf16", Forget(0))

    def _load(self, *_: object, **__: object) -> FakeTagger:
        self.loads += 1
        return FakeTagger()

    def become(self, name: str, step: Any, bound: Bound | None = BOUND) -> None:  # noqa: ANN401 - any pass
        """Let the configuration of this name take ``step``."""
        changed = tuple(
            replace(c, passes=(step,), bound=bound) if c.name == name else c for c in configurations.CONFIGURATIONS
        )
        self.monkeypatch.setattr(configurations, "CONFIGURATIONS", changed)

    def run(self, *more: str) -> pytest.RunResult:
        """Run them."""
        return self.pytester.runpytest_inprocess(*arguments(self.corpus, "--leanner-tagger=fake", *more))

    def report(self, name: str = "report.json") -> dict[str, Any]:
        """Return what ``--benchmark-json`` wrote."""
        return strict_json(self.pytester.path / name)


@pytest.fixture
def cases(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Cases:
    return Cases(pytester, monkeypatch)


JSON = "--benchmark-json=report.json"


def collected(result: pytest.RunResult) -> list[str]:
    """Return the ids of ``--collect-only -q`` without their folder."""
    return [line.rpartition("/")[2] for line in result.outlines if "::" in line]


def test_ids_are_readable_and_twelve_at_most(cases: Cases) -> None:
    result = cases.run("--collect-only", "-q")
    ids = collected(result)

    assert result.ret == 0
    assert {"test_baseline.py::test_case[fp32]", "test_precision.py::test_case[bf16]"} <= set(ids)
    assert {"test_quantization.py::test_case[int8]", "test_pruning.py::test_case[magnitude-50]"} <= set(ids)
    assert len(ids) == sum(c.default for c in UNSERVED) <= 12
    assert cases.loads == 0


def test_all_adds_the_rest(cases: Cases) -> None:
    ids = collected(cases.run("--collect-only", "-q", "--leanner-all"))

    assert len(ids) == len(UNSERVED)
    assert "test_combined.py::test_case[int8-magnitude-50]" in ids


def test_the_control_is_behind_the_baseline_and_only_where_it_is_asked_for(cases: Cases) -> None:
    ids = collected(cases.run("--collect-only", "-q", JSON, "--leanner-aa"))

    assert ids[:2] == ["test_baseline.py::test_case[fp32]", "test_baseline.py::test_case[fp32-again]"]
    assert len(ids) == sum(c.default for c in UNSERVED) + 1


def test_the_baseline_runs_first_whatever_the_order(cases: Cases) -> None:
    result = cases.run("-k", "bf16 or fp32", "-v", "-p", "no:randomly")

    assert result.ret == 0
    ran = [line for line in result.outlines if "::test_case[" in line]
    assert "[fp32]" in ran[0]
    assert cases.loads == 2


def test_f25_a_loss_beyond_its_bound_fails_the_case_but_not_the_report(cases: Cases) -> None:
    cases.become("bf16", Forget(2))
    result = cases.run("-k", "fp32 or bf16", JSON)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: F1 loss 33.33 points*above the bound of 1*a made-up promise*"])
    record = records(cases.report())["bf16"]
    assert record["verdict"] == "fail"
    assert record["speedup"] is not None


def test_a_loss_without_a_bound_fails_nothing(cases: Cases) -> None:
    cases.become("bf16", Forget(2), bound=None)
    result = cases.run("-k", "fp32 or bf16", JSON)

    result.assert_outcomes(passed=2)
    assert records(cases.report())["bf16"]["verdict"] == "recorded"


def test_strict_fails_what_is_inconclusive(cases: Cases) -> None:
    # One mention in eight is missed: a loss of about 6.7 points, with the bound in its interval.
    cases.become("bf16", Forget(8), bound=Bound(7.0, 7.0, "made up"))
    lenient = cases.run("-k", "fp32 or bf16", JSON)
    strict = cases.run("-k", "fp32 or bf16", "--leanner-strict")

    lenient.assert_outcomes(passed=2)
    record = records(cases.report())["bf16"]
    assert record["verdict"] == "inconclusive"
    assert any("mentions would settle it" in reason for reason in record["reasons"])
    strict.assert_outcomes(passed=1, failed=1)
    assert strict.ret == pytest.ExitCode.TESTS_FAILED


def test_an_error_is_recorded_and_the_run_is_red(cases: Cases) -> None:
    cases.become("bf16", Refuse(RuntimeError("a bug in a pass")))
    result = cases.run("-k", "fp32 or bf16", JSON)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    report = cases.report()
    (record,) = report["leanner"]["without_time"].values()
    assert record["configuration"] == "bf16"
    assert record["verdict"] == "error"
    assert record["reasons"] == ["RuntimeError: a bug in a pass"]
    assert re.search(r"\bbf16\b.*\berror\[", result.stdout.str())


def test_what_cannot_run_is_skipped_with_its_reason(cases: Cases) -> None:
    cases.become("bf16", Refuse())
    result = cases.run("-k", "fp32 or bf16", "-rs", JSON)

    assert result.ret == 0
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*not-run: this machine lacks what it takes"])
    assert records(cases.report())["bf16"]["verdict"] == "not-run"


def test_required_energy_without_a_meter_is_an_error_with_the_remedy(cases: Cases) -> None:
    result = cases.run("-k", "fp32", "--leanner-energy=require")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*leanner: energy is required, but cpu_package has no meter*modprobe*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_without_a_meter_the_case_runs_and_says_why_there_are_no_joules(cases: Cases) -> None:
    result = cases.run("-k", "fp32", JSON)

    assert result.ret == 0
    energy = records(cases.report())["fp32"]["energy"]
    assert energy["total_j"] is None
    assert "no RAPL zone" in energy["cpu_package"]["reason"]
    result.stdout.fnmatch_lines(["*no RAPL zone*"])


def test_disabled_benchmarks_still_give_f1(cases: Cases) -> None:
    result = cases.run("-k", "fp32 or bf16", "--benchmark-disable")

    assert result.ret == 0
    shown = result.stdout.str()
    assert re.search(r"\bbf16\b.*\bpass\b.* 1\.0000 .*0\.00 \[0\.00, 0\.00\].*-\[", shown)
    assert "pytest-benchmark was disabled: no round was timed" in shown


def test_saving_and_comparing_keep_working(cases: Cases) -> None:
    saved = cases.run("-k", "bf16", "--benchmark-save=before")
    (path,) = (cases.pytester.path / ".benchmarks").glob("*/0001_before.json")
    assert saved.ret == 0
    assert strict_json(path)["benchmarks"][0]["extra_info"]["leanner"]["verdict"] == "pass"

    compared = cases.run("-k", "bf16", "--benchmark-compare=0001", "--benchmark-compare-fail=median:100000%")
    assert compared.ret == 0
    assert "INTERNALERROR" not in compared.stdout.str() + compared.stderr.str()
    compared.stdout.fnmatch_lines(["test_case[[]bf16] (0001_before)*"])


def test_on_a_gpu_that_is_not_there_nothing_is_measured_and_the_run_is_red(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for given in (("-m", "gpu"), ("--leanner-device=cuda",)):
        result = cases.run(*given)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "finds no usable CUDA device; nothing was measured" in result.stderr.str() + result.stdout.str()
        assert "passed" not in result.stdout.str()
    assert cases.loads == 0


def test_the_gpu_has_a_case_for_each_of_the_cpu(cases: Cases) -> None:
    on_cpu, on_gpu = (collected(cases.run("--collect-only", "-q", *more)) for more in ((), ("-m", "gpu")))

    assert on_gpu == [f"{name[:-1]}-cuda]" for name in on_cpu]


def test_what_is_no_case_runs_when_it_is_asked_for(cases: Cases) -> None:
    def files(*more: str) -> set[str]:
        return {name.partition("::")[0] for name in collected(cases.run("--collect-only", "-q", *more))}

    names = ("sampler", "same_spans", "regrouping", "growth", "batching", "load", "served", "sweep", "soak", "heap")
    others = {f"test_{name}.py" for name in (*names, "floor", "kernels", "losses")}
    assert files()
    assert not others & files()
    assert not others & files("-m", "gpu")
    assert files("-m", "overhead") == {"test_sampler.py"}
    assert files("-m", "equality") == {"test_regrouping.py", "test_same_spans.py"}
    assert files("-m", "growth") == {"test_growth.py"}
    assert files("-m", "batching") == {"test_batching.py"}
    assert files("-m", "load") == {"test_load.py"}
    assert files("-m", "kernels") == {"test_kernels.py"}
    assert files("-m", "losses") == {"test_losses.py"}
    assert files("-m", "served") == {"test_served.py"}
    assert files("-m", "sweep") == {"test_sweep.py"}
    assert files("-m", "soak") == {"test_soak.py", "test_heap.py"}


def test_cases_behind_a_server_run_when_they_are_asked_for(cases: Cases) -> None:
    ids = collected(cases.run("--collect-only", "-q", "-m", "served"))
    everything = collected(cases.run("--collect-only", "-q", "-m", "served", "--leanner-all"))

    served = [configuration for configuration in CONFIGURATIONS if configuration.served is not None]
    assert ids == [f"test_served.py::test_case[{c.name}]" for c in served if c.default]
    assert everything == [f"test_served.py::test_case[{c.name}]" for c in served]


def test_a_family_that_is_not_asked_for_is_no_part_of_the_report(cases: Cases) -> None:
    cases.run("-k", "fp32", JSON)
    plain = cases.report()["leanner"]["selection"]
    chosen = "in-process-fp32-b16"
    cases.run("-m", "served", "-k", f"{chosen} and not length", JSON)
    served = cases.report()["leanner"]["selection"]

    assert "baseline" in plain["families"]
    assert "served" not in plain["families"]
    assert served["families"] == ["served"]
    assert served["cases"] == [f"benchmarks/test_served.py::test_case[{chosen}]"]


def test_not_on_a_gpu_means_on_the_cpu(cases: Cases) -> None:
    result = cases.run("-m", "not gpu", "-k", "fp32")

    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1


def test_f22_cases_side_by_side_are_refused(cases: Cases) -> None:
    with pytest.warns(pytest.PytestWarning, match="Benchmarks are automatically disabled"):
        result = cases.run("--dist=load")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: leanner measures time and joules*run with -p no:xdist or -n0"])
    assert cases.loads == 0


def test_f22_workers_of_xdist_measure_nothing_and_the_run_is_red(cases: Cases) -> None:
    command = [sys.executable, "-m", "pytest", *arguments(cases.corpus, "-k", "fp32", "-n1")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command, cwd=cases.pytester.path, env=environment, capture_output=True, text=True, check=False, timeout=110
    )

    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "leanner measures time and joules" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert "leanner: reading the corpus" not in done.stdout


def test_quiet_is_quiet(cases: Cases) -> None:
    assert "leanner: fp32: preparing" in cases.run("-k", "fp32").stdout.str()
    quiet = cases.run("-k", "fp32", "-q").stdout.str()
    assert "leanner: fp32: preparing" not in quiet
    assert re.search(r"\bfp32\b.*\brecorded\b", quiet)


def test_a_project_without_cases_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_plain(benchmark):
            benchmark(lambda: None)
            assert not {"torch", "flair", "transformers", "leanner.configurations"} & set(sys.modules)
        """
    )
    result = pytester.runpytest_subprocess(JSON, "--strict-markers", "-pno:cacheprovider")

    assert result.ret == 0
    result.assert_outcomes(passed=1)
    report = strict_json(pytester.path / "report.json")
    assert "leanner" not in report
    assert "leanner" not in report["machine_info"]
    assert "leanner" not in result.stdout.str().replace("leanner-", "")


def test_markers_are_registered(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest_inprocess("--markers").stdout.str()

    assert "@pytest.mark.cases(family)" in text
    assert "@pytest.mark.gpu" in text
    assert "@pytest.mark.overhead" in text


def test_a_case_may_live_in_a_project_of_its_own(cases: Cases) -> None:
    """The fixtures are all that a file of cases needs."""
    names = [f"fixtures.{name}" for name in ("case", "corpus", "meter", "tagger")]
    cases.pytester.makeconftest(f"pytest_plugins = {names}")
    cases.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.cases(family="baseline")
        def test_mine(case, benchmark, merged_corpus, energy_meter, tagger):
            assert merged_corpus.info.articles == 24
            assert len(list(tagger.tag(merged_corpus.documents))) == 24
            with energy_meter.window() as window:
                pass
            assert window.reading.peak_host_mb > 0
            assert case.measure(benchmark).verdict == "recorded"

        def test_no_case(tagger):
            assert tagger.name == "fake"
        """
    )
    # Another test may measure in another process.
    options = (f"--leanner-corpora={cases.corpus}", "--leanner-seconds=0", "--leanner-lock=off")
    result = cases.pytester.runpytest_inprocess(*options)

    result.assert_outcomes(passed=2)
    assert re.search(r"\bfp32\b.*\brecorded\b", result.stdout.str())
