"""The page, parsed: what is in it, in which order, and that text stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import plotly.graph_objects as go
import pytest

from lxml import html

from leanner.report.answer import answer
from leanner.report.html.page import page
from report.records import served
from runs.hostile import HOSTILE
from runs.hostile import hostile


if TYPE_CHECKING:
    from leanner.runs.run import Run

ORDER = ["front", "table", "served", "power", "scores", "gains", "spans", "trend", "remarks"]


@pytest.fixture(scope="module")
def tree(run: Run) -> Any:  # noqa: ANN401 - lxml has no types
    return html.fromstring(page([run]))


@pytest.fixture(scope="module")
def attacked(run: Run) -> str:
    return page([hostile(behind(run, HOSTILE))])


def figures(tree: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    found: dict[str, Any] = json.loads(tree.get_element_by_id("figures").text)
    return found


def text(element: Any) -> str:  # noqa: ANN401 - as above
    return " ".join(element.text_content().split())


def test_the_answer_comes_first_and_the_sections_follow_in_order(tree: Any, run: Run) -> None:  # noqa: ANN401
    assert text(tree.find_class("answer")[0]) == answer(run.records)
    assert [section.get("id") for section in tree.iter("section")] == ORDER
    assert [link.get("href") for link in tree.find(".//nav").iter("a")] == [f"#{name}" for name in ORDER]


def test_every_link_and_note_has_its_target(tree: Any) -> None:  # noqa: ANN401
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {link.get("href")[1:] for link in tree.iter("a")} <= set(ids)


def test_nothing_is_fetched(tree: Any) -> None:  # noqa: ANN401
    for element in tree.iter():
        for name in ("src", "href", "action", "data"):
            assert element.get(name) is None or element.get(name)[0] in "#d", element.get(name)
    assert "@import" not in tree.find(".//style").text
    policy = tree.xpath("//meta[@http-equiv]")[0].get("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_only_its_own_scripts_run(run: Run) -> None:
    content = page([run])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', content)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert len(scripts) == 2
    assert set(re.findall(r"sha256-([^&]+)&", policy[1])) == digests


def test_plotly_knows_all_of_the_figures(tree: Any) -> None:  # noqa: ANN401
    found = figures(tree)
    placed = {element.get("data-figure") for element in tree.iter() if element.get("data-figure")}
    chosen = {option.get("value") for option in tree.iter("option")}
    assert set(found) == placed | chosen
    assert {name.partition("-")[0] for name in found} == {"front", "power", "scores", "gains"}
    for figure in found.values():
        # a name of a CSS variable is no colour to plotly's Python
        go.Figure(json.loads(re.sub(r"var\(--[a-z0-9-]+\)", "red", json.dumps(figure))))


def test_the_front_names_what_is_dominated(tree: Any) -> None:  # noqa: ANN401
    section = text(tree.get_element_by_id("front"))
    assert "F1 loss, pt, s per 1,000 sentences, J per 1,000 sentences, peak VRAM MB" in section
    assert all(name in section for name in ("fp32 (cuda)", "bf16 (cuda)", "int8 (cuda)"))
    assert "fp16" not in section


def test_an_unknown_number_is_a_dash_with_its_reason(tree: Any) -> None:  # noqa: ANN401
    rows = {row[0].text: list(row)[1:] for row in tree.xpath("//table[@id='cases']/tbody/tr")}
    assert list(rows) == ["fp32 (cuda)", "bf16 (cuda)", "fp16 (cuda)", "int8 (cuda)"]
    for cell in rows["fp16 (cuda)"][1:]:
        assert cell.text == "–"
        assert cell.get("data-sort") is None
        assert text(tree.get_element_by_id(cell.find(".//a").get("href")[1:])) == "this machine lacks what it takes"
    for cell in rows["bf16 (cuda)"]:
        assert (cell.get("data-sort") is None) == cell.text.startswith("–")


def test_without_a_served_case_the_section_says_so(tree: Any) -> None:  # noqa: ANN401
    section = tree.get_element_by_id("served")
    assert text(section) == "Served No case of this run was measured behind a server."
    assert list(section.iter("table")) == []


def test_served_cases_have_a_table_that_sorts(run: Run) -> None:
    tree = html.fromstring(page([behind(run, "torchserve", start_s=None)]))
    table = tree.get_element_by_id("served-cases")
    assert table.get("class") == "sortable"
    headings = [text(heading) for heading in table.iter("th") if heading.get("scope") == "col"]
    rows = {row[0].text: dict(zip(headings[1:], row[1:], strict=True)) for row in table.xpath("tbody/tr")}

    assert list(rows) == ["bf16 (cuda)", "int8 (cuda)"]
    cell = rows["bf16 (cuda)"]
    assert (cell["p99 ms [95 %]"].text, cell["p99 ms [95 %]"].get("data-sort")) == ("280.0 [250.2, 301.5]", "280.0")
    assert (cell["other spans"].text, cell["other spans"].get("data-sort")) == ("2 of 1,853", "2")
    assert (cell["server"].text, cell["server"].get("data-sort")) == ("torchserve", "torchserve")
    unknown = cell["start s"]
    assert (unknown.text, unknown.get("data-sort")) == ("–", None)
    note = tree.get_element_by_id(unknown.find(".//a").get("href")[1:])
    assert text(note) == "it is served in this process, and no other was started"


def behind(run: Run, server: str, **changes: Any) -> Run:  # noqa: ANN401 - any part of it
    """Return the run with all but its baseline behind a server."""
    how = served(server=server, **changes).served
    cases = {
        node: replace(record, served=how) if record.f1 is not None and record.configuration != "fp32" else record
        for node, record in run.report.cases.items()
    }
    return replace(run, report=replace(run.report, cases=cases))


def test_power_of_each_round(tree: Any, run: Run) -> None:  # noqa: ANN401
    assert [option.text for option in tree.iter("option")] == ["fp32 (cuda)", "bf16 (cuda)", "int8 (cuda)"]
    lines = figures(tree)["power-1"]["data"]
    bf16 = run.measured[1]
    assert bf16.energy is not None
    assert len(lines) == len(bf16.energy.rounds_j)
    assert bf16.power is not None
    assert bf16.power.peak_w == pytest.approx(max(watts for line in lines for watts in line["y"]), abs=1e-3)
    assert "this machine lacks what it takes" in text(tree.get_element_by_id("power"))


def test_where_traces_tell_no_watts_the_reason_stands(run: Run) -> None:
    cases = {
        node: replace(record, files={**record.files, "traces": {"path": "nowhere.traces.jsonl.gz", "sha256": "0"}})
        for node, record in run.report.cases.items()
    }
    broken = replace(run, report=replace(run.report, cases=cases))
    section = html.fromstring(page([broken])).get_element_by_id("power")
    assert section.find(".//select") is None
    assert "expected the file nowhere.traces.jsonl.gz, found none" in text(section)


def test_spans_with_their_sentences(tree: Any) -> None:  # noqa: ANN401
    section = tree.get_element_by_id("spans")
    assert "bf16 (cuda) against fp32: +0 right, +0 wrong gained; −9 right, −0 wrong lost" in text(section)
    quotes = list(section.iter("blockquote"))
    assert len(quotes) == 12
    assert text(quotes[0][0]) == "TP53 is lost in mice."
    assert [each.text for each in quotes[0].iter("del")] == ["mice"]


def test_sentences_can_be_left_out(run: Run) -> None:
    section = html.fromstring(page([run], sentences=0)).get_element_by_id("spans")
    assert list(section.iter("blockquote")) == []
    assert "−9 right" in text(section)


def test_without_the_corpus_the_page_says_what_it_lacks(run: Run) -> None:
    tree = html.fromstring(page([replace(run, documents=None, no_documents="no corpus here")]))
    assert "no corpus here" in text(tree.get_element_by_id("scores"))
    assert "no corpus here" in text(tree.get_element_by_id("spans"))
    assert figures(tree)["scores"]["data"][0]["error_x"]["array"] == [0.0, 0.0, 0.0]


def test_several_runs_make_a_trend_and_another_machine_is_left_out(run: Run) -> None:
    def at(when: str, **changes: Any) -> Run:  # noqa: ANN401 - any field
        data = {**run.report.data, "datetime": when, "commit_info": {"id": when[-2:] * 20, "dirty": False}}
        cases = {
            node: replace(record, environment={**record.environment, **changes})
            for node, record in run.report.cases.items()
        }
        return replace(run, report=replace(run.report, path=run.path.with_name(when), data=data, cases=cases))

    newest = at("2026-01-03T00:00:33")
    tree = html.fromstring(page([newest, at("2026-01-01T00:00:11"), at("2026-01-02T00:00:22", threads=64)]))
    section = text(tree.get_element_by_id("trend"))

    assert "2026-01-02T00:00:22 left out: threads is 64 and not 2" in section
    layout = figures(tree)["trend-0"]["layout"]
    assert layout["xaxis"]["ticktext"] == ["11111111<br>2026-01-01", "33333333<br>2026-01-03"]
    assert [line["x"] for line in figures(tree)["trend-0"]["data"]] == [[0, 1]] * 3
    assert len([name for name in figures(tree) if name.startswith("trend")]) == 4
    assert "33333333, 2026-01-03" in text(tree.find_class("about")[0])
    assert f"bf16 (cuda) against {run.path.with_name('2026-01-02T00:00:22')}: the same spans" in text(
        tree.get_element_by_id("spans")
    )


def test_text_stays_text(attacked: str) -> None:
    tree = html.fromstring(attacked)

    assert [script.get("type") for script in tree.iter("script")] == ["application/json", None, None]
    assert list(tree.iter("img")) == []
    assert not [name for element in tree.iter() for name in element.keys() if name.startswith("on")]  # noqa: SIM118
    shown = " ".join(HOSTILE.split())
    for name in ("front", "table", "served", "power", "scores", "spans", "remarks"):
        assert shown in text(tree.get_element_by_id(name)), name
    assert shown in tree.xpath("//table[@id='cases']//th/@data-sort")[1].replace("\u2028", " ")
    assert "{{7*7}}" in text(tree)
    assert tree.find(".//title").text.startswith("leanner: <script>")


def test_plotly_is_given_text_that_it_shows_unchanged(attacked: str) -> None:
    raw = attacked[attacked.index('id="figures">') : attacked.index("</script>", attacked.index('id="figures">'))]
    assert "<" not in raw
    assert "\u2028" not in raw

    def texts(value: Any) -> list[str]:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return [found for each in value.values() for found in texts(each)]
        if isinstance(value, list):
            return [found for each in value for found in texts(each)]
        return [value] if isinstance(value, str) else []

    found = texts(figures(html.fromstring(attacked)))
    assert sum("script" in each for each in found) > 10
    for each in found:
        assert re.fullmatch(r"(<b>|</b>|<br>|[^<>$])*", each), each
