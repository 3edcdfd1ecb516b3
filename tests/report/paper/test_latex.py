from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from leanner.report.paper.latex import as_latex
from leanner.report.paper.latex import escape
from report.records import baseline
from report.records import energy
from report.records import not_run
from report.records import record


def test_a_row_for_each_measured_case_with_its_intervals() -> None:
    found = as_latex([baseline(), record(), not_run()]).splitlines()
    rows = [line for line in found if line.endswith(r" \\")]

    assert [row.partition(" & ")[0] for row in rows] == ["Configuration", "fp32", "bf16"]
    assert {row.count(" & ") for row in rows} == {7}
    assert "$0.10$ [$-0.05$, $0.25$]" in rows[2]
    assert "$1.84$ [$1.70$, $1.90$]" in rows[2]
    assert [line for line in found if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert found[-1] == r"\par\footnotesize fp16: not-run, no fp16 kernels on this CPU"


def test_what_is_unknown_is_a_dash_with_a_note() -> None:
    found = as_latex([record()])

    assert r" & --\textsuperscript{a} & " in found
    assert r"\textsuperscript{a}~cpu\_package: this machine shows no RAPL zone" in found


def test_an_estimate_is_marked() -> None:
    assert r" & $\sim$$5.00$ & " in as_latex([record(energy=energy(5.0, "estimate"))])


def test_a_hostile_name_is_printed_as_it_is() -> None:
    found = as_latex([record(r"\input{x}$&#_%~^" + "\n\n")])

    row = next(line for line in found.splitlines() if "input" in line)
    assert row.startswith(r"\textbackslash{}input\{x\}\$\&\#\_\%\textasciitilde{}\textasciicircum{} & ")


@given(st.text())
def test_no_special_character_stays_active(text: str) -> None:
    found = escape(text)
    known = r"\\(textbackslash|textasciicircum|textasciitilde|textless|textgreater)\{\}|\\[{}$&#_%]"
    assert not re.search(r"[\\{}$&#_%^~\n]", re.sub(known, "", found))
