from __future__ import annotations

import re

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rich.console import Console

from leanner.report.record import CaseRecord
from leanner.report.record import F1Drop
from leanner.report.record import Verdict
from leanner.report.table import render
from report.records import NO_METER
from report.records import baseline
from report.records import energy
from report.records import not_run
from report.records import quantiles
from report.records import record
from report.records import served


def shown(records: Sequence[CaseRecord], *, width: int = 250, color: bool = False) -> str:
    """Return what a terminal of this width shows."""
    console = Console(width=width, force_terminal=color, color_system="truecolor" if color else None)
    with console.capture() as captured:
        console.print(render(records))
    return captured.get()


def cells(text: str, name: str) -> dict[str, str]:
    """Return the cells of the first row of a configuration by their headings."""
    lines = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    heading = next(line for line in lines if line[0] == "configuration")
    row = next(line for line in lines if line[0] == name)
    return dict(zip(heading, row, strict=True))


def under(title: str, text: str) -> str:
    """Return what follows the title of a table."""
    found = re.search(rf"^{title} *$", text, re.MULTILINE)
    assert found is not None
    return text[found.end() :]


def test_a_row_shows_what_was_measured() -> None:
    row = cells(shown([baseline(), record(energy=energy(123.456))]), "bf16")

    assert row == {
        "configuration": "bf16",
        "verdict": "pass",
        "F1": "0.8000",
        "loss pt [95 %]": "0.10 [-0.05, 0.25]",
        "bound": "1.0",
        "s/round": "2.25",
        "s ±%": "1.2",
        "sent/s": "444.4",
        "faster": "1.84",
        "theory": "1.00",
        "p50 ms": "3.1",
        "p99 ms": "9.0",
        "J/1k sent": "123.5",
        "J ±%": "5.0",
        "peak MB": "600",
        "VRAM MB": "-[2]",
        "weights MB": "45.5",
    }


def test_unknown_is_a_dash_with_a_footnote_each_reason_once() -> None:
    text = shown([baseline(), record()])

    for name in ("fp32", "bf16"):
        row = cells(text, name)
        assert row["J/1k sent"] == row["J ±%"] == "-[1]"
        assert row["VRAM MB"] == "-[2]"
    assert text.count(NO_METER) == 1
    assert f"[1] {NO_METER}" in text
    assert "[2] the case does not run on a GPU" in text


def test_a_zero_is_a_zero() -> None:
    row = cells(shown([record(energy=energy(0.0), f1_drop=F1Drop(0.0, 0.0, 0.0, 0.0))]), "bf16")

    assert (row["J/1k sent"], row["loss pt [95 %]"], row["bound"]) == ("0.0", "0.00 [0.00, 0.00]", "0.0")


def test_a_loss_without_an_interval_is_shown_alone() -> None:
    assert cells(shown([record(f1_drop=F1Drop(0.5, None, None, 1.0))]), "bf16")["loss pt [95 %]"] == "0.50"
    unknown = record(f1_drop=None, unknown={"f1_drop": "no gold spans", "f1_drop.bound": "nothing is promised"})
    text = shown([unknown])
    row = cells(text, "bf16")
    assert f"{row['loss pt [95 %]'][1:]} no gold spans" in text
    assert f"{row['bound'][1:]} nothing is promised" in text


def test_an_estimate_is_marked() -> None:
    assert cells(shown([record(energy=energy(10.0, "estimate"))]), "bf16")["J/1k sent"] == "~10.0"
    assert cells(shown([record(energy=energy(None))]), "bf16")["J/1k sent"].startswith("-")


def test_a_narrow_terminal_gets_two_tables_with_the_same_cells() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(render([baseline(), record()], 120))
    narrow = captured.get()
    wide = cells(shown([baseline(), record()]), "bf16")

    assert max(map(len, narrow.splitlines())) <= 120
    loss, cost = (narrow[narrow.index(heading) :] for heading in ("leanner: F1", "leanner: cost"))
    assert {**cells(loss, "bf16"), **cells(cost, "bf16")} == wide


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_a_verdict_that_asks_for_it_is_explained(verdict: Verdict) -> None:
    text = shown([record(verdict=verdict, reasons=("the loss is large", "who knows why"))])

    assert cells(text, "bf16")["verdict"] == f"{verdict}[1]"
    assert "[1] the loss is large; who knows why" in text


def test_a_case_that_was_not_run_is_there_with_its_reason() -> None:
    text = shown([baseline(), not_run()])
    row = cells(text, "fp16")

    assert row.pop("configuration") == "fp16"
    assert re.fullmatch(r"not-run\[\d\]", row.pop("verdict"))
    assert set(row.values()) == {"-"}
    assert "no fp16 kernels on this CPU" in text


