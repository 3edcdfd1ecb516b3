"""The page in a real browser: Debian's chromium, or another that is named or found."""

from __future__ import annotations

import os
import shutil

from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.report.html.page import page
from runs.hostile import HOSTILE
from runs.hostile import hostile


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.runs.run import Run

#: The variable that names a browser, and the names that are looked for without it.
VARIABLE = "LEANNER_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless browser without a network."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: {VARIABLE} names none, and none of {', '.join(NAMES)} is on PATH")
    # root has no user namespaces to sandbox with
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=flags)
        yield launched
        launched.close()


class Opened:
    """A page that was loaded, with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, scheme: str = "light", width: int = 1280) -> None:  # noqa: ANN401 - playwright's
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        for plot in self.page.locator(".plot").all():
            plot.locator("svg").first.wait_for()

    def _dismiss(self, dialog: Any) -> None:  # noqa: ANN401 - as above
        self.said.append(dialog.message)
        dialog.dismiss()

    def column(self, number: int) -> list[str]:
        """Return the texts of a column of the table, top to bottom."""
        found: list[str] = self.page.eval_on_selector_all(
            f"#cases tbody tr > :nth-child({number})", "cells => cells.map(cell => cell.firstChild.data)"
        )
        return found


@pytest.fixture(scope="module")
def path(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in a file."""
    path = tmp_path_factory.mktemp("browser") / "report.html"
    path.write_text(page([run]))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_without_a_word_and_without_a_network(browser: Any, path: Path, scheme: str) -> None:  # noqa: ANN401
    opened = Opened(browser, path, scheme)

    assert opened.said == []
    assert opened.asked == [path.as_uri()]
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = opened.page.evaluate("getComputedStyle(document.querySelector('.plot .xtick text')).fill")
    assert (background, ink) == {
        "light": ("rgb(255, 255, 255)", "rgb(28, 36, 48)"),
        "dark": ("rgb(20, 24, 29)", "rgb(228, 233, 238)"),
    }[scheme]


def test_the_figures_follow_when_it_gets_dark(browser: Any, path: Path) -> None:  # noqa: ANN401
    opened = Opened(browser, path)
    opened.page.emulate_media(color_scheme="dark")
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect(opened.page.locator(".plot .xtick text").first).to_have_css("fill", "rgb(228, 233, 238)")
    assert opened.said == []


def test_a_heading_sorts_by_mouse_and_by_keyboard(browser: Any, path: Path) -> None:  # noqa: ANN401
    opened = Opened(browser, path)
    as_given = opened.column(1)
    assert as_given == ["fp32 (cuda)", "bf16 (cuda)", "fp16 (cuda)", "int8 (cuda)"]
    faster = opened.page.get_by_role("button", name="faster")

    faster.click()
    assert opened.column(1) == ["fp32 (cuda)", "int8 (cuda)", "bf16 (cuda)", "fp16 (cuda)"]
    assert opened.page.locator("#cases th[aria-sort=ascending]").inner_text() == "faster"
    faster.focus()
    opened.page.keyboard.press("Enter")
    assert opened.column(1) == ["bf16 (cuda)", "int8 (cuda)", "fp32 (cuda)", "fp16 (cuda)"]
    assert opened.page.locator("#announcer").inner_text() == "sorted by faster, descending"
    opened.page.keyboard.press("Shift+Tab")
    opened.page.keyboard.press("Space")
    assert opened.page.locator("#cases th[aria-sort=ascending]").inner_text() == "sent/s"
    assert opened.page.locator("#cases th[aria-sort=descending]").count() == 0


def test_every_control_can_be_reached_by_the_tabulator(browser: Any, path: Path) -> None:  # noqa: ANN401
    opened = Opened(browser, path)
    wanted = opened.page.locator("nav a, th button, select, summary").count()
    opened.page.evaluate(
        "window.seen = new Set(); document.addEventListener('focusin', event => window.seen.add(event.target))"
    )
    for _ in range(wanted + 200):
        opened.page.keyboard.press("Tab")
    reached = opened.page.evaluate(
        "[...document.querySelectorAll('nav a, th button, select, summary')].filter(e => window.seen.has(e)).length"
    )
    assert reached == wanted > 25


def test_a_point_shows_its_values(browser: Any, path: Path) -> None:  # noqa: ANN401
    opened = Opened(browser, path)
    plot = opened.page.locator("[data-figure=front-0-0]")
    plot.scroll_into_view_if_needed()
    plot.locator(".points path").first.hover(force=True)
    shown = opened.page.locator("[data-figure=front-0-0] .hovertext")
    shown.wait_for()

    assert "(cuda)" in shown.text_content()
    assert "J per 1,000 sentences" in shown.text_content()


def test_another_case_can_be_chosen(browser: Any, path: Path) -> None:  # noqa: ANN401
    opened = Opened(browser, path)
    opened.page.locator("#power select").select_option(label="int8 (cuda)")

    assert "int8 (cuda)" in opened.page.locator("#power-plot .gtitle").text_content()


def test_a_hostile_name_stays_text(browser: Any, run: Run, tmp_path: Path) -> None:  # noqa: ANN401
    path = tmp_path / "hostile.html"
    path.write_text(page([hostile(run)]))
    opened = Opened(browser, path)

    assert opened.said == []
    assert opened.asked == [path.as_uri()]
    shown = " ".join(HOSTILE.split())
    assert shown in " ".join(opened.column(1)[1].split())
    ticks = opened.page.locator("[data-figure=scores] .ytick text").all_text_contents()
    assert f"{shown} bf16 (cuda)" in [" ".join(tick.split()) for tick in ticks]
    opened.page.locator("#power select").select_option(index=1)
    assert shown in " ".join(opened.page.locator("#power-plot .gtitle").text_content().split())
    assert opened.page.locator("img, main script").count() == 0


def test_at_the_width_of_a_telephone_nothing_sticks_out(browser: Any, path: Path) -> None:  # noqa: ANN401
    page = Opened(browser, path, width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
