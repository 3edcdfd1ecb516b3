from __future__ import annotations

from leanner.compare.comparison import Case
from leanner.compare.comparison import Comparison
from leanner.compare.outcome import Outcome
from leanner.compare.text import markdown


def test_what_a_report_calls_a_case_stays_text() -> None:
    hostile = Case("**x** | <img src=y>", "cpu", Outcome.NEW, "**[a](b)**")
    gone = Case("int8", "cpu", Outcome.REMOVED, "")

    text = markdown(Comparison(("a",), ("b",), (), (hostile, gone), (), 0))

    assert r"\*\*x\*\* \| \<img src=y\>" in text
    assert r"\*\*\[a\](b)\*\*" in text
    assert "| **removed** | int8 |" in text