def test_f1_by_corpus_and_label() -> None:
    text = shown([record(), not_run()])
    below = text[text.index("F1 by corpus and label") :]
    row = cells(below, "bf16")

    assert row["tmvar"] == "0.8000"
    assert row["SPECIES"] == "-"
    assert row["DISEASE"] == "0.9000"
    assert "fp16" not in below.split("[1]")[0]


def test_without_any_f1_there_is_no_second_table() -> None:
    assert "F1 by corpus" not in shown([not_run()])


def test_what_a_reader_must_know_is_said_once_with_the_cases() -> None:
    both = ("the CPU was throttled",)
    text = shown([baseline(quality=both), record(quality=(*both, "activations are scaled per batch"))])

    assert "all: the CPU was throttled" in text
    assert "bf16: activations are scaled per batch" in text


def test_rounds_over_a_part_of_the_corpus_are_said() -> None:
    whole = record()
    assert whole.time is not None
    part = replace(whole, time=replace(whole.time, sentences=262))

    assert "a round tags 262 of the 1,000 sentences; F1 is of all of them" in shown([part, part])
    assert "a round tags" not in shown([whole])


def test_a_served_case_has_a_row_in_both_tables() -> None:
    text = shown([baseline(), served(), not_run()])
    below = under("served", text)

    assert cells(text, "torchserve-bf16-b16")["p50 ms"] == "3.1"
    assert "fp32" not in below.split("F1 by corpus")[0]
    assert cells(below, "torchserve-bf16-b16") == {
        "configuration": "torchserve-bf16-b16",
        "server": "torchserve",
        "batch": "16",
        "delay ms": "5",
        "requests": "1,920",
        "req/s": "444.4",
        "p50 ms": "70.0",
        "p95 ms": "140.0",
        "p99 ms [95 %]": "280.0 [250.2, 301.5]",
        "alone ms": "12.5",
        "queue ms": "33.0",
        "model ms": "36.0",
        "full %": "96",
        "start s": "7.2",
        "server MB": "812",
        "other spans": "2 of 1,853",
        "regrouped": "3 of 1,853",
        "J/1k sent": "-[1]",
    }


def test_without_a_served_case_nothing_is_said_of_servers() -> None:
    assert "server" not in shown([baseline(), record(), not_run()])


def test_what_is_unknown_of_a_served_case_shares_the_footnotes() -> None:
    here = served("in-process-bf16-b16", "in-process", start_s=None, tree_mb=None, latency_ms=quantiles(70.0))
    text = shown([here, served()])
    row = cells(under("served", text), "in-process-bf16-b16")

    assert re.fullmatch(r"-\[\d\]", row["start s"])
    assert f"{row['start s'][1:]} it is served in this process, and no other was started" in text
    assert re.fullmatch(r"280\.0\[\d\]", row["p99 ms [95 %]"])
    assert f"{row['p99 ms [95 %]'][5:]} 12 requests; an interval takes 200" in text
    assert text.count(NO_METER) == 1


def test_a_narrow_terminal_gets_two_tables_of_served_cases_with_the_same_cells() -> None:
    console = Console(width=130)
    with console.capture() as captured:
        console.print(render([served()], 130))
    narrow = captured.get()
    wide = cells(under("served", shown([served()])), "torchserve-bf16-b16")

    assert max(map(len, narrow.splitlines())) <= 130
    load, server = (under(heading, narrow) for heading in ("served: load", "served: server"))
    assert {**cells(load, "torchserve-bf16-b16"), **cells(server, "torchserve-bf16-b16")} == wide


def test_a_device_is_named_unless_it_is_the_cpu() -> None:
    assert cells(shown([record(device="cuda")]), "bf16 (cuda)")["verdict"] == "pass"


@pytest.mark.parametrize("name", ["[red]x[/]", "[/]", "[link=http://a.b]x", ":warning:"])
def test_text_from_outside_is_no_markup(name: str) -> None:
    hostile = record(name, quality=(f"{name} quality",), unknown={"energy": f"{name} reason"}, verdict=Verdict.FAIL)
    text = shown([hostile, not_run(name, f"{name} cannot run")], color=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)

    assert "\x1b]8" not in text
    assert cells(plain, name)["configuration"] == name
    assert plain.count(f" {name} ") >= 3
    for wanted in ("quality", "reason", "cannot run"):
        assert f"{name} {wanted}" in plain


def test_a_hostile_name_of_a_server_is_no_markup() -> None:
    text = shown([served(server="[red]mine[/]")])
    assert cells(under("served: load", text), "torchserve-bf16-b16")["server"] == "[red]mine[/]"


def test_a_hostile_corpus_name_is_no_markup() -> None:
    f1 = {"micro": 0.5, "by_corpus": {"[red]mine[/]": {"micro": 0.5}}, "macro_over_corpora": 0.5}
    assert "[red]mine[/]" in shown([record(f1=f1)])
