from __future__ import annotations

import os

from dataclasses import fields
from typing import Any

import pytest

from leanner.options import Options
from leanner.options import read_options


pytest_plugins = ["pytester"]

#: For each option what a user writes, and the field and value that it becomes.
WRITTEN = (
    ("tagger", "hf:a/b", "tagger", "hf:a/b"),
    ("tagger-labels", "labels.toml", "tagger_labels", "labels.toml"),
    ("corpora", "bundled", "corpora", ("bundled",)),
    ("sentences", "40", "sentences", 40),
    ("round-sentences", "0", "round_sentences", 0),
    ("seed", "7", "seed", 7),
    ("on-bad-document", "skip", "on_bad_document", "skip"),
    ("energy", "require", "energy", "require"),
    ("watts-per-core", "8.5", "watts_per_core", 8.5),
    ("interval", "0.05", "interval_s", 0.05),
    ("device", "cuda", "device", "cuda"),
    ("batch-size", "8", "batch_size", 8),
    ("seconds", "2", "seconds", 2.0),
    ("precision", "1.5", "precision_pct", 1.5),
    ("slo-ms", "100", "slo_ms", 100.0),
    ("idle", "0", "idle_s", 0.0),
    ("lock", "fail", "lock", "fail"),
    ("journal", "a.jsonl", "journal", "a.jsonl"),
    ("resume", "b.jsonl", "resume", "b.jsonl"),
    ("record-meters", "traces", "record_meters", "traces"),
    ("replay-meters", "recorded", "replay_meters", "recorded"),
    ("compare", "0001", "compare", "0001"),
    ("compare-fail", "time:5%", "compare_fail", ("time:5%",)),
    ("compare-gates", "gates.toml", "compare_gates", "gates.toml"),
    ("compare-store", "runs", "compare_store", "runs"),
)
FLAGS = (
    ("strict", "strict"),
    ("all", "everything"),
    ("interleave", "interleave"),
    ("isolate", "isolate"),
    ("aa", "aa"),
    ("compare-across-machines", "compare_across_machines"),
)


@pytest.fixture(autouse=True)
def _no_corpora_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


def options(pytester: pytest.Pytester, *arguments: str, **ini: str) -> Options:
    """Return the options of a run with these arguments and ini values."""
    lines = "".join(f"leanner-{name.replace('_', '-')} = {value}\n" for name, value in ini.items())
    pytester.makeini(f"[pytest]\n{lines}")
    return read_options(pytester.parseconfig(*arguments))


def test_defaults(pytester: pytest.Pytester) -> None:
    assert options(pytester) == Options(
        tagger="bundled",
        tagger_labels=None,
        corpora=(),
        sentences=None,
        round_sentences=160,
        seed=0,
        on_bad_document="error",
        energy="auto",
        watts_per_core=None,
        interval_s=0.1,
        device="auto",
        batch_size=32,
        seconds=12.0,
        precision_pct=2.0,
        slo_ms=None,
        idle_s=5.0,
        interleave=False,
        isolate=False,
        lock="wait",
        journal=None,
        resume=None,
        record_meters=None,
        replay_meters=None,
        compare=None,
        compare_fail=(),
        compare_gates=None,
        compare_store=None,
        compare_across_machines=False,
        aa=False,
        strict=False,
        everything=False,
    )


def test_every_option_has_a_flag(pytester: pytest.Pytester) -> None:
    given = options(pytester, *(f"--leanner-{name}={text}" for name, text, _, _ in WRITTEN))
    flagged = options(pytester, *(f"--leanner-{name}" for name, _ in FLAGS))

    assert {field: getattr(given, field) for _, _, field, _ in WRITTEN} == {field: v for _, _, field, v in WRITTEN}
    assert all(getattr(flagged, field) is True for _, field in FLAGS)
    assert {field for _, _, field, _ in WRITTEN} | {field for _, field in FLAGS} == {f.name for f in fields(Options)}


def test_the_control_has_a_short_spelling(pytester: pytest.Pytester) -> None:
    assert options(pytester, "--aa") == options(pytester, "--leanner-aa")


