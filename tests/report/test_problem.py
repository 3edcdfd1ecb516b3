from __future__ import annotations

from leanner.report.problem import Problem


def test_a_problem_is_a_line_with_its_place() -> None:
    problem = Problem("time.median_s", "expected 2, found 3")

    assert str(problem) == "time.median_s: expected 2, found 3"
    assert str(problem.under("b::case[int8]")) == "b::case[int8]: time.median_s: expected 2, found 3"
    assert str(Problem("", "all is lost")) == "all is lost"
    assert Problem("", "all is lost").under("here") == Problem("here", "all is lost")