def test_every_option_has_an_ini_value(pytester: pytest.Pytester) -> None:
    given = options(pytester, **{name: text for name, text, _, _ in WRITTEN}, **{name: "true" for name, _ in FLAGS})

    assert {field: getattr(given, field) for _, _, field, _ in WRITTEN} == {field: v for _, _, field, v in WRITTEN}
    assert all(getattr(given, field) is True for _, field in FLAGS)


def test_a_flag_wins_over_the_ini_value(pytester: pytest.Pytester) -> None:
    given = options(pytester, "--leanner-seed=0", "--leanner-corpora=a", seed="7", corpora="b", energy="off")

    assert (given.seed, given.corpora, given.energy) == (0, ("a",), "off")


def test_corpora_add_up(pytester: pytest.Pytester) -> None:
    arguments = ("--leanner-corpora=bundled", "--leanner-corpora=mine=a folder")

    assert options(pytester, *arguments).corpora == ("bundled", "mine=a folder")
    assert options(pytester, corpora="bundled 'mine=a folder'").corpora == ("bundled", "mine=a folder")


def test_corpora_come_from_the_environment_last(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEANNER_CORPORA", os.pathsep.join(["/a", "", "/b"]))

    assert options(pytester).corpora == ("/a", "/b")
    assert options(pytester, corpora="c").corpora == ("c",)
    assert options(pytester, "--leanner-corpora=d").corpora == ("d",)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("sentences", "many", "int, found 'many'"),
        ("seed", "1.5", "int, found '1.5'"),
        ("seconds", "5 s", "float, found '5 s'"),
        ("energy", "sometimes", "one of auto, require, estimate, off, found 'sometimes'"),
        ("device", "tpu", "one of auto, cpu, cuda, found 'tpu'"),
        ("on-bad-document", "ignore", "one of error, skip, found 'ignore'"),
        ("strict", "perhaps", "bool, invalid truth value 'perhaps'"),
    ],
)
def test_a_wrong_ini_value_is_an_error_of_usage_with_the_file(
    pytester: pytest.Pytester, name: str, value: str, wanted: str
) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        options(pytester, **{name: value})

    assert str(caught.value) == f"{pytester.path / 'tox.ini'}: expected leanner-{name} = {wanted}"


def test_a_wrong_ini_value_ends_the_run_without_a_traceback(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nleanner-sentences = many\n")
    result = pytester.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {pytester.path / 'tox.ini'}: expected leanner-sentences = int, found 'many'"])
    assert "Traceback" not in result.stderr.str()


@pytest.mark.parametrize("argument", ["--leanner-energy=sometimes", "--leanner-seconds=many", "--leanner-sentences=x"])
def test_a_wrong_flag_is_an_error_of_usage(pytester: pytest.Pytester, argument: str) -> None:
    result = pytester.runpytest_inprocess(argument)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"argument {argument.partition('=')[0]}" in result.stderr.str()


def test_help_names_every_option_with_its_default(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest_inprocess("--help").stdout.str()
    words: Any = " ".join(text.split())

    for name, *_ in (*WRITTEN, *FLAGS):
        assert f"--leanner-{name}" in words
    assert "(default: 12.0)" in words
    assert "(default: auto)" in words


@pytest.mark.parametrize("name", ["sentences", "watts-per-core", "interval", "batch-size", "precision", "slo-ms"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_number_out_of_range_is_refused(pytester: pytest.Pytester, name: str, value: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"expected --leanner-{name} above 0 and finite, found -?[01]"):
        options(pytester, f"--leanner-{name}={value}")


@pytest.mark.parametrize("name", ["seconds", "idle"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_seconds_without_end_or_below_zero_are_refused(pytester: pytest.Pytester, name: str, value: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"--leanner-{name} of 0 or more and finite, found {value}"):
        options(pytester, f"--leanner-{name}={value}")


def test_a_label_map_is_of_a_checkpoint_of_hugging_face(pytester: pytest.Pytester) -> None:
    with pytest.raises(pytest.UsageError, match=r"expected --leanner-tagger=hf:… beside .*, found '?bundled"):
        options(pytester, "--leanner-tagger-labels=labels.toml")
